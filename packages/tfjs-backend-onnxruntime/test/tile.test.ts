import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { BACKEND_NAME } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

/** Large enough for a call. The last one has numbers beside each other that are not copies: it is left to tfjs. */
test.each([
  ['rows', [1, 300, 7], [5, 1, 1]],
  ['columns', [300, 7, 1], [1, 1, 5]],
  ['both', [1, 2000, 1], [3, 1, 2]],
  ['one number', [1, 1, 1], [20, 30, 40]],
  ['whole maps', [4, 30, 7], [1, 5, 1]],
] as const)('copies %s', (_, shape, reps) => {
  tf.tidy(() => {
    const size = shape[0] * shape[1] * shape[2];
    const values = Float32Array.from({ length: size }, (__, i) => i + 0.5);
    const x = tf.tensor3d(values, [...shape]);
    const [y, ofIntegers, ofBooleans] = [x, tf.cast(x, 'int32'), tf.greater(x, size / 2)].map((z) =>
      tf.tile(z, [...reps]),
    );
    const out = shape.map((extent, axis) => extent * reps[axis]!) as [number, number, number];
    const expected = Float32Array.from({ length: out[0] * out[1] * out[2] }, (__, at) => {
      const [i, j, k] = [Math.floor(at / (out[1] * out[2])), Math.floor(at / out[2]) % out[1], at % out[2]];
      return values[((i % shape[0]) * shape[1] + (j % shape[1])) * shape[2] + (k % shape[2])]!;
    });
    expect(y!.shape).toEqual(out);
    expect(y!.dataSync()).toEqual(expected);
    expect(ofIntegers!.dataSync()).toEqual(Int32Array.from(expected));
    expect(ofBooleans!.dataSync()).toEqual(Uint8Array.from(expected, (value) => Number(value > size / 2)));
  });
});
