import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import { Random, resizeBilinear } from '../src/index.ts';
import { expectClose, expectGradients, expectNoLeak } from '../src/testing.ts';

const row = (values: number[]): tf.Tensor4D => tf.tensor4d(values, [1, 1, values.length, 1]);
const resized = (values: number[], width: number, alignCorners = false): ArrayLike<number> =>
  resizeBilinear(row(values), [1, width], { alignCorners }).dataSync();

describe('one axis, by hand', () => {
  test('twice the size: a quarter of the next cell, clamped at the ends', () => {
    expectClose(resized([0, 4, 8], 6), [0, 1, 3, 5, 7, 8]);
  });

  test('half the size: the mean of two cells', () => {
    expectClose(resized([1, 3, 5, 7], 2), [2, 6]);
  });

  test('a size that is no multiple: positions (i + 0.5) * 3 / 5 - 0.5', () => {
    expectClose(resized([0, 10, 20], 5), [0, 4, 10, 16, 20]);
  });

  test('aligned corners: the ends stay, steps of (old - 1) / (new - 1); one cell is the first', () => {
    expectClose(resized([0, 10, 20], 5, true), [0, 5, 10, 15, 20]);
    expectClose(resized([7, 10, 20], 1, true), [7]);
  });

  test('the size that it has: the same map', () => {
    expectClose(resized([3, 1, 2], 3), [3, 1, 2], { absolute: 0, relative: 0 });
  });
});

test('rows and columns of several images and channels, as tfjs has it', () => {
  const random = new Random(4);
  const x = tf.tensor4d(
    Float32Array.from({ length: 2 * 5 * 7 * 3 }, () => random.normal()),
    [2, 5, 7, 3],
  );
  for (const size of [
    [9, 13],
    [10, 14],
    [3, 4],
  ] as const) {
    // biome-ignore format: sizes
    expectClose(resizeBilinear(x, size), tf.image.resizeBilinear(x, [...size], false, true));
    expectClose(resizeBilinear(x, size, { alignCorners: true }), tf.image.resizeBilinear(x, [...size], true));
  }
  expect(resizeBilinear(tf.zeros([0, 5, 7, 3]), [9, 13]).shape).toEqual([0, 9, 13, 3]);
});

/** The same in doubles, cell by cell. */
function reference([n, h, w, c]: number[], [height, width]: readonly [number, number], alignCorners: boolean) {
  const place = (i: number, from: number, to: number): [number, number, number] => {
    const aligned = to > 1 ? (i * (from - 1)) / (to - 1) : 0;
    const at = alignCorners ? aligned : Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(at + 1e-9), from - 1);
    return [low, Math.min(low + 1, from - 1), at - low];
  };
  return (x: Float64Array): number[] => {
    const out: number[] = [];
    for (let image = 0; image < n!; image++)
      for (let y = 0; y < height; y++)
        for (let q = 0; q < width; q++)
          for (let k = 0; k < c!; k++) {
            const [top, bottom, down] = place(y, h!, height);
            const [left, right, across] = place(q, w!, width);
            const at = (row: number, column: number): number => x[((image * h! + row) * w! + column) * c! + k]!;
            const upper = at(top, left) * (1 - across) + at(top, right) * across;
            out.push(upper * (1 - down) + (at(bottom, left) * (1 - across) + at(bottom, right) * across) * down);
          }
    return out;
  };
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))('gradients, seed %i', (seed) => {
  const random = new Random(seed);
  const shape = [1 + random.integer(2), 1 + random.integer(4), 1 + random.integer(5), 1 + random.integer(2)];
  const size = [1 + random.integer(8), 1 + random.integer(8)] as const;
  const alignCorners = seed % 3 === 0;
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal());
  expectGradients(
    (x) => resizeBilinear(x as tf.Tensor4D, size, { alignCorners }),
    reference(shape, size, alignCorners),
    [{ shape, values }],
  );
});

test('no tensor is gained', async () => {
  const x = tf.ones<tf.Rank.R4>([1, 3, 4, 2]);
  await expectNoLeak(() => {
    resizeBilinear(x, [5, 5]).dispose();
    tf.grad((map) => resizeBilinear(map as tf.Tensor4D, [5, 5]))(x).dispose();
  });
});
