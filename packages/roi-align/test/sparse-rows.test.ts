import '@tensorflow/tfjs-backend-cpu';
import { Random } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { multiplySparse, type SparseRows, transposeSparse } from '../src/sparse-rows.ts';

/** Rows of 0, 1, 16, 17 and up to 600 entries: one, two and three rounds of groups. */
function draw(lengths: readonly number[], columns: number, random: Random): SparseRows {
  const starts = Int32Array.from({ length: lengths.length + 1 }, (_, i) =>
    lengths.slice(0, i).reduce((sum, length) => sum + length, 0),
  );
  const size = starts.at(-1)!;
  return {
    rows: lengths.length,
    columns,
    starts,
    indices: Int32Array.from({ length: size }, () => random.integer(columns)),
    weights: Float32Array.from({ length: size }, () => random.normal()),
  };
}

function dense({ rows, columns, starts, indices, weights }: SparseRows): tf.Tensor2D {
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let i = starts[row]!; i < starts[row + 1]!; i++) values[row * columns + indices[i]!]! += weights[i]!;
  }
  return tf.tensor2d(values, [rows, columns]);
}

test.each([
  ['short rows', [1, 3, 16, 2]],
  ['empty rows among others', [0, 5, 0, 0, 17, 1, 0]],
  ['long rows', [600, 1, 0, 33]],
  ['nothing at all', [0, 0, 0]],
  ['no rows', []],
])('%s', (_, lengths) => {
  const random = new Random(4);
  const matrix = draw(lengths, 9, random);
  const x = tf.tensor2d(
    Float32Array.from({ length: 9 * 5 }, () => random.normal()),
    [9, 5],
  );
  const tolerance = { absolute: 1e-4, relative: 1e-5 };
  const product = multiplySparse(matrix, x);
  expect(product.shape).toEqual([lengths.length, 5]);
  if (lengths.length === 0) return;
  expectClose(product.dataSync(), tf.matMul(dense(matrix), x).dataSync(), tolerance);
  expectClose(dense(transposeSparse(matrix)).dataSync(), tf.transpose(dense(matrix)).dataSync());
});

test('a NaN reaches only the rows that read it', () => {
  const x = tf.tensor2d([[Number.NaN], [1]]);
  const matrix = {
    rows: 2,
    columns: 2,
    starts: Int32Array.of(0, 1, 4),
    indices: Int32Array.of(0, 1, 1, 1),
    weights: Float32Array.of(1, 1, 1, 1),
  };
  expectClose(multiplySparse(matrix, x).dataSync(), [Number.NaN, 3]);
});
