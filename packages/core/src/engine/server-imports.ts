import type { EngineLoader } from './driver.ts';

/**
 * The packages of engines that servers run on, each import written out: a bundler follows an import only when it can read
 * the name, and lets a missing package pass only inside a `try`. Engines with native code that no bundler can carry
 * (tfjs-node, Dawn) are looked for at run time alone.
 *
 * Bundles for browsers get `browser-imports.ts` instead, by the field `browser` of package.json.
 */
export const writtenImports: Readonly<Record<string, EngineLoader>> = {
  async '@rcnn/tfjs-backend-onnxruntime'() {
    try {
      return await import('@rcnn/tfjs-backend-onnxruntime');
    } catch (reason) {
      return Promise.reject(reason);
    }
  },
  async '@tensorflow/tfjs-backend-wasm'() {
    try {
      return await import('@tensorflow/tfjs-backend-wasm');
    } catch (reason) {
      return Promise.reject(reason);
    }
  },
  async '@tensorflow/tfjs-backend-cpu'() {
    try {
      return await import('@tensorflow/tfjs-backend-cpu');
    } catch (reason) {
      return Promise.reject(reason);
    }
  },
};
