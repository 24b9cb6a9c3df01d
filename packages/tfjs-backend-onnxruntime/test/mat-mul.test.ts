import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { BACKEND_NAME } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

/** 8 MiB and more are taken in pieces of rows; 8,200 rows leave an odd piece at the end. */
test.each([false, true])('a tall product is the products of its halves (second transposed: %s)', (transposeB) => {
  tf.tidy(() => {
    const a = tf.randomUniform<tf.Rank.R2>([8200, 260], -1, 1, 'float32', 1);
    const b = tf.randomUniform<tf.Rank.R2>(transposeB ? [130, 260] : [260, 130], -1, 1, 'float32', 2);
    const whole = tf.matMul(a, b, false, transposeB).dataSync();
    const halves = tf.split(a, 2).flatMap((half) => [...tf.matMul(half, b, false, transposeB).dataSync()]);
    expect(whole.every((value, i) => Math.abs(value - halves[i]!) < 1e-4)).toBe(true);
    expect(whole.length).toBe(halves.length);
  });
});
