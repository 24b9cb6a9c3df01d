import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import {
  bytesSource,
  checkpointFile,
  openCheckpoint,
  openTensors,
  safetensorsFile,
  sha256Of,
  torchvisionProfile,
} from '../src/index.ts';
import { loadCheckpoint, nodeHashing, saveCheckpoint } from '../src/node/index.ts';
import { collect, expectReject, randomTensor, repeats, temporaryDirectory } from './helpers.ts';

const directory = temporaryDirectory();
const profile = torchvisionProfile({ source: 'a test', numClasses: 3, normEpsilon: 0 });
const info = { epoch: 3, random: { words: [1, 2, 3, 4294967295], spareNormal: null }, names: ['x', 'ÿ"\\'] };

function contents() {
  return {
    weights: [randomTensor('conv.weight', [4, 3, 2, 2]), randomTensor('conv.bias', [4])],
    groups: { optimizer: [randomTensor('conv.weight', [4, 3, 2, 2], 2)] },
    profile,
    info,
  };
}

test('a checkpoint comes back as it was saved', async () => {
  const path = join(directory, 'last.safetensors');
  await saveCheckpoint(path, contents());
  const checkpoint = await loadCheckpoint(path);
  expect(checkpoint.profile).toEqual(profile);
  expect(checkpoint.info).toEqual(info);
  expect([...checkpoint.weights.tensors.keys()]).toEqual(['conv.weight', 'conv.bias']);
  expect([...checkpoint.groups.keys()]).toEqual(['optimizer']);
  const [weight] = contents().weights;
  expect(await checkpoint.weights.tensors.get('conv.weight')!.read()).toEqual(await weight!.read());
  const momentum = checkpoint.groups.get('optimizer')!.tensors.get('conv.weight')!;
  expect(await momentum.read()).toEqual(await contents().groups.optimizer[0]!.read());
  await checkpoint.verify();
  await checkpoint.close();
});

test('the portable and the native checksums write the same file', async () => {
  const portable = await collect((await checkpointFile(contents())).chunks());
  const native = await collect((await checkpointFile(contents(), nodeHashing)).chunks());
  expect(portable).toEqual(native);
});

test('every flipped bit is caught, wherever it is', async () => {
  const good = await collect((await checkpointFile(contents(), nodeHashing)).chunks());
  const random = new Random(11);
  const total = good.byteLength * 8;
  const runs = repeats(2000);
  let caught = 0;
  for (let run = 0; run < runs; run++) {
    const bit = random.integer(total);
    const bad = good.slice();
    bad[bit >> 3]! ^= 1 << (bit & 7);
    try {
      await (await openCheckpoint(bytesSource(bad), nodeHashing)).verify();
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      caught++;
    }
  }
  expect(caught).toBe(runs);
});

test('damage in a tensor names the tensor', async () => {
  const path = join(directory, 'damaged.safetensors');
  await saveCheckpoint(path, contents());
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  const checkpoint = await loadCheckpoint(path);
  await expectReject(checkpoint.verify(), 'DIGEST_MISMATCH', "tensor 'optimizer/conv.weight'");
  await checkpoint.close();
});

test('other programs see an ordinary safetensors file', async () => {
  const source = await openTensors(bytesSource(await collect((await checkpointFile(contents())).chunks())));
  expect([...source.tensors.keys()]).toEqual(['conv.weight', 'conv.bias', 'optimizer/conv.weight']);
  expect(source.metadata.get('format')).toBe('pt');
});

test('values that JSON would change are refused, by pointer', async () => {
  for (const bad of [Number.NaN, -0, Number.POSITIVE_INFINITY, new Map() as never, 1n as never]) {
    await expectReject(() => checkpointFile({ weights: [], info: { a: [0, bad] } }), 'INVALID_ARGUMENT', '/info/a/1');
  }
});

test('names that would be taken for groups are refused', async () => {
  const weights = [randomTensor('a/b', [1])];
  await expectReject(() => checkpointFile({ weights }), 'INVALID_ARGUMENT', 'a/b');
  await expectReject(() => checkpointFile({ weights: [], groups: { 'a/b': weights } }), 'INVALID_ARGUMENT', 'a/b');
});

/** A file that has right digests and says whatever it likes: anyone can make one. */
async function forged(metadata: Record<string, string>): Promise<Uint8Array<ArrayBuffer>> {
  const all = { 'rcnn.version': '1', 'rcnn.digests': '[]', ...metadata };
  const header = (digest: string) => collect(safetensorsFile([], { ...all, 'rcnn.header': digest }).chunks());
  return header(await sha256Of([(await header('0'.repeat(64))).subarray(8)]));
}

test.each([
  ['digests that are a number', { 'rcnn.digests': '5' }, 'rcnn.digests'],
  ['digests that are not pairs', { 'rcnn.digests': '[["a"]]' }, 'rcnn.digests'],
  ['digests that are not JSON', { 'rcnn.digests': '[' }, 'rcnn.digests'],
  ['info that is not JSON', { 'rcnn.info': '{' }, 'rcnn.info'],
  ['a profile that is null', { 'rcnn.profile': 'null' }, 'rcnn.profile/source'],
  [
    'a profile without an epsilon',
    { 'rcnn.profile': JSON.stringify({ ...profile, normEpsilon: undefined }) },
    '/normEpsilon',
  ],
  [
    'a profile with an epsilon in words',
    { 'rcnn.profile': JSON.stringify({ ...profile, normEpsilon: '0' }) },
    '/normEpsilon',
  ],
  ['a profile with two means', { 'rcnn.profile': JSON.stringify({ ...profile, mean: [0, 0] }) }, '/mean'],
  [
    'a profile with a bad class',
    { 'rcnn.profile': JSON.stringify({ ...profile, classes: [{ label: 1 }] }) },
    '/classes',
  ],
])('%s is refused even with right digests', async (_, metadata, place) => {
  await expectReject(
    forged(metadata).then((bytes) => openCheckpoint(bytesSource(bytes))),
    'FILE_MALFORMED',
    place,
  );
});

test('a file of a later version says so', async () => {
  const bytes = await forged({ 'rcnn.version': '2' });
  await expectReject(openCheckpoint(bytesSource(bytes)), 'FILE_REFUSED', 'rcnn.version');
});

test('a file that is refused is closed', async () => {
  for (const bytes of [await forged({ 'rcnn.digests': '5' }), new Uint8Array(3)]) {
    let closed = 0;
    const source = { ...bytesSource(bytes), close: async () => void closed++ };
    await openCheckpoint(source).catch(() => undefined);
    expect(closed).toBe(1);
  }
});
