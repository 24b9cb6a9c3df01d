/** Brings up each engine that runs in Node, or says why it cannot. */
import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAME } from '../src/index.ts';

/** Debian's chromium brings SwiftShader, a Vulkan driver without a GPU. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

export const ENGINES: readonly { readonly name: string; open(): Promise<string | undefined> }[] = [
  { name: BACKEND_NAME, open: async () => undefined },
  { name: 'cpu', open: async () => undefined },
  {
    name: 'wasm',
    async open() {
      await import('@tensorflow/tfjs-backend-wasm');
      return undefined;
    },
  },
  { name: 'webgpu', open: openWebGPU },
];

async function openWebGPU(): Promise<string | undefined> {
  if (process.env['VK_ICD_FILENAMES'] === undefined) {
    if (!existsSync(SWIFTSHADER)) return `no ${SWIFTSHADER}: install Debian's chromium for its software Vulkan driver`;
    process.env['VK_ICD_FILENAMES'] = SWIFTSHADER;
    process.env['VK_DRIVER_FILES'] = SWIFTSHADER;
  }
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create([]);
  const { navigator } = globalThis as { navigator?: object };
  if (navigator) Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  else Object.assign(globalThis, { navigator: { gpu } });
  if ((await gpu.requestAdapter()) === null) return 'no WebGPU adapter';
  await import('@tensorflow/tfjs-backend-webgpu');
  return undefined;
}

/**
 * Makes an engine the current one. Returns what this machine lacks for it, a device or a driver; every engine here is
 * installed, so one that does not load or start is a failure and not a reason to skip.
 */
export async function use(name: string): Promise<string | undefined> {
  const engine = ENGINES.find((entry) => entry.name === name);
  if (!engine) throw new Error(`no engine ${name}`);
  const missing = await engine.open();
  if (missing !== undefined) return missing;
  if (!(await tf.setBackend(name))) throw new Error(`tf.setBackend('${name}') failed`);
  return undefined;
}
