import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { BACKEND_NAME, OnnxRuntimeBackendError, OrtBackend } from '../src/index.ts';

const PLAIN = 'onnxruntime-without-blocks';

beforeAll(() => {
  tf.registerBackend(PLAIN, () => new OrtBackend({ blockedLayout: false, threads: 1 }));
  for (const kernel of tf.getKernelsForBackend(BACKEND_NAME)) tf.registerKernel({ ...kernel, backendName: PLAIN });
});

interface Case {
  /** `[N, H, W, C]`. */
  readonly x: readonly [number, number, number, number];
  readonly out: number;
  readonly groups: number;
  readonly size: number;
  readonly stride?: number;
  readonly pad?: 'same' | 'valid' | number;
}

const CASES: readonly Case[] = [
  { x: [2, 9, 11, 128], out: 128, groups: 32, size: 3 }, // the first stage of a ResNeXt: four channels each
  { x: [1, 17, 14, 256], out: 256, groups: 32, size: 3, stride: 2, pad: 1 },
  { x: [2, 7, 8, 64], out: 64, groups: 2, size: 3 }, // groups of whole blocks
  { x: [1, 8, 9, 48], out: 96, groups: 6, size: 3 }, // more channels out than in
  { x: [1, 8, 9, 96], out: 48, groups: 6, size: 5, stride: 2, pad: 'valid' },
  { x: [1, 6, 7, 72], out: 72, groups: 3, size: 3 }, // groups that never fill blocks: all of them are one
  { x: [2, 6, 5, 40], out: 20, groups: 5, size: 3 },
  { x: [1, 6, 5, 6], out: 9, groups: 3, size: 3 }, // fewer channels than a block
  { x: [1, 6, 5, 4], out: 8, groups: 4, size: 3, stride: 2, pad: 1 }, // each channel alone
  { x: [1, 5, 6, 64], out: 64, groups: 4, size: 1, stride: 2, pad: 'valid' },
];

const attributes = ({ stride = 1, pad = 'same' }: Case) => ({
  strides: [stride, stride],
  pad,
  dilations: [1, 1],
  dataFormat: 'NHWC',
  dimRoundingMode: undefined,
});

const filterShape = ({ x, out, groups, size }: Case): [number, number, number, number] => [
  size,
  size,
  x[3] / groups,
  out,
];

const infoOf = (entry: Case) =>
  tf.backend_util.computeConv2DInfo(
    [...entry.x],
    [entry.size, entry.size, entry.x[3], entry.out],
    entry.stride ?? 1,
    1,
    entry.pad ?? 'same',
  );

const run = (kernel: string, inputs: object, attrs: object): tf.Tensor =>
  tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor;

const drawn = (shape: readonly number[], seed: number): tf.Tensor =>
  tf.randomUniform([...shape], -1, 1, 'float32', seed);

/** Sums in float64, one product at a time. */
function slowly(entry: Case, visit: (x: number, w: number, y: number) => void): void {
  const info = infoOf(entry);
  const { inChannels, outChannels, inHeight, inWidth, outHeight, outWidth } = info;
  const [ins, outs] = [inChannels / entry.groups, outChannels / entry.groups];
  for (let pixel = 0; pixel < info.batchSize * outHeight * outWidth; pixel++) {
    const [image, i, j] = [Math.floor(pixel / outWidth / outHeight), Math.floor(pixel / outWidth) % outHeight, pixel % outWidth]; // biome-ignore format: one line
    for (let tap = 0; tap < entry.size ** 2; tap++) {
      const row = i * info.strideHeight + Math.floor(tap / entry.size) - info.padInfo.top;
      const column = j * info.strideWidth + (tap % entry.size) - info.padInfo.left;
      if (row < 0 || row >= inHeight || column < 0 || column >= inWidth) continue;
      const x = ((image * inHeight + row) * inWidth + column) * inChannels;
      for (let out = 0; out < outChannels; out++) {
        const first = x + Math.floor(out / outs) * ins;
        for (let c = 0; c < ins; c++) visit(first + c, (tap * ins + c) * outChannels + out, pixel * outChannels + out);
      }
    }
  }
}

/** What is wrong, if a number is further from the right one than float32 sums of so many products may be. */
function firstWrong(found: ArrayLike<number>, expected: Float64Array): string | undefined {
  if (found.length !== expected.length) return `${found.length} numbers, expected ${expected.length}`;
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const at = expected.findIndex((value, i) => !(Math.abs(value - found[i]!) <= 2e-6 * scale));
  return at < 0 ? undefined : `[${at}] is ${found[at]}, expected ${expected[at]}`;
}

