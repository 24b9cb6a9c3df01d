import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { BACKEND_NAME } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

/** Wide maps are pooled row by row natively; padded ones are not, so the two check each other. */
test.each([
  [3, 2],
  [2, 2],
  [5, 3],
  [1, 2],
])('wide maps, %ix%i windows: rows as pixels, NaN kept', (size, stride) => {
  tf.tidy(() => {
    const values = tf.randomUniform([2, 9, 67, 64], -1, 1, 'float32', 1).dataSync().slice();
    values[67 * 64 * 4 + 5 * 64 + 7] = Number.NaN;
    const x = tf.tensor4d(values as Float32Array, [2, 9, 67, 64]);
    const wide = tf.maxPool(x, size, stride, 'valid');
    const narrow = tf.concat(
      tf.split(x, 16, 3).map((part) => tf.maxPool(part as tf.Tensor4D, size, stride, 'valid')),
      3,
    );
    expect(wide.dataSync()).toEqual(narrow.dataSync());
    expect([...wide.dataSync()].some(Number.isNaN)).toBe(size * size >= stride * stride);
  });
});
