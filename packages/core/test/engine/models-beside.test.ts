import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, expect, test } from 'vitest';
import { engineModels, type ModelOpener, useEngine, whyNoModels } from '../../src/index.ts';

/** Answers the product of `x` with itself, as the engine's own try wants it; or something else. */
const opener = (answer: readonly number[] = [7, 10, 15, 22], device?: string): ModelOpener =>
  Object.assign(
    () => ({
      run: async () => ({ y: { data: Float32Array.from(answer), dims: [2, 2] } }),
      dispose: () => {},
    }),
    device === undefined ? {} : { device },
  );

beforeEach(() => useEngine('cpu'));

test('what runs whole models is tried, used beside its engine alone, and gone with the next choice', async () => {
  const open = opener(undefined, 'a runtime (CPU)');
  const engine = await useEngine('cpu', { models: () => open });
  expect(engine).toMatchObject({ name: 'cpu', models: 'a runtime (CPU)' });
  expect(engineModels()).toBe(open);
  tf.registerBackend('another', () => new MathBackendCPU());
  await tf.setBackend('another');
  expect(engineModels()).toBeUndefined();
  await tf.setBackend('cpu');
  tf.removeBackend('another');
  expect(engineModels()).toBe(open);
  await useEngine('cpu');
  expect(engineModels()).toBeUndefined();
});

test('the loader is told the engine and the threads that were asked for, and may leave the engine alone', async () => {
  const engine = await useEngine('cpu', {
    threads: 3,
    models: ({ engine: { name, device }, threads }) => {
      expect([name, device, threads]).toEqual(['cpu', 'CPU', 3]);
      return undefined;
    },
  });
  expect([engine.models, engine.whyNoModels, engineModels()]).toEqual([undefined, undefined, undefined]);
});

test.each([
  ['cannot be loaded', () => Promise.reject(new Error('HTTP 404\nand more')), 'HTTP 404'],
  ['computes wrongly', () => opener([1, 2, 3, 4]), 'it computes wrongly: found 1,2,3,4, expected 7,10,15,22'],
  ['gives nothing', () => opener([]), 'it computes wrongly: found , expected 7,10,15,22'],
])('what %s is passed by, and why is said', async (_, models, why) => {
  const engine = await useEngine('cpu', { models });
  expect(engine.models).toBeUndefined();
  expect(engine.whyNoModels).toBe(why);
  expect(whyNoModels()).toBe(why);
  expect(engineModels()).toBeUndefined();
});

test('a call that fails leaves them as they were', async () => {
  const open = opener();
  await useEngine('cpu', { models: () => open });
  await expect(useEngine('webgl', { models: () => opener([]) })).rejects.toMatchObject({ code: 'ENGINE_MISSING' });
  expect(engineModels()).toBe(open);
});
