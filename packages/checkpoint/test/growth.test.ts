import { effort } from '@rcnn/shared/effort';
import { growth } from '@rcnn/shared/growth';
import { memoryTaken } from '@rcnn/shared/memory';
import { expect, test } from 'vitest';
import { bytesSource, openCheckpoint } from '../src/index.ts';
import { nodeHashing } from '../src/node/index.ts';
import { archive, concat, P, pickle, rawSafetensors, tensorPickle } from './forge.ts';
import { rejection } from './helpers.ts';

const repeat = (part: Uint8Array, times: number): Uint8Array =>
  new Uint8Array(Buffer.concat(Array.from({ length: times }, () => part)));
const items = (parts: Uint8Array): Uint8Array => concat(Uint8Array.of(0x5d, 0x28), parts, Uint8Array.of(0x65));
const setItem = Uint8Array.of(0x73);
const emptyDict = Uint8Array.of(0x7d);

/** A dict of `count` keys with one memoized value. */
const wideDict = (count: number, value: Uint8Array, key: (i: number) => string): Uint8Array =>
  concat(
    emptyDict,
    value,
    P.put(7),
    Uint8Array.of(0x30),
    ...Array.from({ length: count }, (_, i) => concat(P.text(key(i)), P.get(7), setItem)),
  );

const u8 = (name: string, at: number): string =>
  `"${name}":{"dtype":"U8","shape":[1],"data_offsets":[${at},${at + 1}]}`;
const header = (fields: string, data = 0): Uint8Array => rawSafetensors(`{${fields}}`, data);
const many = (count: number, field: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => field(i)).join();

/** Every field of our formats that may be made longer, at a size that takes some work, and no limit is met. */
const fields: Record<string, (n: number) => Uint8Array> = {
  'tensors of a pickle': (n) => archive(pickle(wideDict(5000 * n, tensorPickle(), (i) => `k${i}`))),
  'tensor names of a pickle': (n) =>
    archive(pickle(wideDict(100 * n, tensorPickle(), (i) => `${i}`.padEnd(3000, 'x')))),
  'one text of a pickle': (n) => archive(pickle(P.dict({ t: tensorPickle(), text: P.text('x'.repeat(100_000 * n)) }))),
  'values of a pickle': (n) => archive(pickle(items(repeat(P.int(1), 12_000 * n)))),
  'tuples in a row': (n) => archive(pickle(items(repeat(Uint8Array.of(0x29), 12_000 * n)))),
  'memo entries': (n) => archive(pickle(concat(P.none, repeat(Uint8Array.of(0x94), 50_000 * n)))),
  'calls of a global': (n) =>
    archive(pickle(items(repeat(concat(P.global('collections', 'OrderedDict'), P.tuple(), P.reduce), 2000 * n)))),
  'tensors of a header': (n) =>
    header(
      many(5000 * n, (i) => u8(`k${i}`, i)),
      5000 * n,
    ),
  'tensor names of a header': (n) =>
    header(
      many(200 * n, (i) => u8(`${i}`.padEnd(3000, 'x'), i)),
      200 * n,
    ),
  'metadata keys': (n) => header(`"__metadata__":{${many(10_000 * n, (i) => `"k${i}":"x"`)}}`),
  'one metadata text': (n) => header(`"__metadata__":{"k":"${'x\\n'.repeat(200_000 * n)}"}`),
  'spaces of a header': (n) => header(`${' '.repeat(500_000 * n)}"__metadata__":{}`),
};

async function readAll(bytes: Uint8Array): Promise<void> {
  const checkpoint = await openCheckpoint(bytesSource(bytes, 'growth'), nodeHashing);
  await checkpoint.verify();
}

/** Nothing may grow faster: 2 is what a square has. */
const BOUND = 1.2;

/** The budgets refuse most of these fields at 32: a square grows with 1.4 between these two. */
const DOUBT = [2, 8] as const;

test.each(Object.entries(fields))('reading grows no faster than %s', async (_, make) => {
  expect(await growth(make, readAll, BOUND, DOUBT)).toBeLessThanOrEqual(BOUND);
});

