import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { BACKEND_NAME } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

type Sides = readonly [before: number, after: number];

interface Case {
  /** `[N, H, W, C]`. */
  readonly x: readonly [number, number, number, number];
  /** `[rows, columns]`, and the outputs of each channel. */
  readonly filter: readonly [number, number];
  readonly multiplier?: number;
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly pad?: 'same' | 'valid' | number | readonly [rows: Sides, columns: Sides];
}

const CASES: readonly Case[] = [
  { x: [2, 9, 11, 8], filter: [3, 3] },
  { x: [1, 7, 5, 12], filter: [3, 3], strides: [2, 2] }, // eight channels at a time, then four
  { x: [2, 8, 10, 3], filter: [3, 3], strides: [2, 2] }, // channels one by one
  { x: [1, 6, 7, 13], filter: [5, 5] },
  { x: [1, 12, 9, 8], filter: [5, 5], strides: [2, 2], pad: 2 },
  { x: [1, 10, 11, 4], filter: [3, 3], pad: 'valid', strides: [3, 2] }, // pixels that no window sees
  { x: [2, 5, 6, 4], filter: [1, 1], strides: [2, 3], pad: 'valid' }, // pixels without a tap in the gradient
  { x: [1, 11, 10, 8], filter: [3, 3], dilations: [2, 3] },
  { x: [1, 9, 9, 4], filter: [3, 2], dilations: [1, 2], pad: 'valid' },
  { x: [1, 7, 8, 4], filter: [3, 3], strides: [2, 2], dilations: [2, 3], pad: 3 }, // tfjs's own ops refuse both together
  { x: [1, 4, 5, 4], filter: [3, 3], pad: 4 }, // windows that see zeros alone
  { x: [2, 6, 7, 4], filter: [4, 3], pad: [[0, 3], [2, 1]] }, // biome-ignore format: one line
  { x: [1, 8, 6, 4], filter: [2, 2], multiplier: 2 },
  { x: [2, 7, 9, 3], filter: [3, 3], multiplier: 3, strides: [2, 2] },
  { x: [1, 1, 1, 16], filter: [3, 3] },
  { x: [1, 1, 37, 8], filter: [1, 7], pad: 'valid' },
  { x: [1, 3, 3, 8], filter: [5, 5] }, // a filter larger than the map
  { x: [2, 131, 67, 32], filter: [3, 3] }, // more than one strip
  { x: [1, 90, 129, 40], filter: [5, 5], strides: [2, 2] },
];

/** Sums in float64, one product at a time. Arrays are those of tfjs: NHWC, and `[kh, kw, C, m]` for the filter. */
function slowly(info: ReturnType<typeof infoOf>, visit: (x: number, w: number, y: number) => void): void {
  const { inChannels: c, outChannels: k, inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth } = info;
  for (let image = 0; image < info.batchSize; image++) {
    for (let i = 0; i < outHeight; i++) {
      for (let j = 0; j < outWidth; j++) {
        for (let a = 0; a < filterHeight; a++) {
          for (let b = 0; b < filterWidth; b++) {
            const row = i * info.strideHeight + a * info.dilationHeight - info.padInfo.top;
            const column = j * info.strideWidth + b * info.dilationWidth - info.padInfo.left;
            if (row < 0 || row >= inHeight || column < 0 || column >= inWidth) continue;
            const x = ((image * inHeight + row) * inWidth + column) * c;
            const y = ((image * outHeight + i) * outWidth + j) * k;
            const w = (a * filterWidth + b) * k;
            for (let out = 0; out < k; out++) visit(x + Math.floor((out * c) / k), w + out, y + out);
          }
        }
      }
    }
  }
}

const attributes = ({ strides = [1, 1], dilations = [1, 1], pad = 'same' }: Case) => ({
  strides: [...strides],
  dilations: [...dilations],
  pad: typeof pad === 'object' ? [[0, 0], ...pad, [0, 0]] : pad,
  dataFormat: 'NHWC',
  dimRoundingMode: undefined,
});

const filterShape = ({ x, filter, multiplier = 1 }: Case): [number, number, number, number] => [
  ...filter,
  x[3],
  multiplier,
];

function infoOf(entry: Case) {
  const { strides, dilations, pad } = attributes(entry);
  return tf.backend_util.computeConv2DInfo(
    [...entry.x],
    filterShape(entry),
    strides as [number, number],
    dilations as [number, number],
    pad as 'same',
    undefined,
    true,
  );
}

const run = (kernel: string, inputs: object, attrs: object): tf.Tensor =>
  tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor;

const drawn = (shape: readonly number[], seed: number): tf.Tensor =>
  tf.randomUniform([...shape], -1, 1, 'float32', seed);

/** What is wrong, if a number is further from the right one than float32 sums of so many products may be. */
function firstWrong(found: ArrayLike<number>, expected: Float64Array): string | undefined {
  if (found.length !== expected.length) return `${found.length} numbers, expected ${expected.length}`;
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const at = expected.findIndex((value, i) => !(Math.abs(value - found[i]!) <= 2e-6 * scale));
  return at < 0 ? undefined : `[${at}] is ${found[at]}, expected ${expected[at]}`;
}

