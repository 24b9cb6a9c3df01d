import { type ActiveEngine, type EngineName, type EngineTask, type UseEngineOptions, useEngine } from '@rcnn/core';

/**
 * The engines of a browser, in words that a bundler understands: each is its own file, loaded if used. WebAssembly has
 * its programs in files of their own, which the bundler names by their addresses.
 */
const loaders: NonNullable<UseEngineOptions['loaders']> = {
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
  },
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};

export type EngineChoice = EngineName | 'auto';

export const ENGINES: readonly EngineChoice[] = ['auto', 'webgpu', 'webgl', 'wasm', 'cpu'];

/** @throws RcnnError when the engine is missing here or cannot do the task */
export function openEngine(name: EngineChoice, task: EngineTask): Promise<ActiveEngine> {
  return useEngine(name, { task, loaders });
}
