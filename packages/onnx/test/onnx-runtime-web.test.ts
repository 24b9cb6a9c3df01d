import { engineModels, type ModelsContext, useEngine } from '@rcnn/core';
import * as ort from 'onnxruntime-web';
import { afterEach, expect, test, vi } from 'vitest';
import { CompiledDetector, compile, compileAs, onnxRuntimeWeb, type WebRuntime, webModels } from '../src/index.ts';
import { models, picture } from './support/models.ts';

afterEach(() => vi.unstubAllGlobals());

const context = (engine: Partial<ModelsContext['engine']>, threads?: number): ModelsContext => ({
  engine: { name: 'wasm', version: '4', device: 'CPU', threads: 1, ...engine },
  threads,
});

/** Notes what sessions are made of. */
function runtime(log: unknown[], failure?: Error): WebRuntime & { readonly env: { wasm: { numThreads?: number } } } {
  return {
    InferenceSession: {
      create: async (_model, options) => {
        log.push((options as { executionProviders: unknown }).executionProviders);
        if (failure !== undefined) throw failure;
        return { run: async () => ({}), release: async () => {} };
      },
    },
    Tensor: Object,
    env: { wasm: {} },
  };
}

test('a real GPU computes by WebGPU; one that only WebGL reaches is left to the engine; else the processor does', async () => {
  const log: unknown[] = [];
  const load = onnxRuntimeWeb({ webgpu: async () => runtime(log), wasm: async () => runtime(log) });
  const device = async (engine: Partial<ModelsContext['engine']>) => {
    const open = await load(context(engine));
    await open?.(new Uint8Array(1));
    return open?.device;
  };
  expect(await device({ name: 'webgpu', device: 'RTX', software: false })).toBe('onnxruntime-web (WebGPU, RTX)');
  expect(await device({ name: 'webgl', device: 'RTX', software: false })).toBeUndefined();
  expect(await device({ name: 'webgpu', device: 'SwiftShader', software: true })).toBe(
    'onnxruntime-web (CPU, 1 thread)',
  );
  expect(await device({})).toBe('onnxruntime-web (CPU, 1 thread)');
  expect(log).toEqual([['webgpu'], ['wasm'], ['wasm']]);
  expect(await onnxRuntimeWeb({})(context({}))).toBeUndefined();
});

test('threads are those of the machine, at most four, or as asked for; one where the page is not isolated', async () => {
  const wasm = runtime([]);
  const threads = async (asked?: number) => {
    const open = await onnxRuntimeWeb({ wasm: async () => wasm })(context({}, asked));
    return [wasm.env.wasm.numThreads, open?.device];
  };
  expect(await threads(8)).toEqual([1, 'onnxruntime-web (CPU, 1 thread)']);
  vi.stubGlobal('crossOriginIsolated', true);
  vi.stubGlobal('navigator', { hardwareConcurrency: 16 });
  expect(await threads()).toEqual([4, 'onnxruntime-web (CPU, 4 threads)']);
  expect(await threads(8)).toEqual([8, 'onnxruntime-web (CPU, 8 threads)']);
});

test('programs that are not found are an error that says where they are looked for; others stay what they are', async () => {
  const missing = new Error("no available backend found. ERR: [wasm] RuntimeError: Aborted (both async and sync fetching of the wasm failed)"); // biome-ignore format: one line
  await expect(webModels(runtime([], missing))(new Uint8Array(1))).rejects.toMatchObject({
    code: 'ENGINE_MISSING',
    hint: expect.stringContaining('wasmPaths') as string,
    found: missing.message,
  });
  const damaged = new Error('protobuf parsing failed');
  await expect(webModels(runtime([], damaged))(new Uint8Array(1))).rejects.toBe(damaged);
});

test('beside an engine that runs no models, auto compiles for it; what it refuses is predicted by the engine', async () => {
  ort.env.wasm.numThreads = 1;
  const image = picture(60, 84, 10);
  const engine = await useEngine('wasm', { models: onnxRuntimeWeb({ wasm: async () => ort }) });
  expect(engine.models).toBe('onnxruntime-web (CPU, 1 thread)');
  const model = models['Mask R-CNN']!();
  const [alone] = await model.detect([image]);
  const compiled = compileAs(model);
  expect(compiled).toBeInstanceOf(CompiledDetector);
  const [found] = await compiled.detect([image]);
  expect(found!.map(({ label }) => label)).toEqual(alone!.map(({ label }) => label));
  expect(compiled).toMatchObject({ isCompiled: true });

  const open = async () => Promise.reject(new Error('no kernel for Softmax'));
  const insisting = compile(model, { open });
  await expect(insisting.detect([image])).rejects.toMatchObject({ code: 'ENGINE_CANNOT_COMPILE' });
  const easy = compile(model, { open, ifPossible: true });
  expect((await easy.detect([image]))[0]).toHaveLength(alone!.length);
  expect(easy.isCompiled).toBe(false);
  compiled.dispose();
  await useEngine('wasm');
  expect(engineModels()).toBeUndefined();
});
