import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { BACKEND_NAME } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

/** The largest difference of two tensors of one shape. */
const distance = (a: tf.Tensor, b: tf.Tensor): number => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;

/** Channels that fill a block take another path; zeros in the further ones must change nothing. */
test.each([
  { channels: 3, size: 7, stride: 2, pad: 3, dilation: 1 },
  { channels: 1, size: 3, stride: 1, pad: 1, dilation: 1 },
  { channels: 4, size: 3, stride: 1, pad: 2, dilation: 2 },
  { channels: 7, size: 1, stride: 1, pad: 1, dilation: 1 },
  { channels: 6, size: 5, stride: 3, pad: 0, dilation: 1 },
])('%o: as with channels of zeros', ({ channels, size, stride, pad, dilation }) => {
  tf.tidy(() => {
    const x = tf.randomUniform<tf.Rank.R4>([2, 23, 37, channels], -1, 1, 'float32', 1);
    const filter = tf.randomUniform<tf.Rank.R4>([size, size, channels, 20], -1, 1, 'float32', 2);
    const more = 32 - channels;
    const wideX = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, more]]); // biome-ignore format: one line
    const wideFilter = tf.pad(filter, [[0, 0], [0, 0], [0, more], [0, 0]]); // biome-ignore format: one line
    const few = tf.conv2d(x, filter, stride, pad, 'NHWC', dilation);
    const wide = tf.conv2d(wideX, wideFilter, stride, pad, 'NHWC', dilation);
    expect(distance(few, wide)).toBeLessThan(1e-5);
    expect(distance(few, tf.zerosLike(few))).toBeGreaterThan(1);
  });
});

/** The gradient by the input takes the same path from few output channels, with the filter's roles swapped. */
test('gradient by the input from three channels', () => {
  const inputShape = [2, 13, 17, 24];
  const gradient = (dy: tf.Tensor, filter: tf.Tensor): tf.Tensor => {
    const attrs = { inputShape, strides: 1, pad: 1, dataFormat: 'NHWC', dimRoundingMode: undefined };
    return tf.engine().runKernel(tf.Conv2DBackpropInput, { dy, filter }, attrs as never) as tf.Tensor;
  };
  tf.tidy(() => {
    const dy = tf.randomUniform<tf.Rank.R4>([2, 13, 17, 3], -1, 1, 'float32', 3);
    const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 24, 3], -1, 1, 'float32', 4);
    const wide = <T extends tf.Tensor>(x: T): T => tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 29]]); // biome-ignore format: one line
    expect(distance(gradient(dy, filter), gradient(wide(dy), wide(filter)))).toBeLessThan(1e-5);
  });
});

test.each([
  { channels: 3, size: 7, stride: 2, pad: 3 },
  { channels: 1, size: 3, stride: 1, pad: 1 },
  { channels: 5, size: 3, stride: 3, pad: 0 },
])('gradient by the filter, %o: as with channels of zeros', ({ channels, size, stride, pad }) => {
  tf.tidy(() => {
    const x = tf.randomUniform<tf.Rank.R4>([2, 23, 37, channels], -1, 1, 'float32', 5);
    const wideX = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 32 - channels]]); // biome-ignore format: one line
    const attrs = { strides: stride, pad, dataFormat: 'NHWC', dimRoundingMode: undefined };
    const gradient = (of: tf.Tensor4D): tf.Tensor => {
      const filterShape: [number, number, number, number] = [size, size, of.shape[3], 20];
      const y = tf.conv2d(of, tf.zeros<tf.Rank.R4>(filterShape), stride, pad);
      const dy = tf.randomUniform(y.shape, -1, 1, 'float32', 6);
      const inputs = { x: of, dy };
      return tf.engine().runKernel(tf.Conv2DBackpropFilter, inputs, { ...attrs, filterShape } as never) as tf.Tensor;
    };
    const wide = tf.slice(gradient(wideX), [0, 0, 0, 0], [-1, -1, channels, -1]);
    expect(distance(gradient(x), wide)).toBeLessThan(1e-4);
    expect(distance(wide, tf.zerosLike(wide))).toBeGreaterThan(1);
  });
});
