import '@tensorflow/tfjs-backend-cpu';
import { isRcnnError, Random } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { bceWithLogits, oneHot, sigmoidFocal, smoothL1, softmaxCrossEntropy } from '../src/index.ts';

test('smooth L1 at the worked points', () => {
  expectClose(smoothL1(tf.tensor1d([0, 0.05, -0.2, 2])), [0, 0.01125, 0.144444, 1.944444], { absolute: 1e-6 });
});

test('smooth L1 and L1 have the reference gradients at 0, at beta and beyond', () => {
  const x = tf.tensor1d([0, 0.05, -0.05, 0.5, -0.5, 3, -3]);
  const gradient = (beta: number): tf.Tensor => tf.grad((d) => tf.sum(smoothL1(d, beta)))(x);
  expectClose(gradient(0.5), [0, 0.1, -0.1, 1, -1, 1, -1]);
  expectClose(gradient(0), [0, 1, -1, 1, -1, 1, -1]);
});

test('binary cross-entropy by its formula, soft targets included', () => {
  const [x, z] = [
    [-3, -0.5, 0, 0.5, 4],
    [0, 1, 0.5, 0.25, 1],
  ] as const;
  const expected = x.map((logit, i) => -z[i]! * Math.log(sigmoid(logit)) - (1 - z[i]!) * Math.log(1 - sigmoid(logit)));
  expectClose(bceWithLogits(tf.tensor1d([...x]), tf.tensor1d([...z])), expected, { absolute: 1e-6, relative: 1e-6 });
});

test('binary cross-entropy of enormous logits is finite and exact', () => {
  const x = tf.tensor1d([1000, -1000, 1000, -1000]);
  const z = tf.tensor1d([1, 0, 0, 1]);
  expectClose(bceWithLogits(x, z), [0, 0, 1000, 1000]);
  expectClose(tf.grad((logits) => tf.sum(bceWithLogits(logits, z)))(x), [0, 0, 1, -1]);
});

test('focal loss at the worked points; enormous logits are finite and exact', () => {
  const loss = (logits: number[], targets: number[]): tf.Tensor =>
    sigmoidFocal(tf.tensor1d(logits), tf.tensor1d(targets));
  expectClose(loss([0, 0], [1, 0]), [0.0433217, 0.1299651], { absolute: 1e-7 });
  expectClose(loss([1000, -1000, 1000, -1000], [1, 0, 0, 1]), [0, 0, 750, 250]);
  const slope = tf.grad((x) => tf.sum(sigmoidFocal(x, tf.tensor1d([1, 0, 0, 1]))));
  expectClose(slope(tf.tensor1d([1000, -1000, 1000, -1000])), [0, 0, 0.75, -0.25]);
});

test('cross-entropy of equal logits is ln K; of enormous ones it is exact', () => {
  expectClose(softmaxCrossEntropy(tf.zeros([2, 5]), Int32Array.of(0, 4)), [Math.log(5), Math.log(5)]);
  const logits = tf.tensor2d([
    [1000, 0, -1000],
    [1000, 0, -1000],
  ]);
  expectClose(softmaxCrossEntropy(logits, Int32Array.of(0, 2)), [0, 2000]);
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))('gradients against float64 differences, seed %i', (seed) => {
  const random = new Random(seed);
  const rows = 1 + random.integer(4);
  const classes = 2 + random.integer(5);
  const values = Float32Array.from({ length: rows * classes }, () => random.normal(0, 3));
  const weights = Float32Array.from({ length: rows * classes }, () => random.normal());
  const targets = Float32Array.from({ length: rows * classes }, () => random.uniform());
  const labels = Int32Array.from({ length: rows }, () => random.integer(classes));
  const x = tf.tensor2d(values, [rows, classes]);
  const w = tf.tensor2d(weights, [rows, classes]);
  const z = tf.tensor2d(targets, [rows, classes]);
  const hard = tf.round(z) as tf.Tensor2D;
  const perRow = weights.subarray(0, rows);

  const cases: [(x: tf.Tensor2D) => tf.Tensor, (x: number[]) => number][] = [
    [
      (x) => tf.sum(tf.mul(smoothL1(x), w)),
      (x) =>
        total(
          x.map((d) => smooth(d, 1 / 9)),
          weights,
        ),
    ],
    [
      (x) => tf.sum(tf.mul(bceWithLogits(x, z), w)),
      (x) =>
        total(
          x.map((l, i) => bce(l, targets[i]!)),
          weights,
        ),
    ],
    [
      (x) => tf.sum(tf.mul(sigmoidFocal(x, hard, { alpha: 0.3, gamma: 1.5 }), w)),
      (x) =>
        total(
          x.map((l, i) => focal(l, Math.round(targets[i]!), 0.3, 1.5)),
          weights,
        ),
    ],
    [
      (x) => tf.sum(tf.mul(softmaxCrossEntropy(x, labels), tf.tensor1d(perRow))),
      (x) => total(crossEntropies(x, classes, labels), perRow),
    ],
  ];
  for (const [ours, reference] of cases) {
    expectClose(ours(x), [reference([...values])], { absolute: 1e-5, relative: 1e-5 });
    const gradient = tf.grad(ours as (x: tf.Tensor) => tf.Tensor)(x);
    expectClose(gradient, differences(reference, [...values]), { absolute: 1e-5, relative: 1e-5 });
  }
});

