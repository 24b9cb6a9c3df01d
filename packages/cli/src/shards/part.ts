import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { RcnnError } from '@rcnn/core/errors';
import type { Shard } from '@rcnn/distributed';
import { fileError, makeFolderSync } from '@rcnn/files';
import { jsonText } from '../output/print.ts';

/** What must be alike in all parts of a run, by name: weights, options, the list. */
export type RunFacts = Readonly<Record<string, string | number | boolean | null>>;

/** The first line of a part. */
export interface PartHeader {
  /** Of this layout. */
  readonly version: typeof VERSION;
  readonly shard: Shard;
  /** Items of the whole list. */
  readonly listed: number;
  readonly run: RunFacts;
}

/** Any line between the first and the last. */
export interface PartLine {
  /** Which item of the list it is about. */
  readonly place: number;
}

/** The last line: a part without it, or with another digest, is not whole. */
export interface PartEnd {
  readonly lines: number;
  /** SHA-256 of all bytes before this line. */
  readonly sha256: string;
}

export const VERSION = 1;

const NAME = /^part-\d{5,}-of-\d{5,}\.jsonl$/;

/** `part-00003-of-00200.jsonl`: sorted by name they are in order. */
export function partName({ index, count }: Shard): string {
  return `part-${five(index)}-of-${five(count)}.jsonl`;
}

function five(value: number): string {
  return String(value).padStart(5, '0');
}

/** The parts in a folder, by name. @throws FILE_MISSING, IO_FAILED */
export function partsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => NAME.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    throw fileError(folder, 'the folder of the parts cannot be read', error);
  }
}

/** Makes the folder, and clears away what a killed process left of this part. */
export function preparePart(folder: string, shard: Shard): void {
  try {
    makeFolderSync(folder);
    const begun = `.${partName(shard)}.`;
    for (const name of readdirSync(folder)) {
      if (name.startsWith(begun) && name.endsWith('.tmp')) rmSync(join(folder, name), { force: true });
    }
  } catch (error) {
    throw fileError(folder, 'cannot be written', error);
  }
}

/**
 * Writes a part: its lines go to a file beside it as they come, and that becomes the part when all are there. So a part
 * under its name is whole, whenever the process is killed.
 */
export async function writePart(
  folder: string,
  header: PartHeader,
  lines: AsyncIterable<PartLine> | Iterable<PartLine>,
): Promise<string> {
  const path = join(folder, partName(header.shard));
  await atomicWrite(path, partBytes(header, lines));
  return path;
}

async function* partBytes(
  header: PartHeader,
  lines: AsyncIterable<PartLine> | Iterable<PartLine>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let count = 0;
  const encoded = (value: object): Buffer => {
    const bytes = Buffer.from(`${jsonText(value, true)}\n`);
    hash.update(bytes);
    return bytes;
  };
  yield encoded(header);
  for await (const line of lines) {
    count++;
    yield encoded(line);
  }
  const end: PartEnd = { lines: count, sha256: hash.digest('hex') };
  yield Buffer.from(`${jsonText({ end }, true)}\n`);
}

/** @throws INVALID_ARGUMENT naming the first fact in which two parts differ */
export function checkSameRun(where: string, header: PartHeader, other: PartHeader, otherName: string): void {
  const names = [...new Set([...Object.keys(header.run), ...Object.keys(other.run)])];
  const facts = (of: PartHeader): Readonly<Record<string, unknown>> => ({
    ...of.run,
    shards: of.shard.count,
    'items of the list': of.listed,
  });
  const [own, others] = [facts(header), facts(other)];
  const differs = ['shards', 'items of the list', ...names].find((name) => own[name] !== others[name]);
  if (differs === undefined) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where,
    place: differs,
    problem: 'this part is of another run',
    found: shown(own[differs]),
    expected: `${shown(others[differs])} as in ${otherName}`,
    hint: 'All parts need the same list, weights, options and number of shards. Give another run a folder of its own (--parts).',
  });
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // what no file could be called is none either
  }
}

/** JSON has no undefined, and an option that was not given must differ from one that was. */
export function withNulls<T>(options: Readonly<Record<string, T | undefined>>): Readonly<Record<string, T | null>> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, value ?? null]));
}
