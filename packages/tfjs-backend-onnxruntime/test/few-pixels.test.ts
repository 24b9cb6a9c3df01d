import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { BACKEND_NAME, configure, OrtBackend } from '../src/index.ts';
import { describe as describeConvolution } from '../src/kernels/convolution/conv-info.ts';
import { hasFewPixels } from '../src/kernels/convolution/few-pixels.ts';
import { distance, expectSamePasses, recorded, registerOther, type Shape } from './passes.ts';

const OTHER = 'onnxruntime-direct';

beforeAll(async () => {
  configure({ convolutions: 'auto' });
  registerOther(OTHER, 'direct');
  await tf.setBackend(BACKEND_NAME);
});

const SHAPES: readonly Shape[] = [
  { n: 1, h: 1, w: 1, inChannels: 32, outChannels: 48, pad: 'same' },
  { n: 4, h: 4, w: 4, inChannels: 64, outChannels: 96, pad: 'same' },
  { n: 2, h: 5, w: 3, inChannels: 40, outChannels: 33, pad: 'valid' },
  { n: 2, h: 8, w: 7, inChannels: 64, outChannels: 64, pad: 1, stride: 2 },
  { n: 1, h: 9, w: 9, inChannels: 36, outChannels: 64, pad: 'same', stride: 2 },
  { n: 3, h: 8, w: 8, inChannels: 32, outChannels: 32, pad: 'valid', stride: 3, filter: [2, 4] },
  { n: 1, h: 3, w: 4, inChannels: 50, outChannels: 32, pad: 2, filter: [5, 5] },
  { n: 1, h: 6, w: 1, inChannels: 32, outChannels: 64, pad: 'same', filter: [1, 3] },
];

const infoOf = ({ n, h, w, inChannels, outChannels, pad, filter = [3, 3], stride = 1 }: Shape) =>
  describeConvolution([n, h, w, inChannels], [...filter, inChannels, outChannels], {
    strides: stride,
    pad,
    ...(typeof pad === 'number' && { dimRoundingMode: 'floor' }),
  })!;

describe.each(SHAPES)('%o', (shape) => {
  test('as directly, with the same bits each time, and nothing is left over', async () => {
    expect(hasFewPixels(new OrtBackend({ convolutions: 'auto' }), infoOf(shape))).toBe(true);
    await expectSamePasses(BACKEND_NAME, OTHER, shape);
  });
});

test('dilated', async () => {
  const attrs = { strides: 1, pad: 'same', dilations: 2 };
  const info = describeConvolution([2, 5, 4, 64], [3, 3, 64, 64], attrs)!;
  expect(hasFewPixels(new OrtBackend({ convolutions: 'auto' }), info)).toBe(true);
  const values: Float32Array[] = [];
  for (const name of [BACKEND_NAME, OTHER]) {
    await tf.setBackend(name);
    tf.tidy(() => {
      const x = tf.randomUniform<tf.Rank.R4>([2, 5, 4, 64], -1, 1, 'float32', 1);
      const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 64, 64], -1, 1, 'float32', 2);
      values.push(recorded(() => tf.conv2d(x, filter, 1, 'same', 'NHWC', 2)).dataSync() as Float32Array);
    });
  }
  expect(distance(values[0]!, values[1]!)).toBeLessThan(1e-5);
});

test('in prediction a filter is put in order once and stays so', async () => {
  await tf.setBackend(BACKEND_NAME);
  const made: string[] = [];
  const backend = tf.backend() as OrtBackend;
  const derived = vi.spyOn(backend, 'derived').mockImplementation((...args) => {
    made.push(args[1]);
    return OrtBackend.prototype.derived.apply(backend, args);
  });
  tf.tidy(() => {
    const x = tf.ones<tf.Rank.R4>([1, 4, 4, 64]);
    const filter = tf.ones<tf.Rank.R4>([3, 3, 64, 64]);
    tf.conv2d(x, filter, 1, 'same');
    expect(made).toHaveLength(1);
    recorded(() => tf.conv2d(x, filter, 1, 'same'));
    expect(made).toHaveLength(1);
  });
  derived.mockRestore();
});

test('the rule: several taps, as many pixels as channels, twice as many where the filter jumps', () => {
  const auto = new OrtBackend({ convolutions: 'auto' });
  const square = (side: number, channels: number, more: Partial<Shape> = {}): Shape =>
    ({ n: 1, h: side, w: side, inChannels: channels, outChannels: channels, pad: 'same', ...more }); // biome-ignore format: one line
  expect(hasFewPixels(auto, infoOf(square(8, 64)))).toBe(true);
  expect(hasFewPixels(auto, infoOf(square(9, 64)))).toBe(false);
  expect(hasFewPixels(auto, infoOf(square(22, 64, { stride: 2 })))).toBe(true); // 121 pixels
  expect(hasFewPixels(auto, infoOf(square(23, 64, { stride: 2 })))).toBe(false);
  expect(hasFewPixels(auto, infoOf(square(16, 2048)))).toBe(true);
  expect(hasFewPixels(auto, infoOf(square(17, 2048)))).toBe(false); // never more than 256
  expect(hasFewPixels(auto, infoOf(square(4, 31)))).toBe(false);
  expect(hasFewPixels(auto, infoOf(square(4, 64, { filter: [1, 1] })))).toBe(false);
  for (const convolutions of ['direct', 'winograd'] as const)
    expect(hasFewPixels(new OrtBackend({ convolutions }), infoOf(square(4, 64)))).toBe(false);
});
