import '@tensorflow/tfjs-layers'; // registers the gradients
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { BlockStack } from '../src/conformance/index.ts';
import { BACKEND_NAME, type OrtBackend } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend(BACKEND_NAME);
});

/** `bench/endurance.bench.ts` does a thousand and watches the memory of the process, too. */
test('training steps gain no tensors, no memory and no sessions, and lower the loss', () => {
  const backend = tf.backend() as OrtBackend;
  const network = new BlockStack(16, [{ channels: 16, stride: 1 }, { channels: 32, stride: 2 }], 3); // biome-ignore format: one line
  const images = tf.randomUniform<tf.Rank.R4>([6, 17, 13, 16], -1, 1, 'float32', 1);
  const labels = tf.tensor2d([0, 1, 2, 0, 1, 2].map((label) => [0, 1, 2].map((i) => Number(i === label))));
  const step = (): number => network.step(images, labels, 0.03);
  const state = (): object => ({
    tensors: tf.memory().numTensors,
    buffers: backend.numDataIds(),
    lent: backend.pool.lentBytes,
    pool: backend.pool.lentBytes + backend.pool.idleBytes,
    sessions: backend.sessions.size,
  });
  const first = step();
  step();
  const warm = state();
  let last = first;
  for (let i = 0; i < 40; i++) last = step();
  expect(state()).toEqual(warm);
  expect(last).toBeLessThan(0.8 * first);
  network.dispose();
  tf.dispose([images, labels]);
});