describe.each(CASES)('%o', (entry) => {
  const info = infoOf(entry);
  const attrs = attributes(entry);
  const tensors = () => ({
    x: drawn(info.inShape, 1),
    filter: drawn(filterShape(entry), 2),
    dy: drawn(info.outShape, 3),
  });

  test('forward, sums of float64', () => {
    tf.tidy(() => {
      const { x, filter } = tensors();
      const [xs, ws] = [x.dataSync(), filter.dataSync()];
      const expected = new Float64Array(tf.util.sizeFromShape(info.outShape));
      slowly(info, (at, w, y) => (expected[y]! += xs[at]! * ws[w]!));
      const y = run(tf.DepthwiseConv2dNative, { x, filter }, attrs);
      expect(y.shape).toEqual(info.outShape);
      expect(firstWrong(y.dataSync(), expected)).toBeUndefined();
    });
  });

  test('gradient by the input, sums of float64', () => {
    tf.tidy(() => {
      const { filter, dy } = tensors();
      const [ws, dys] = [filter.dataSync(), dy.dataSync()];
      const expected = new Float64Array(tf.util.sizeFromShape(info.inShape));
      slowly(info, (at, w, y) => (expected[at]! += dys[y]! * ws[w]!));
      const dx = run(tf.DepthwiseConv2dNativeBackpropInput, { dy, filter }, { ...attrs, inputShape: info.inShape });
      expect(dx.shape).toEqual(info.inShape);
      expect(firstWrong(dx.dataSync(), expected)).toBeUndefined();
    });
  });

  test('gradient by the filter, sums of float64', () => {
    tf.tidy(() => {
      const { x, dy } = tensors();
      const [xs, dys] = [x.dataSync(), dy.dataSync()];
      const expected = new Float64Array(tf.util.sizeFromShape(filterShape(entry)));
      slowly(info, (at, w, y) => (expected[w]! += xs[at]! * dys[y]!));
      const shape = filterShape(entry);
      const dw = run(tf.DepthwiseConv2dNativeBackpropFilter, { x, dy }, { ...attrs, filterShape: shape });
      expect(dw.shape).toEqual(shape);
      expect(firstWrong(dw.dataSync(), expected)).toBeUndefined();
    });
  });
});

/** Those that the cpu backend takes: it refuses strides and dilations together. */
const plain = CASES.filter(
  ({ strides = [1, 1], dilations = [1, 1] }) => Math.max(...strides) === 1 || Math.max(...dilations) === 1,
);

test.each(plain)('%o: as the cpu backend does it', async (entry) => {
  const results: Float32Array[] = [];
  for (const name of ['cpu', BACKEND_NAME]) {
    await tf.setBackend(name);
    const y = tf.tidy(() =>
      run(tf.DepthwiseConv2dNative, { x: drawn(entry.x, 1), filter: drawn(filterShape(entry), 2) }, attributes(entry)),
    );
    results.push((await y.data()) as Float32Array);
    y.dispose();
  }
  expect(firstWrong(results[1]!, Float64Array.from(results[0]!))).toBeUndefined();
});

test('bias and activation are fused', () => {
  tf.tidy(() => {
    const x = drawn([2, 7, 9, 12], 1) as tf.Tensor4D;
    const filter = drawn([3, 3, 12, 1], 2) as tf.Tensor4D;
    const bias = drawn([12], 3);
    const together = tf.fused.depthwiseConv2d({ x, filter, strides: 1, pad: 'same', bias, activation: 'relu6' });
    const apart = tf.relu6(tf.add(tf.depthwiseConv2d(x, filter, 1, 'same'), bias));
    expect(firstWrong(together.dataSync(), Float64Array.from(apart.dataSync()))).toBeUndefined();
  });
});

test('no images, no channels and integers are left to the cpu backend', () => {
  tf.tidy(() => {
    const filter = drawn([3, 3, 4, 1], 1) as tf.Tensor4D;
    expect(tf.depthwiseConv2d(tf.zeros<tf.Rank.R4>([0, 5, 5, 4]), filter, 1, 'same').shape).toEqual([0, 5, 5, 4]);
    const ints = tf.ones<tf.Rank.R4>([1, 3, 3, 4], 'int32');
    const y = run(tf.DepthwiseConv2dNative, { x: ints, filter }, attributes({ x: [1, 3, 3, 4], filter: [3, 3] }));
    expect(y.shape).toEqual([1, 3, 3, 4]);
  });
});

test('nothing is left behind', () => {
  const tensors = tf.memory().numTensors;
  for (const entry of CASES.slice(0, 4)) {
    tf.tidy(() => {
      const x = drawn(entry.x, 1) as tf.Tensor4D;
      const filter = drawn(filterShape(entry), 2) as tf.Tensor4D;
      const attrs = attributes(entry);
      const y = run(tf.DepthwiseConv2dNative, { x, filter }, attrs);
      run(tf.DepthwiseConv2dNativeBackpropInput, { dy: y, filter }, { ...attrs, inputShape: entry.x });
      run(tf.DepthwiseConv2dNativeBackpropFilter, { x, dy: y }, { ...attrs, filterShape: filterShape(entry) });
    });
  }
  expect(tf.memory().numTensors).toBe(tensors);
});
