import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { BACKEND_NAME, configure, OrtBackend, probe } from '../src/index.ts';

const backend = (): OrtBackend => tf.backend() as OrtBackend;

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

test('the native side works here', () => {
  expect(probe()).toEqual({ works: true });
  expect(backend()).toBeInstanceOf(OrtBackend);
});

test('what is read stays, though the memory below it is used again', () => {
  const size = 100_000;
  const first = tf.fill([size], 1);
  const sum = tf.add(first, first);
  const read = sum.dataSync();
  tf.dispose([first, sum]);
  const second = tf.fill([size], 5);
  const product = tf.mul(second, second);
  expect(read.every((value) => value === 2)).toBe(true);
  tf.dispose([second, product]);
});

test('a sigmoid is a probability: never above 1, and the logarithm of what is left a number', () => {
  const count = 400_000;
  const logits = Float32Array.from({ length: count }, (_, i) => 16 + (4 * i) / count); // where the library's own is above 1
  logits[0] = Number.NaN;
  const [least, most, asFused] = tf.tidy(() => {
    const x = tf.tensor1d(logits.subarray(1));
    const one = tf.sigmoid(x);
    const product = tf.fused.matMul({ a: tf.reshape(x, [-1, 1]), b: tf.ones([1, 1]), activation: 'sigmoid' });
    return [tf.min(tf.log1p(tf.neg(one))), tf.max(one), tf.max(product)].map((value) => value.dataSync()[0]!);
  }) as unknown as [number, number, number];
  expect(least).not.toBeNaN();
  expect(Math.max(most, asFused)).toBeLessThanOrEqual(1);
  const kept = tf.tidy(() => tf.sigmoid(tf.tensor1d(logits)).dataSync());
  expect(kept[0]).toBeNaN();
});

test('what is handed in is copied', () => {
  const mine = new Float32Array(10_000).fill(1);
  const tensor = tf.tensor1d(mine);
  mine.fill(2);
  expect(tensor.dataSync()[0]).toBe(1);
  tensor.dispose();
});

test('memory of a disposed tensor serves the next one, once nobody holds it', () => {
  const lent = backend().pool.lentBytes;
  const x = tf.tidy(() => tf.mul(tf.ones([1000, 100]), 2));
  const view = tf.reshape(x, [100, 1000]);
  const size = backend().pool.lentBytes - lent;
  expect(size).toBeGreaterThanOrEqual(400_000);
  x.dispose();
  expect(backend().pool.lentBytes).toBe(lent + size); // the view still has it
  view.dispose();
  expect(backend().pool.lentBytes).toBe(lent);
});

test('threads can change while it runs', () => {
  const x = tf.ones([64, 64]);
  configure({ threads: 1 });
  const one = tf.matMul(x, x);
  configure({ threads: 2 });
  const two = tf.matMul(x, x);
  expect(one.dataSync()[5]).toBe(64);
  expect(two.dataSync()[5]).toBe(64);
  expect(() => configure({ threads: 0 })).toThrow(/expected a whole number/);
  expect(() => configure({ poolBytes: 1 })).toThrow(/before tf.setBackend/);
  tf.dispose([x, one, two]);
});

test('NaN survives what PyTorch lets it survive', () => {
  for (const channels of [4, 1024]) {
    const values = new Float32Array(4 * 4 * channels).fill(1);
    values[5 * channels] = Number.NaN;
    const x = tf.tensor4d(values, [1, 4, 4, channels]);
    for (const op of [
      (t: tf.Tensor4D) => tf.maxPool(t, 3, 1, 'same'),
      (t: tf.Tensor4D) => tf.clipByValue(t, 0, 2),
      (t: tf.Tensor4D) => tf.relu(t),
      (t: tf.Tensor4D) => tf.relu6(t),
      (t: tf.Tensor4D) => tf.max(t, [1, 2]),
      (t: tf.Tensor4D) => tf.maximum(t, 0),
    ]) {
      const y = tf.tidy(() => op(x));
      expect(y.dataSync().some(Number.isNaN), `${op} of ${channels} channels`).toBe(true);
      y.dispose();
    }
    x.dispose();
  }
});

test('fused kernels know every activation of tfjs', () => {
  const x = tf.randomUniform<tf.Rank.R4>([2, 9, 7, 16], -3, 3, 'float32', 1);
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 16, 20], -1, 1, 'float32', 2);
  const alpha = tf.randomUniform<tf.Rank.R1>([20], 0, 1, 'float32', 3);
  const tensors = tf.memory().numTensors;
  const buffers = backend().numDataIds();
  const plain: Record<string, (y: tf.Tensor) => tf.Tensor> = {
    linear: (y) => y,
    relu: (y) => tf.relu(y),
    relu6: (y) => tf.relu6(y),
    elu: (y) => tf.elu(y),
    sigmoid: (y) => tf.sigmoid(y),
    prelu: (y) => tf.prelu(y, alpha),
    leakyrelu: (y) => tf.leakyRelu(y, 0.3),
  };
  for (const [activation, apply] of Object.entries(plain)) {
    const difference = tf.tidy(() => {
      const fused = tf.fused.conv2d({
        x,
        filter,
        strides: 1,
        pad: 'same',
        bias: alpha,
        activation: activation as 'relu',
        ...(activation === 'prelu' && { preluActivationWeights: alpha }),
        leakyreluAlpha: 0.3,
      });
      return tf.max(tf.abs(tf.sub(fused, apply(tf.add(tf.conv2d(x, filter, 1, 'same'), alpha))))).dataSync()[0]!;
    });
    expect(difference, `with ${activation}`).toBeLessThan(1e-5);
  }
  expect(tf.memory().numTensors).toBe(tensors);
  expect(backend().numDataIds()).toBe(buffers);
  tf.dispose([x, filter, alpha]);
});
