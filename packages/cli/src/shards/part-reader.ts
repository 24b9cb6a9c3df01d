import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { RcnnError } from '@rcnn/core/errors';
import { fileError, openRegular } from '@rcnn/files';
import { type PartEnd, type PartHeader, type PartLine, VERSION } from './part.ts';

/** Bytes that are read at a time. */
const BLOCK = 256 * 1024;

/** The longest line: an image with ten thousand large masks stays below it. */
const LONGEST_LINE = 256 * 2 ** 20;

/**
 * Reads a part line by line. The file is open only while a block is read, for there may be more parts than a process may
 * have files open.
 */
export class PartReader {
  readonly path: string;
  readonly #lines: AsyncGenerator<Buffer>;
  readonly #hash = createHash('sha256');
  #count = 0;

  private constructor(path: string) {
    this.path = path;
    this.#lines = linesOf(path);
  }

  /** @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, FILE_MALFORMED, FILE_TRUNCATED */
  static async open(path: string): Promise<{ readonly reader: PartReader; readonly header: PartHeader }> {
    const reader = new PartReader(path);
    const first = await reader.#next();
    if (first === undefined) throw cutShort(path);
    return { reader, header: headerOf(first.value, path) };
  }

  /** The next line; undefined after the last one, when the whole was found to be as it was written. */
  async next(): Promise<PartLine | undefined> {
    const line = await this.#next();
    if (line === undefined) throw cutShort(this.path);
    const { end, place } = line.value as { readonly end?: PartEnd; readonly place?: unknown };
    if (end !== undefined) return this.#finish(end, line.digest);
    this.#count++;
    if (Number.isSafeInteger(place)) return line.value as PartLine;
    throw malformed(this.path, `line ${this.#count + 1} names no item of the list`);
  }

  async #finish(end: PartEnd, digest: string): Promise<undefined> {
    if (end.lines !== this.#count || end.sha256 !== digest) {
      throw new RcnnError('DIGEST_MISMATCH', {
        where: this.path,
        problem: 'the part is not as it was written',
        found: `${this.#count} lines, SHA-256 ${digest}`,
        expected: `${end.lines} lines, SHA-256 ${end.sha256}`,
        hint: 'Remove it and run its shard again.',
      });
    }
    if ((await this.#lines.next()).done !== true) throw malformed(this.path, 'there are lines after the last one');
    return undefined;
  }

  /** A line, and the digest of all before it. */
  async #next(): Promise<{ readonly value: object; readonly digest: string } | undefined> {
    const { value: bytes, done } = await this.#lines.next();
    if (done === true) return undefined;
    const digest = this.#hash.copy().digest('hex');
    this.#hash.update(bytes);
    return { value: parsed(bytes, this.path), digest };
  }
}

function parsed(bytes: Buffer, path: string): object {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // said below
  }
  throw malformed(path, 'a line is no JSON object');
}

function headerOf(value: object, path: string): PartHeader {
  const { version, shard, listed, run } = value as Partial<PartHeader>;
  const isWhole = (number: unknown): boolean => Number.isSafeInteger(number) && (number as number) >= 0;
  const isShard = isWhole(shard?.index) && isWhole(shard?.count) && shard!.index < shard!.count;
  if (version !== VERSION || !isShard || !isWhole(listed) || typeof run !== 'object' || run === null) {
    throw malformed(path, 'it does not begin as a part does');
  }
  return value as PartHeader;
}

async function* linesOf(path: string): AsyncGenerator<Buffer> {
  let position = 0;
  let rest: Buffer[] = [];
  let length = 0;
  for (;;) {
    const block = await readBlock(path, position);
    if (block.length === 0) break;
    position += block.length;
    let from = 0;
    for (let at = block.indexOf(10); at >= 0; at = block.indexOf(10, from)) {
      yield Buffer.concat([...rest, block.subarray(from, at + 1)]);
      [rest, length, from] = [[], 0, at + 1];
    }
    rest.push(block.subarray(from));
    length += block.length - from;
    if (length > LONGEST_LINE) throw malformed(path, 'a line has no end');
  }
  if (length > 0) throw cutShort(path);
}

async function readBlock(path: string, position: number): Promise<Buffer> {
  const file: FileHandle = await openRegular(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(BLOCK), 0, BLOCK, position);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw fileError(path, 'the part cannot be read', error);
  } finally {
    await file.close();
  }
}

function malformed(where: string, found: string): RcnnError {
  return new RcnnError('FILE_MALFORMED', {
    where,
    problem: 'this is not a part of a run',
    found,
    hint: 'Parts are what predict and val write with --shard.',
  });
}

function cutShort(where: string): RcnnError {
  return new RcnnError('FILE_TRUNCATED', {
    where,
    problem: 'the part ends too early',
    hint: 'Remove it and run its shard again.',
  });
}
