import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random, useEngine } from '../src/index.ts';
import { expectNoLeak } from '../src/testing.ts';

const seeds = Array.from({ length: 20 }, (_, seed) => seed);

/** Whatever of `axes` is summed, in any order and counted from either end. */
function drawn(seed: number): { shape: number[]; axis: number[] | number | undefined; keepDims: boolean } {
  const random = new Random(seed);
  const shape = Array.from({ length: 1 + random.integer(4) }, () => 1 + random.integer(4));
  const axes = shape.map((_, i) => i).filter(() => random.integer(2) === 0);
  const signed = axes.map((axis) => (random.integer(2) === 0 ? axis : axis - shape.length)).reverse();
  return {
    shape,
    axis: signed.length === 0 ? undefined : signed.length === 1 ? signed[0] : signed,
    keepDims: seed % 2 === 0,
  };
}

const OPS = [
  ['sum', 'cpu', tf.sum],
  ['mean', 'cpu', tf.mean],
  ['sum', 'onnxruntime', tf.sum],
  ['mean', 'onnxruntime', tf.mean],
] as const;

describe.each(OPS)('the gradient of a %s on %s', (name, engine, op) => {
  beforeAll(() => useEngine(engine));

  test.each(seeds)('is what each sum got, shared by those that went in, seed %i', (seed) => {
    const { shape, axis, keepDims } = drawn(seed);
    tf.tidy(() => {
      const x = tf.randomNormal(shape, 0, 1, 'float32', seed);
      const y = op(x, axis, keepDims);
      const dy = tf.randomNormal(y.shape, 0, 1, 'float32', seed + 100);
      const gradient = tf.grad((input) => op(input, axis, keepDims))(x, dy);
      const kept = op(x, axis, true).shape;
      // tfjs's own way: times a tensor of ones, then over the count.
      const ones = tf.mul(tf.reshape(dy, kept), tf.ones(shape));
      const expected = name === 'sum' ? ones : tf.div(ones, x.size / y.size);
      expect(gradient.shape).toEqual(shape);
      expect([...gradient.dataSync()]).toEqual([...expected.dataSync()]);
    });
  });

  test('is the same for large maps', () => {
    const dy = tf.range(0, 3000, 1, 'float32');
    const gradient = tf.grad((x) => op(x, 1))(tf.zeros([3000, 2]), dy);
    const share = name === 'sum' ? 1 : 0.5;
    expect([...gradient.dataSync()]).toEqual([...dy.dataSync()].flatMap((value) => [share * value, share * value]));
  });

  test('of nothing is nothing', () => {
    const gradient = tf.grad((input) => op(input, 1))(tf.zeros([2, 0, 3]), tf.ones([2, 3]));
    expect(gradient.shape).toEqual([2, 0, 3]);
  });

  test('has a gradient itself', () => {
    const twice = tf.grad((x) => tf.sum(tf.grad((z) => op(tf.square(z)))(x)));
    const expected = name === 'sum' ? [2, 2, 2] : [2 / 3, 2 / 3, 2 / 3];
    expect([...twice(tf.tensor1d([1, -2, 3])).dataSync()]).toEqual([...Float32Array.from(expected)]);
  });

  test('leaves no tensor behind', async () => {
    const x = tf.ones([3, 4]);
    await expectNoLeak(() =>
      tf
        .grad((input) => op(input, 0))(x)
        .dispose(),
    );
  });
});
