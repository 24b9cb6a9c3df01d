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
    const software = SOFTWARE.test(renderer ?? '');
    return {
      version: tf.version_core,
      device: renderer === undefined ? 'GPU' : `${renderer}${software ? ' (software)' : ''}`,
      threads: undefined,
      software,
    };
  },
};

/** Drivers that compute on the processor: SwiftShader in Chromium, Mesa's, Windows' basic one. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** What browsers say to everybody in the place of the name. */
const MASKED = /^(webkit webgl|mozilla|generic renderer)$/i;

/** What draws, by its name. Chromium says `WebKit WebGL` whatever it is, and tells the name when asked once more. */
function rendererName(): string | undefined {
  if (typeof OffscreenCanvas === 'undefined') return undefined;
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (gl === null) return undefined;
  const said: unknown = gl.getParameter(gl.RENDERER);
  // Asked for only where it is needed: Firefox gives the name at once, and warns of this on the console.
  const more = typeof said === 'string' && !MASKED.test(said) ? null : gl.getExtension('WEBGL_debug_renderer_info');
  const name: unknown = more === null ? said : gl.getParameter(more.UNMASKED_RENDERER_WEBGL);
  gl.getExtension('WEBGL_lose_context')?.loseContext(); // browsers allow a page few of them
  return typeof name === 'string' && name !== '' ? name : undefined;
}