describe.each([BACKEND_NAME, PLAIN])('%s', (name) => {
  beforeAll(async () => {
    await tf.setBackend(name);
  });

  test.each(CASES)('%o: forward and both gradients, sums of float64', (entry) => {
    const info = infoOf(entry);
    const attrs = attributes(entry);
    const shape = filterShape(entry);
    tf.tidy(() => {
      const [x, filter, dy] = [drawn(entry.x, 1), drawn(shape, 2), drawn(info.outShape, 3)];
      const [xs, ws, dys] = [x.dataSync(), filter.dataSync(), dy.dataSync()];
      const [ySums, dxSums, dwSums] = [dy, x, filter].map(({ size }) => new Float64Array(size)) as [Float64Array, Float64Array, Float64Array]; // biome-ignore format: one line
      slowly(entry, (at, w, y) => {
        ySums[y]! += xs[at]! * ws[w]!;
        dxSums[at]! += dys[y]! * ws[w]!;
        dwSums[w]! += xs[at]! * dys[y]!;
      });
      const y = run('GroupedConv2D', { x, filter }, attrs);
      expect(y.shape).toEqual(info.outShape);
      expect(firstWrong(y.dataSync(), ySums)).toBeUndefined();
      const dx = run('GroupedConv2DBackpropInput', { dy, filter }, { ...attrs, inputShape: [...entry.x] });
      expect(dx.shape).toEqual(entry.x);
      expect(firstWrong(dx.dataSync(), dxSums)).toBeUndefined();
      const dw = run('GroupedConv2DBackpropFilter', { x, dy }, { ...attrs, filterShape: shape });
      expect(dw.shape).toEqual(shape);
      expect(firstWrong(dw.dataSync(), dwSums)).toBeUndefined();
    });
  });
});

describe('on the blocked layout', () => {
  beforeAll(async () => {
    await tf.setBackend(BACKEND_NAME);
  });

  test('large maps, strip by strip, are as one convolution for each group', () => {
    tf.tidy(() => {
      const [x, filter] = [drawn([1, 131, 160, 64], 1), drawn([3, 3, 16, 64], 2)];
      const parts = tf.split(x as tf.Tensor4D, 4, 3);
      const filters = tf.split(filter as tf.Tensor4D, 4, 3);
      const apart = parts.map((part, group) =>
        tf.conv2d(part as tf.Tensor4D, filters[group] as tf.Tensor4D, 1, 'same'),
      );
      const together = run('GroupedConv2D', { x, filter }, attributes(CASES[0]!));
      expect(firstWrong(together.dataSync(), Float64Array.from(tf.concat(apart, 3).dataSync()))).toBeUndefined();
    });
  });

  test('bias and activation are fused', () => {
    tf.tidy(() => {
      const attrs = attributes(CASES[0]!);
      const [x, filter, bias] = [drawn([1, 5, 6, 32], 1), drawn([3, 3, 4, 32], 2), drawn([32], 3)];
      const together = run('GroupedConv2D', { x, filter, bias }, { ...attrs, activation: 'relu6' });
      const apart = tf.relu6(tf.add(run('GroupedConv2D', { x, filter }, attrs), bias));
      expect(firstWrong(together.dataSync(), Float64Array.from(apart.dataSync()))).toBeUndefined();
    });
  });

  test('channels that the groups do not divide are refused, for there is no other kernel', () => {
    tf.tidy(() => {
      const wrong = () => run('GroupedConv2D', { x: drawn([1, 5, 5, 6], 1), filter: drawn([3, 3, 4, 6], 2) }, attributes(CASES[0]!)); // biome-ignore format: one line
      expect(wrong).toThrow(OnnxRuntimeBackendError);
      expect(wrong).toThrow(/float32\[1,5,5,6\], float32\[3,3,4,6\]/);
    });
  });

  test('nothing is left behind', () => {
    const tensors = tf.memory().numTensors;
    tf.tidy(() => {
      const entry = CASES[1]!;
      const [x, filter] = [drawn(entry.x, 1), drawn(filterShape(entry), 2)];
      const y = run('GroupedConv2D', { x, filter }, attributes(entry));
      run('GroupedConv2DBackpropInput', { dy: y, filter }, { ...attributes(entry), inputShape: [...entry.x] });
      run('GroupedConv2DBackpropFilter', { x, dy: y }, { ...attributes(entry), filterShape: filterShape(entry) });
    });
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
