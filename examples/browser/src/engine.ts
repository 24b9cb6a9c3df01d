import { type ActiveEngine, type EngineName, type EngineTask, type UseEngineOptions, useEngine } from '@rcnn/core';
import { onnxRuntimeWeb } from '@rcnn/onnx';
import { env } from '@tensorflow/tfjs-core';

/**
 * The engines of a browser, in words that a bundler understands: each is its own file, loaded if used. WebAssembly has
 * its programs in files of their own, which the bundler names by their addresses.
 */
export const loaders: NonNullable<UseEngineOptions['loaders']> = {
  webgpu: () => import('@tensorflow/tfjs-backend-webgpu'),
  webgl: () => import('@tensorflow/tfjs-backend-webgl'),
  wasm: async () => {
    const [{ setWasmPaths }, plain, simd, threaded] = await Promise.all([
      import('@tensorflow/tfjs-backend-wasm'),
      import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url'),
      import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url'),
      import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'),
    ]);
    setWasmPaths({
      'tfjs-backend-wasm.wasm': plain.default,
      'tfjs-backend-wasm-simd.wasm': simd.default,
      'tfjs-backend-wasm-threaded-simd.wasm': threaded.default,
    });
    // Its workers are made of the text of a function, which a bundler has changed: in an isolated page they would fail.
    env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  },
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};

/** Finds by whole graphs, beside the engine; its programs are files of this page like the others. */
export const models: NonNullable<UseEngineOptions['models']> = onnxRuntimeWeb({
  webgpu: async () => {
    const [ort, { default: wasm }] = await Promise.all([
      import('onnxruntime-web/webgpu'),
      import('onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url'),
    ]);
    ort.env.wasm.wasmPaths = { wasm };
    return ort;
  },
  wasm: async () => {
    const [ort, { default: wasm }] = await Promise.all([
      import('onnxruntime-web/wasm'),
      import('onnxruntime-web/ort-wasm-simd-threaded.wasm?url'),
    ]);
    ort.env.wasm.wasmPaths = { wasm };
    return ort;
  },
});

export type EngineChoice = EngineName | 'auto';

export const ENGINES: readonly EngineChoice[] = ['auto', 'webgpu', 'webgl', 'wasm', 'cpu'];

/**
 * With `auto`, pictures are looked at by whole graphs where that works; an engine that is named computes alone.
 * @throws RcnnError when the engine is missing here or cannot do the task
 */
export function openEngine(name: EngineChoice, task: EngineTask): Promise<ActiveEngine> {
  return useEngine(name, { task, loaders, ...(name === 'auto' && task === 'predict' && { models }) });
}
