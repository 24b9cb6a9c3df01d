import { counted, RcnnError } from '@rcnn/core/errors';
import type { PartHeader, PartLine } from './part.ts';
import { checkSameRun, isFolder, partName, partsIn } from './part.ts';
import { PartReader } from './part-reader.ts';

/** Missing parts that are named in a message. */
const SHOWN = 20;

/** All parts of one run. */
export class PartSet {
  readonly header: PartHeader;
  readonly #readers: readonly PartReader[];

  private constructor(header: PartHeader, readers: readonly PartReader[]) {
    this.header = header;
    this.#readers = readers;
  }

  /**
   * Opens parts and proves that they are all of one run, each there once.
   * @param inputs folders and part files
   * @throws FILE_MISSING (no part, or not all), INVALID_ARGUMENT (of different runs), DUPLICATE_ID, and what reading throws
   */
  static async open(inputs: readonly string[]): Promise<PartSet> {
    const paths = [...new Set(inputs.flatMap((input) => (isFolder(input) ? partsIn(input) : [input])))];
    const opened = new Map<number, { readonly reader: PartReader; readonly header: PartHeader }>();
    let first: { readonly path: string; readonly header: PartHeader } | undefined;
    for (const path of paths) {
      const { reader, header } = await PartReader.open(path);
      first ??= { path, header };
      checkSameRun(path, header, first.header, first.path);
      const twin = opened.get(header.shard.index);
      if (twin !== undefined) throw sameShard(path, twin.reader.path);
      opened.set(header.shard.index, { reader, header });
    }
    if (first === undefined) throw noParts(inputs);
    const { count } = first.header.shard;
    const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !opened.has(index));
    if (missing.length > 0) throw notAll(inputs, missing, count);
    const inOrder = Array.from({ length: count }, (_, index) => opened.get(index)!.reader);
    return new PartSet(first.header, inOrder);
  }

  /**
   * The lines of each item of the list, in its order. Parts are read side by side, so memory stays that of a few lines
   * of each, however many there are.
   * @throws FILE_MALFORMED when an item is missing or there twice, and what reading throws
   */
  async *items(): AsyncGenerator<readonly PartLine[]> {
    const { listed, shard } = this.header;
    const ahead = new Map<PartReader, PartLine | undefined>();
    for (const reader of this.#readers) ahead.set(reader, await reader.next());
    for (let place = 0; place < listed; place++) {
      const reader = this.#readers[place % shard.count]!;
      const lines: PartLine[] = [];
      for (let line = ahead.get(reader); line?.place === place; line = ahead.get(reader)) {
        lines.push(line);
        ahead.set(reader, await reader.next());
      }
      if (lines.length === 0) throw wrongItem(reader.path, place, ahead.get(reader));
      yield lines;
    }
    for (const [reader, line] of ahead) if (line !== undefined) throw wrongItem(reader.path, undefined, line);
  }
}

function wrongItem(where: string, expected: number | undefined, line: PartLine | undefined): RcnnError {
  return new RcnnError('FILE_MALFORMED', {
    where,
    problem: 'the part does not have each item of the list once',
    found: line === undefined ? 'the end' : `item ${line.place}`,
    expected: expected === undefined ? 'the end' : `item ${expected}`,
    hint: 'Remove it and run its shard again.',
  });
}

function sameShard(where: string, other: string): RcnnError {
  return new RcnnError('DUPLICATE_ID', {
    where,
    problem: 'two files are the same part',
    found: `${other} too`,
    hint: 'Name each part once.',
  });
}

function noParts(inputs: readonly string[]): RcnnError {
  return new RcnnError('FILE_MISSING', {
    where: inputs.join(', '),
    problem: 'there are no parts here',
    expected: 'files such as part-00000-of-00004.jsonl',
    hint: 'Parts are what predict and val write with --shard, by default to runs/parts.',
  });
}

function notAll(inputs: readonly string[], missing: readonly number[], count: number): RcnnError {
  const names = missing.slice(0, SHOWN).map((index) => partName({ index, count }));
  const more = missing.length > SHOWN ? [`and ${missing.length - SHOWN} more`] : [];
  return new RcnnError('FILE_MISSING', {
    where: inputs.join(', '),
    problem: `${missing.length} of ${counted(count, 'part')} ${missing.length === 1 ? 'is' : 'are'} missing: ${[...names, ...more].join(', ')}`,
    hint: `Run their shards again: --shard ${missing[0]}/${count} …`,
  });
}