test('nothing in, nothing out', () => {
  expect(smoothL1(tf.zeros([0, 4])).shape).toEqual([0, 4]);
  expect(bceWithLogits(tf.zeros([0]), tf.zeros([0])).shape).toEqual([0]);
  expect(sigmoidFocal(tf.zeros([0, 2]), tf.zeros([0, 2])).shape).toEqual([0, 2]);
  expect(softmaxCrossEntropy(tf.zeros([0, 3]), new Int32Array()).shape).toEqual([0]);
});

test('no tensor is gained, with or without gradients', async () => {
  const x = tf.tensor2d([[1, -2, 3]]);
  await expectNoLeak(() => {
    smoothL1(x).dispose();
    bceWithLogits(x, x).dispose();
    sigmoidFocal(x, x).dispose();
    softmaxCrossEntropy(x, Int32Array.of(1)).dispose();
    const focalOf = (d: tf.Tensor): tf.Tensor => sigmoidFocal(d, x);
    for (const loss of [smoothL1, focalOf, (d: tf.Tensor) => bceWithLogits(d, x)])
      tf.grad((d) => tf.sum(loss(d)))(x).dispose();
    tf.grad((d) => tf.sum(softmaxCrossEntropy(d as tf.Tensor2D, Int32Array.of(1))))(x).dispose();
  });
});

test('labels outside the classes are refused, by place', () => {
  const call = (labels: number[]): unknown => softmaxCrossEntropy(tf.zeros([2, 3]), Int32Array.from(labels));
  expect(code(() => call([0, 3]))).toBe('LABEL_OUT_OF_RANGE label 1');
  expect(code(() => call([-1, 0]))).toBe('LABEL_OUT_OF_RANGE label 0');
  expect(code(() => call([0]))).toBe('SHAPE_MISMATCH undefined');
});

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const smooth = (d: number, beta: number): number =>
  Math.abs(d) < beta ? (d * d) / (2 * beta) : Math.abs(d) - beta / 2;
const bce = (x: number, z: number): number => Math.max(x, 0) - x * z + Math.log1p(Math.exp(-Math.abs(x)));

const focal = (x: number, z: number, alpha: number, gamma: number): number => {
  const miss = sigmoid(z === 1 ? -x : x);
  return (z === 1 ? alpha : 1 - alpha) * miss ** gamma * bce(x, z);
};

function total(values: number[], weights: ArrayLike<number>): number {
  return values.reduce((sum, value, i) => sum + value * weights[i]!, 0);
}

function crossEntropies(x: number[], classes: number, labels: Int32Array): number[] {
  return Array.from(labels, (label, i) => {
    const row = x.slice(i * classes, (i + 1) * classes);
    return Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[label]!;
  });
}

function differences(f: (x: number[]) => number, x: number[], step = 1e-6): number[] {
  return x.map((_, i) => {
    const at = (delta: number): number => f(x.map((value, j) => (j === i ? value + delta : value)));
    return (at(step) - at(-step)) / (2 * step);
  });
}

function code(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return isRcnnError(error) ? `${error.code} ${error.place}` : String(error);
  }
}

test('ones where the labels are, of one class too', () => {
  const values = (labels: readonly number[], classes: number) =>
    tf.tidy(() => Array.from(oneHot(Int32Array.from(labels), classes).dataSync()));
  expect(values([2, 0], 3)).toEqual([0, 0, 1, 1, 0, 0]);
  expect(values([0, 0], 1)).toEqual([1, 1]);
  expect(values([], 4)).toEqual([]);
});
