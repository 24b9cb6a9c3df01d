import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { takeRows } from '../src/index.ts';
import { expectClose, expectNoLeak } from '../src/testing.ts';

const x = tf.tensor2d([
  [1, 2],
  [3, 4],
  [5, 6],
]);
const rows = Int32Array.of(2, 0);

test('rows in the order that is asked for', () => {
  expectClose(takeRows(x, rows), [
    [5, 6],
    [1, 2],
  ]);
});

test('a gradient goes back to its row, and the others get 0', () => {
  const dy = tf.tensor2d([
    [10, 20],
    [30, 40],
  ]);
  expectClose(tf.grad((x) => takeRows(x as tf.Tensor2D, rows))(x, dy), [
    [30, 40],
    [0, 0],
    [10, 20],
  ]);
});

test('no tensor is gained', async () => {
  await expectNoLeak(() => {
    takeRows(x, rows).dispose();
    tf.grad((x) => takeRows(x as tf.Tensor2D, rows))(x).dispose();
  });
});
