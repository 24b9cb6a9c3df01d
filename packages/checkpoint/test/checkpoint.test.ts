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
const profile = torchvisionProfile({ source: 'a test', numClasses: 3, options: { normEpsilon: 0 } });

/** As files had it before options and input were apart. */
const version1 = {
  source: 'a test',
  architecture: 'maskrcnn_small',
  normEpsilon: 0,
  strideIn: '1x1',
  roiAlign: { aligned: true, samplingRatio: 0 },
  resize: { rule: 'torchvision', minSize: 320, maxSize: 640 },
  channelOrder: 'bgr',
  mean: [0.1, 0.2, 0.3],
  std: [1, 1, 1],
  paste: 'detectron2',
  numClasses: 3,
};
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

function forgedProfile(profile: object): Record<string, string> {
  return { 'rcnn.profile': JSON.stringify(profile) };
}

function forgedInput(wrong: object): Record<string, string> {
  return forgedProfile({ ...profile, input: { ...profile.input, ...wrong } });
}

test('a profile of version 1 is read as one of today', async () => {
  const bytes = await forged(forgedProfile(version1));
  const checkpoint = await openCheckpoint(bytesSource(bytes));
  expect(checkpoint.profile).toEqual({
    source: 'a test',
    architecture: 'maskrcnn_small',
    options: {
      normEpsilon: 0,
      strideIn: '1x1',
      maskPaste: 'detectron2',
      roiAlign: { aligned: true, samplingRatio: 0 },
    },
    input: {
      resize: { rule: 'torchvision', minSize: 320, maxSize: 640 },
      sizeDivisor: 32,
      channelOrder: 'bgr',
      mean: [0.1, 0.2, 0.3],
      std: [1, 1, 1],
    },
    numClasses: 3,
  });
});

test.each([
  ['digests that are a number', { 'rcnn.digests': '5' }, 'rcnn.digests'],
  ['digests that are not pairs', { 'rcnn.digests': '[["a"]]' }, 'rcnn.digests'],
  ['digests that are not JSON', { 'rcnn.digests': '[' }, 'rcnn.digests'],
  ['info that is not JSON', { 'rcnn.info': '{' }, 'rcnn.info'],
  ['a profile that is null', { 'rcnn.profile': 'null' }, 'rcnn.profile/source'],
  [
    'a profile without an epsilon',
    { 'rcnn.profile': JSON.stringify({ ...version1, normEpsilon: undefined }) },
    '/normEpsilon',
  ],
  [
    'a profile with an epsilon in words',
    { 'rcnn.profile': JSON.stringify({ ...version1, normEpsilon: '0' }) },
    '/normEpsilon',
  ],
  ['a profile with two means', { 'rcnn.profile': JSON.stringify({ ...version1, mean: [0, 0] }) }, '/mean'],
  ['a profile with one mean', forgedInput({ mean: [0] }), '/input/mean'],
  ['a profile that resizes to one side', forgedInput({ resize: { rule: 'fixed', size: [550] } }), '/input/resize'],
  ['a profile that resizes as nobody does', forgedInput({ resize: { rule: 'x', size: [5, 5] } }), '/input/resize'],
  ['a profile that pads to a multiple of 0', forgedInput({ sizeDivisor: 0 }), '/input/sizeDivisor'],
  ['a profile of another order of channels', forgedInput({ channelOrder: 'grb' }), '/input/channelOrder'],
  ['a profile with a list of options', forgedProfile({ ...profile, options: [] }), '/options'],
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
