import type { ModelsContext, ModelsLoader } from '@rcnn/core';
import { type WebRuntime, webModels } from './web.ts';

/** How a page imports onnxruntime-web, in words that its bundler understands; each is loaded if it is used. */
export interface WebRuntimeLoaders {
  /** `() => import('onnxruntime-web/webgpu')`; used where WebGPU stands before a real GPU. */
  readonly webgpu?: (() => Promise<WebRuntime>) | undefined;
  /** `() => import('onnxruntime-web/wasm')`; used where no GPU is. */
  readonly wasm?: (() => Promise<WebRuntime>) | undefined;
}

/**
 * The `models` of `useEngine` and `load` in a browser: whole graphs on onnxruntime-web, by WebGPU where the engine found
 * a real GPU behind it, else by WebAssembly with SIMD, in threads where the page is isolated. A real GPU that only WebGL
 * reaches is left to the engine.
 *
 * ```ts
 * await useEngine('auto', {
 *   models: onnxRuntimeWeb({
 *     webgpu: () => import('onnxruntime-web/webgpu'),
 *     wasm: () => import('onnxruntime-web/wasm'),
 *   }),
 * });
 * ```
 */
export function onnxRuntimeWeb({ webgpu, wasm }: WebRuntimeLoaders): ModelsLoader {
  return async ({ engine, threads }) => {
    const onGpu = isGpu(engine);
    if (onGpu && engine.name === 'webgpu' && webgpu !== undefined) {
      return webModels(await webgpu(), { providers: ['webgpu'], device: `onnxruntime-web (WebGPU, ${engine.device})` });
    }
    if (onGpu || wasm === undefined) return undefined;
    const count = globalThis.crossOriginIsolated ? (threads ?? threadsHere()) : 1;
    const device = `onnxruntime-web (CPU, ${count === 1 ? '1 thread' : `${count} threads`})`;
    return webModels(await wasm(), { threads: count, device });
  };
}

function isGpu({ name, software }: ModelsContext['engine']): boolean {
  return (name === 'webgpu' || name === 'webgl') && software !== true;
}

/** More gain little, and other tabs want some: the limit that onnxruntime-web sets itself. */
const MOST_THREADS = 4;

function threadsHere(): number {
  return Math.min(MOST_THREADS, globalThis.navigator?.hardwareConcurrency ?? 1);
}
