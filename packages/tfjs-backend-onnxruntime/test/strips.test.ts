import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, test } from 'vitest';
import { BACKEND_NAME } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

/** A map and its result of 10 MiB together are convolved strip by strip; their parts, small enough to be convolved whole, are not. */
test.each([
  { size: 3, stride: 1, pad: 1, dilation: 1 },
  { size: 3, stride: 2, pad: 1, dilation: 1 },
  { size: 5, stride: 1, pad: 4, dilation: 2 },
  { size: 2, stride: 1, pad: 0, dilation: 1 },
])('%o: large maps have the bits of their columns', ({ size, stride, pad, dilation }) => {
  tf.tidy(() => {
    const x = tf.randomUniform<tf.Rank.R4>([2, 97, 320, 32], -1, 1, 'float32', 1);
    const filter = tf.randomUniform<tf.Rank.R4>([size, size, 32, 48], -1, 1, 'float32', 2);
    const whole = tf.conv2d(x, filter, stride, pad, 'NHWC', dilation);
    const reach = (size - 1) * dilation + 1;
    // Forty columns of each image at a time, with what their windows see and no padding across.
    const padded = tf.pad(x, [[0, 0], [0, 0], [pad, pad], [0, 0]]); // biome-ignore format: one line
    for (let column = 0; column + 40 <= whole.shape[2]; column += 40) {
      const seen = tf.slice(padded, [1, 0, column * stride, 0], [1, -1, 39 * stride + reach, -1]);
      const part = tf.conv2d(seen, filter, stride, [[0, 0], [pad, pad], [0, 0], [0, 0]], 'NHWC', dilation); // biome-ignore format: one line
      expectSameBits(tf.slice(whole, [1, 0, column, 0], [1, -1, 40, -1]).dataSync(), part.dataSync());
    }
  });
});
