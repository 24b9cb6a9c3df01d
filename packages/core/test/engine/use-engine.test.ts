import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { describeEngines, isRcnnError, nodeOrder, useEngine } from '../../src/index.ts';

beforeEach(async () => {
  vi.stubEnv('RCNN_ENGINE', '');
  vi.stubEnv('RCNN_THREADS', '');
  await tf.setBackend('cpu');
});
afterEach(() => vi.unstubAllEnvs());

/** What a call rejects with. */
async function failureOf(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isRcnnError(error)) throw new Error(`expected an RcnnError, got ${String(error)}`);
  return error;
}

describe('an engine asked for by name', () => {
  test('becomes the current backend', async () => {
    const engine = await useEngine('wasm');
    expect(engine).toMatchObject({ name: 'wasm', ability: 'predict', device: 'CPU', threads: 1, passedBy: [] });
    expect(tf.getBackend()).toBe('wasm');
    await useEngine('cpu');
    expect(tf.getBackend()).toBe('cpu');
  });

  test('that does not exist is an error that lists those that do', async () => {
    const { code, message } = await failureOf(useEngine('cuda' as 'cpu'));
    expect(code).toBe('ENGINE_UNKNOWN');
    expect(message).toContain("found 'cuda', expected auto, tensorflow, onnxruntime, webgpu, webgl, wasm, cpu");
  });

  test('that cannot train is an error when training is asked for, and changes nothing', async () => {
    const { code, message } = await failureOf(useEngine('wasm', { task: 'train' }));
    expect(code).toBe('ENGINE_CANNOT_TRAIN');
    expect(message).toContain('it has no Conv2DBackpropFilter, UnsortedSegmentSum');
    expect(message).toContain('Train on onnxruntime');
    expect(tf.getBackend()).toBe('cpu');
  });

  test('that is not there is an error that says why and what to do', async () => {
    const { code, message } = await failureOf(useEngine('webgl'));
    expect(code).toBe('ENGINE_MISSING');
    expect(message).toContain('Node has no WebGL');
    expect(message).toContain('in Node use onnxruntime');
  });

  test('whose loader fails is an error with the loader’s reason', async () => {
    const loaders = { webgl: () => Promise.reject(new Error('Failed to fetch chunk 7')) };
    const { code, message } = await failureOf(useEngine('webgl', { loaders }));
    expect(code).toBe('ENGINE_MISSING');
    expect(message).toContain('Failed to fetch chunk 7');
  });

  test('whose loader brings no backend is an error', async () => {
    const { message } = await failureOf(useEngine('webgl', { loaders: { webgl: async () => ({}) } }));
    expect(message).toContain("loading it registered no backend named 'webgl'");
  });

  test('whose backend does not start is an error with the reason, and changes nothing', async () => {
    const loaders = {
      webgl: async () =>
        tf.registerBackend('webgl', () => {
          throw new Error('no context left');
        }),
    };
    const { code, message } = await failureOf(useEngine('webgl', { loaders }));
    tf.removeBackend('webgl');
    expect(code).toBe('ENGINE_MISSING');
    expect(message).toContain('no context left');
    expect(tf.getBackend()).toBe('cpu');
  });

  test('a loader of the application is used before any package', async () => {
    const loader = vi.fn(() => import('@tensorflow/tfjs-backend-wasm'));
    tf.removeBackend('wasm');
    // The module is loaded already and registers only once: so this shows that the loader is asked, and what it lacks.
    await useEngine('wasm', { loaders: { wasm: loader } }).catch(() => undefined);
    expect(loader).toHaveBeenCalledOnce();
  });
});

describe('auto', () => {
  test('takes the first that can, and says why it passed the others by', async () => {
    const engine = await useEngine('auto', { task: 'train' });
    expect(engine.ability).toBe('train');
    expect(engine.software ?? false).toBe(false);
    const before = nodeOrder.slice(0, nodeOrder.indexOf(engine.name));
    expect(engine.passedBy.map(({ name }) => name)).toEqual(before);
    for (const { why } of engine.passedBy) expect(why.length).toBeGreaterThan(5);
  });

  test('never takes one that only predicts when training is asked for', async () => {
    const loaders = {
      tensorflow: () => Promise.reject(new Error('not here')),
      webgpu: () => Promise.reject(new Error('not here')),
      onnxruntime: () => Promise.reject(new Error('not here')),
    };
    const trains = await useEngine('auto', { task: 'train', loaders });
    expect(trains.name).toBe('cpu');
  });

  test('gives way to the variable RCNN_ENGINE, and a name in the program does not', async () => {
    vi.stubEnv('RCNN_ENGINE', 'cpu');
    expect((await useEngine()).name).toBe('cpu');
    vi.stubEnv('RCNN_ENGINE', 'gpu');
    const { code, message } = await failureOf(useEngine());
    expect(code).toBe('ENGINE_UNKNOWN');
    expect(message).toContain('RCNN_ENGINE');
    expect((await useEngine('cpu')).name).toBe('cpu');
  });
});

describe('threads', () => {
  test.each([0, -1, 1.5, Number.NaN])('%s is refused', async (threads) => {
    const { code } = await failureOf(useEngine('cpu', { threads }));
    expect(code).toBe('INVALID_ARGUMENT');
  });

  test('of the environment are checked too, and named', async () => {
    vi.stubEnv('RCNN_THREADS', 'many');
    const { code, message } = await failureOf(useEngine('auto'));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toContain('RCNN_THREADS');
  });

  test('reach the engine', async () => {
    expect((await useEngine('onnxruntime', { threads: 1 })).threads).toBe(1);
    vi.stubEnv('RCNN_THREADS', '2');
    expect((await useEngine('onnxruntime')).threads).toBe(2);
  });
});

test('the onnxruntime engine trains', async () => {
  expect(await useEngine('onnxruntime', { task: 'train' })).toMatchObject({ name: 'onnxruntime', ability: 'train' });
});

describe('the report of all engines', () => {
  test('has a line for each, with a reason for every one that does not train', async () => {
    const reports = await describeEngines({ budget: 0 });
    expect(reports.map(({ name }) => name)).toEqual(['tensorflow', 'onnxruntime', 'webgpu', 'webgl', 'wasm', 'cpu']);
    for (const { ability, why } of reports) expect(why === undefined).toBe(ability === 'train');
    for (const { ability, hint } of reports) expect(hint === undefined).toBe(ability !== 'missing');
  });

  test('measures what an engine can do, and goes back to the engine of before', async () => {
    const [report] = await describeEngines({ names: ['onnxruntime'], budget: 20 });
    expect(report!.speed!.forward).toBeGreaterThan(0);
    expect(report!.speed!.gradients).toBeGreaterThan(0);
    expect(tf.getBackend()).toBe('cpu');
  });

  test('leaves no tensor behind', async () => {
    await tf.setBackend('cpu');
    const before = tf.memory().numTensors;
    await describeEngines({ names: ['onnxruntime'], budget: 5 });
    expect(tf.memory().numTensors).toBe(before);
  });
});
