import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, test } from 'vitest';
import { BACKEND_NAME } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

interface Case {
  readonly shape: [number, number, number, number];
  readonly size: number;
  readonly stride: number;
  readonly pad: 'valid' | 'same';
}

/** Whole numbers, so that many are equal; and some that are not numbers. */
function values(shape: readonly number[], nan: number): Float32Array {
  const length = shape.reduce((product, extent) => product * extent, 1);
  const drawn = tf.tidy(() => tf.floor(tf.randomUniform([length], 0, 9, 'float32', 1)).dataSync()) as Float32Array;
  return drawn.map((value, i) => (nan > 0 && i % nan === 0 ? Number.NaN : value));
}

/** Pooling and its gradient for gradients of 1, 2, 3, …, one number at a time. */
function slowly({ shape: [n, h, w, c], size, stride, pad }: Case, x: Float32Array) {
  const out = (extent: number) =>
    pad === 'same' ? Math.ceil(extent / stride) : Math.ceil((extent - size + 1) / stride);
  const before = (extent: number) =>
    pad === 'same' ? Math.max(0, (out(extent) - 1) * stride + size - extent) >> 1 : 0;
  const y: number[] = [];
  const dx = new Float32Array(x.length);
  for (let image = 0; image < n; image++) {
    for (let i = 0; i < out(h); i++) {
      for (let j = 0; j < out(w); j++) {
        for (let channel = 0; channel < c; channel++) {
          let winner = -1;
          for (let row = i * stride - before(h); row < i * stride - before(h) + size; row++) {
            for (let column = j * stride - before(w); column < j * stride - before(w) + size; column++) {
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              const at = ((image * h + row) * w + column) * c + channel;
              const isBetter = winner < 0 || (!Number.isNaN(x[winner]!) && !(x[at]! <= x[winner]!));
              if (isBetter) winner = at;
            }
          }
          y.push(x[winner]!);
          dx[winner]! += y.length;
        }
      }
    }
  }
  return { y, dx };
}

function maxPoolGradient(x: tf.Tensor4D, { size, stride, pad }: Case): tf.Tensor {
  const output = tf.maxPool(x, size, stride, pad);
  const dy = tf.reshape(tf.range(1, output.size + 1), output.shape);
  const attrs = { filterSize: size, strides: stride, pad, dimRoundingMode: undefined };
  return tf.engine().runKernel(tf.MaxPoolGrad, { dy, input: x, output }, attrs as never) as tf.Tensor;
}

const cases: Case[] = [
  { shape: [2, 9, 11, 8], size: 3, stride: 2, pad: 'valid' },
  { shape: [2, 9, 11, 6], size: 3, stride: 2, pad: 'same' },
  { shape: [1, 7, 5, 1], size: 2, stride: 1, pad: 'same' },
  { shape: [3, 6, 8, 4], size: 2, stride: 2, pad: 'valid' },
  { shape: [1, 12, 10, 5], size: 1, stride: 2, pad: 'valid' },
  { shape: [1, 10, 12, 7], size: 3, stride: 4, pad: 'valid' }, // pixels that no window sees
  { shape: [1, 13, 515, 64], size: 3, stride: 2, pad: 'same' }, // a row or two at a time
];

test.each(cases)('%o: maxima and gradients, place by place', (pooling) => {
  for (const nan of [0, 13]) {
    const x = values(pooling.shape, nan);
    const expected = slowly(pooling, x);
    tf.tidy(() => {
      const tensor = tf.tensor4d(x, pooling.shape);
      const y = tf.maxPool(tensor, pooling.size, pooling.stride, pooling.pad);
      expectSameBits(y.dataSync(), Float32Array.from(expected.y));
      expectSameBits(maxPoolGradient(tensor, pooling).dataSync(), expected.dx);
    });
  }
});
