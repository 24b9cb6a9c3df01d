import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random, useEngine } from '../../src/index.ts';

const NAMES = ['Conv2D', 'FusedConv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter', 'BatchMatMul', '_FusedMatMul'];
const OF_TFJS = 'cpu-of-tfjs';

beforeAll(async () => {
  // What tfjs has, under a name of its own, before the engine puts ours in its place.
  const make = tf.findBackendFactory('cpu');
  tf.registerBackend(OF_TFJS, make);
  for (const kernel of tf.getKernelsForBackend('cpu')) tf.registerKernel({ ...kernel, backendName: OF_TFJS });
  await useEngine('cpu');
});

/** The same on both, from the same numbers. */
async function both(run: () => tf.Tensor): Promise<[ours: tf.Tensor, theirs: tf.Tensor]> {
  await tf.setBackend('cpu');
  const ours = tf.tidy(run);
  await ours.data();
  await tf.setBackend(OF_TFJS);
  const theirs = tf.tidy(run);
  await theirs.data();
  await tf.setBackend('cpu');
  return [ours, theirs];
}

function expectSame([ours, theirs]: [tf.Tensor, tf.Tensor]): void {
  expect(ours.shape).toEqual(theirs.shape);
  const [a, b] = [ours.dataSync(), theirs.dataSync()];
  const largest = Math.max(1, ...b.map(Math.abs));
  expect(a.every((value, i) => Math.abs(value - b[i]!) <= 2e-6 * largest)).toBe(true);
  tf.dispose([ours, theirs]);
}

test('ours are in place, once', async () => {
  const before = NAMES.map((name) => tf.getKernel(name, 'cpu'));
  for (const [i, name] of NAMES.entries())
    expect(before[i]!.kernelFunc).not.toBe(tf.getKernel(name, OF_TFJS).kernelFunc);
  await useEngine('cpu');
  expect(NAMES.map((name) => tf.getKernel(name, 'cpu'))).toEqual(before);
});

describe.each(Array.from({ length: 20 }, (_, k) => k + 1))('seed %i', (seed) => {
  const random = new Random(seed);
  const stride = 1 + random.integer(3);
  const k = 1 + random.integer(4);
  const dilation = stride === 1 ? random.pick([1, 1, 2]) : 1;
  const reach = dilation * (k - 1) + 1;
  const [n, h, w] = [1 + random.integer(2), reach + random.integer(6), reach + random.integer(7)];
  const [inChannels, outChannels] = [1 + random.integer(9), 1 + random.integer(9)];
  const pad = random.pick(['same', 'valid', 1] as const);
  const activation = random.pick(['linear', 'relu', 'relu6', 'elu'] as const);
  const drawn = (shape: number[], at: number) =>
    tf.randomNormal<tf.Rank>(shape, 0, 1, 'float32', seed * 10 + at) as tf.Tensor4D;
  const x = () => drawn([n, h, w, inChannels], 1);
  const filter = () => drawn([k, k, inChannels, outChannels], 2);
  const rounding = pad === 1 ? ('floor' as const) : undefined;

  test(`convolution ${k}, stride ${stride}, pad ${pad}, dilation ${dilation}`, async () => {
    expectSame(await both(() => tf.conv2d(x(), filter(), stride, pad, 'NHWC', dilation, rounding)));
  });

  test(`with bias and ${activation}`, async () => {
    const run = () =>
      tf.fused.conv2d({
        x: x(),
        filter: filter(),
        strides: stride,
        pad,
        dilations: dilation,
        ...(rounding && { dimRoundingMode: rounding }),
        bias: tf.randomNormal<tf.Rank.R1>([outChannels], 0, 1, 'float32', seed),
        activation,
      });
    expectSame(await both(run));
  });

  test.each(['map', 'filter'] as const)('gradient by the %s', async (which) => {
    const run = () => {
      const y = (map: tf.Tensor4D, taps: tf.Tensor4D) => tf.conv2d(map, taps, stride, pad, 'NHWC', 1, rounding);
      const [map, taps] = [x(), filter()];
      const dy = drawn(y(map, taps).shape, 3);
      if (which === 'map') return tf.grad((input) => y(input as tf.Tensor4D, taps))(map, dy);
      return tf.grad((input) => y(map, input as tf.Tensor4D))(taps, dy);
    };
    expectSame(await both(run));
  });

  test('a product of matrices, either turned, with bias and activation', async () => {
    const [batch, rows, sums, columns] = [1 + random.integer(3), 1 + random.integer(6), 1 + random.integer(9), 1 + random.integer(6)]; // biome-ignore format: one line
    for (const [turnA, turnB] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      // biome-ignore format: one line
      const a = () => drawn(turnA ? [batch, sums, rows] : [batch, rows, sums], 4);
      const b = () => drawn(turnB ? [batch, columns, sums] : [batch, sums, columns], 5);
      expectSame(await both(() => tf.matMul(a(), b(), turnA, turnB)));
      const bias = () => tf.randomNormal<tf.Rank.R1>([columns], 0, 1, 'float32', seed);
      const run = () =>
        tf.fused.matMul({ a: a(), b: b(), transposeA: turnA, transposeB: turnB, bias: bias(), activation });
      expectSame(await both(run));
    }
  });
});

test('one matrix for several, and what is not a number', async () => {
  const wide = () => tf.matMul(tf.ones([3, 2, 4]), tf.fill([1, 4, 5], 0.5));
  expectSame(await both(wide));
  const x = tf.tensor4d([NaN, 1, -1, Infinity], [1, 1, 1, 4]);
  const y = tf.fused.conv2d({ x, filter: tf.reshape(tf.eye(4), [1, 1, 4, 4]), strides: 1, pad: 'valid', activation: 'relu' }); // biome-ignore format: one line
  expect([...y.dataSync()]).toEqual([NaN, NaN, NaN, NaN]);
});

test('an empty batch', () => {
  const y = tf.conv2d(tf.zeros<tf.Rank.R4>([0, 4, 4, 2]), tf.ones<tf.Rank.R4>([3, 3, 2, 3]), 1, 'same');
  expect(y.shape).toEqual([0, 4, 4, 3]);
});
