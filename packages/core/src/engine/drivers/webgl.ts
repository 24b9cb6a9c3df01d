import * as tf from '@tensorflow/tfjs-core';
import type { EngineDriver } from '../driver.ts';
import { isNode } from '../host.ts';
import { Unavailable } from '../unavailable.ts';
import { loadBackend } from './load.ts';

/** The GPU of a browser without WebGPU. */
export const webgl: EngineDriver = {
  name: 'webgl',
  backend: 'webgl',
  hint: 'It needs a browser; in Node use onnxruntime, or webgpu for a GPU.',
  async open({ loader }) {
    if (isNode() && loader === undefined) throw new Unavailable('Node has no WebGL');
    await loadBackend('webgl', '@tensorflow/tfjs-backend-webgl', loader);
    const renderer = rendererName();
    return {
      version: tf.version_core,
      device: renderer ?? 'GPU',
      threads: undefined,
      software: /swiftshader|llvmpipe|software/i.test(renderer ?? ''),
    };
  },
};

function rendererName(): string | undefined {
  if (typeof OffscreenCanvas === 'undefined') return undefined;
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  const name: unknown = gl?.getParameter(gl.RENDERER);
  return typeof name === 'string' ? name : undefined;
}