/** Small files that ask for work out of proportion. Each one was minutes of work, or gigabytes, once. */
const bombs: Record<string, () => Uint8Array> = {
  'one key of 1 MiB above 4,000 tensors': () =>
    archive(pickle(P.dict({ ['k'.repeat(1 << 20)]: wideDict(4000, tensorPickle(), (i) => `t${i}`) }))),
  'names that are long together': () =>
    archive(pickle(P.dict({ ['k'.repeat(4000)]: wideDict(5000, tensorPickle(), (i) => `t${i}`) }))),
  'a view dict of 100,000 entries in 1,000 calls': () => archive(pickle(sharedViewDict(100_000, 1000))),
  'tuples in tuples': () => archive(pickle(concat(P.none, repeat(Uint8Array.of(0x85), 4_000_000)))),
  'empty dicts': () => archive(pickle(items(repeat(Uint8Array.of(0x7d, 0x30), 1_000_000)))),
  'ten thousand tensors that show the same megabytes': () =>
    archive(
      pickle(wideDict(10_000, tensorPickle({ count: 1 << 20, shape: [1 << 20], strides: [1] }), (i) => `t${i}`)),
      new Uint8Array(4 << 20),
    ),
  'a header of 40 MB': () => header(`${' '.repeat(40_000_000)}"a":1`),
  'a header of two million values': () => header(`"a":[${'[],'.repeat(2_000_000)}0]`),
  'a tensor name of 1 MiB in a header': () => header(u8('x'.repeat(1 << 20), 0), 1),
};

function sharedViewDict(entries: number, calls: number): Uint8Array {
  const view = concat(
    wideDict(entries, P.false, (i) => `k${i}`),
    P.put(1),
    Uint8Array.of(0x30),
  );
  const storage = P.tuple(P.text('storage'), P.global('torch', 'FloatStorage'), P.text('0'), P.text('cpu'), P.int(6));
  const ints = (...values: number[]): Uint8Array => P.tuple(...values.map(P.int));
  const call = concat(
    P.global('torch._utils', '_rebuild_tensor_v2'),
    P.tuple(concat(storage, P.persistent), P.int(0), ints(6), ints(1), P.false, P.tuple(), P.get(1)),
    P.reduce,
  );
  return concat(view, items(repeat(call, calls)));
}

test.each(Object.entries(bombs))('%s: stopped by a budget', async (_, make) => {
  const bytes = make();
  const room = 10 * bytes.length + (256 << 20);
  const { taken, result } = await memoryTaken(() => effort(() => rejection(() => readAll(bytes))), room);
  const { spent, result: error } = result;
  expect(error.code).toBe('BUDGET_EXCEEDED');
  expect(error.message.length).toBeLessThan(3000);
  expect(spent).toBeLessThan(40);
  expect(taken).toBeLessThan(room);
});

test('metadata that are nested without end are refused, not walked', async () => {
  const { checkpointFile } = await import('../src/index.ts');
  const { collect, randomTensor } = await import('./helpers.ts');
  const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);
  const weights = [randomTensor('a', [1])];
  const file = async (depth: number): Promise<Uint8Array> =>
    collect((await checkpointFile({ weights, info: deep(depth) as never })).chunks());
  await readAll(await file(60));
  expect((await rejection(readAll(await file(100)))).code).toBe('BUDGET_EXCEEDED');
});

test('names with control characters are never raw in a message', async () => {
  const evil = 'a\u001b]0;pwned\u0007\nerror FAKE: x\u202e';
  const files = [
    header(`"${evil.replaceAll(/\p{Cc}/gu, (c) => `\\u00${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}":1`),
    archive(pickle(P.dict({ [evil]: P.global(evil.replaceAll('\n', ' '), 'x') }))),
    archive(
      pickle(wideDict(2, concat(P.global('torch._utils', '_rebuild_tensor_v2'), P.tuple(), P.reduce), () => evil)),
    ),
  ];
  for (const bytes of files) {
    const error = await rejection(readAll(bytes));
    expect(error.message).not.toMatch(/[\p{Cc}\u202e]/u);
  }
});
