import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { openEngine } from '../src/engine.ts';
import { LOSSES, trainTiny } from './tiny.ts';

test.each(['cpu', 'webgl', 'webgpu'] as const)('three steps on %s have the losses that Node has', async (name) => {
  const engine = await openEngine(name, 'train');
  expect(engine.name).toBe(name);
  const before = tf.memory().numTensors;
  const { training, losses } = await trainTiny();
  for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(LOSSES[i]!, 3);
  training.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('a GPU that is none is told by its real name, and passed by', async () => {
  const engine = await openEngine('auto', 'predict');
  expect(engine.name).toBe('wasm'); // whose programs are where the bundler has put them
  for (const { name, why } of engine.passedBy) expect([name, why]).toEqual([name, expect.stringMatching(/its only device is .*SwiftShader.*\(software\)/i)]); // biome-ignore format: one line
  expect(engine.passedBy.map(({ name }) => name)).toEqual(['webgpu', 'webgl']);
});
