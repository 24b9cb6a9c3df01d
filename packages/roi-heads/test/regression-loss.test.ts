import '@tensorflow/tfjs-backend-cpu';
import { BoxCoder } from '@rcnn/boxes';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { boxRegressionLoss } from '../src/index.ts';

const coder = new BoxCoder({ weights: [10, 10, 5, 5] });
const target = { boxes: Float32Array.of(2, 2, 20, 20), labels: Int32Array.of(1) };
// Two images: a positive of class 1 that is right already and a background, then another background.
const sampled = [
  {
    boxes: Float32Array.of(30, 0, 40, 8, 2, 2, 20, 20),
    labels: Int32Array.of(0, 1),
    matchedIndices: Int32Array.of(-1, 0),
  },
  { boxes: Float32Array.of(0, 0, 5, 5), labels: Int32Array.of(0), matchedIndices: Int32Array.of(-1) },
];
const targets = [target, { boxes: new Float32Array(), labels: new Int32Array() }];
const off = [2, 0, 0, -0.05]; // dx by 2, dh by -0.05; the rest is right
const nines = [9, 9, 9, 9];

test('of K boxes per region that of the true class counts', () => {
  const deltas = tf.tensor2d([...nines, ...nines, ...nines, ...off, ...nines, ...nines], [3, 8]);
  const loss = boxRegressionLoss(deltas, sampled, targets, { coder });
  expectClose(loss, (2 - 1 / 18 + 0.05 ** 2 * 4.5) / 3); // beta 1/9, over 3 regions
});

test('one box for all classes', () => {
  const deltas = tf.tensor2d([...nines, ...off, ...nines], [3, 4]);
  expectClose(boxRegressionLoss(deltas, sampled, targets, { coder, beta: 0 }), 2.05 / 3); // plain L1
});

test('gradients go to the deltas of the positives alone', () => {
  const deltas = tf.tensor2d([...nines, ...off, ...nines], [3, 4]);
  const gradient = tf.grad((x) => boxRegressionLoss(x as tf.Tensor2D, sampled, targets, { coder, beta: 0 }));
  expectClose(gradient(deltas), [[0, 0, 0, 0], [1 / 3, 0, 0, -1 / 3], [0, 0, 0, 0]]); // biome-ignore format: one line
});

test('no positives: zero, with zeros as gradients, and nothing is kept', async () => {
  const none = (x: tf.Tensor): tf.Scalar =>
    boxRegressionLoss(x as tf.Tensor2D, sampled.slice(1), targets.slice(1), { coder });
  expectClose(tf.grad(none)(tf.ones([1, 4])), [[0, 0, 0, 0]]);
  const deltas = tf.zeros<tf.Rank.R2>([1, 4]);
  expect(boxRegressionLoss(deltas, sampled.slice(1), targets.slice(1), { coder }).dataSync()[0]).toBe(0);
  await expectNoLeak(() => boxRegressionLoss(deltas, sampled.slice(1), targets.slice(1), { coder }).dispose());
});
