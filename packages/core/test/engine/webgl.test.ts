import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { afterEach, expect, test, vi } from 'vitest';
import { webgl } from '../../src/engine/drivers/webgl.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  tf.removeBackend('webgl');
});

/** A browser whose driver says these two names: what everybody is told, and what is told when asked again. */
function browserWith(said: string, unmasked: string | undefined): void {
  const more = { UNMASKED_RENDERER_WEBGL: 2 };
  const getExtension = (name: string) => (name === 'WEBGL_debug_renderer_info' && unmasked !== undefined ? more : null);
  const getParameter = (which: number) => (which === 1 ? said : unmasked);
  class Canvas {
    getContext = () => ({ RENDERER: 1, getParameter, getExtension });
  }
  vi.stubGlobal('OffscreenCanvas', Canvas);
}

test.each([
  ['WebKit WebGL', 'ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)), SwiftShader driver)', true],
  ['WebKit WebGL', 'ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11)', true],
  ['WebKit WebGL', 'ANGLE (NVIDIA, NVIDIA GeForce RTX 4090, OpenGL 4.5)', false],
  ['WebKit WebGL', undefined, false],
  ['llvmpipe (LLVM 15.0.7, 256 bits)', undefined, true],
  ['Radeon R9 200 Series', 'never asked for', false],
])('%s, which is %s: a driver without a GPU? %s', async (said, unmasked, software) => {
  browserWith(said, unmasked);
  const loader = async () => tf.registerBackend('webgl', () => tf.findBackend('cpu'));
  const engine = await webgl.open({ threads: undefined, loader });
  expect(engine.software).toBe(software);
  const name = said === 'WebKit WebGL' ? (unmasked ?? said) : said;
  expect(engine.device).toBe(software ? `${name} (software)` : name);
});
