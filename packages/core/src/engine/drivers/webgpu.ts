import * as tf from '@tensorflow/tfjs-core';
import type { EngineDriver } from '../driver.ts';
import { isNode, mayHaveVulkan } from '../host.ts';
import { packageVersion } from '../packages.ts';
import { firstLine, Unavailable } from '../unavailable.ts';
import { loadBackend, loadPackage } from './load.ts';

/** The parts of WebGPU used here; the browser's types and Dawn's differ in the rest. */
interface Gpu {
  requestAdapter(options?: { powerPreference?: 'high-performance' }): Promise<GpuAdapter | null>;
}

interface GpuAdapter {
  readonly info: {
    vendor: string;
    architecture: string;
    device: string;
    description: string;
    isFallbackAdapter?: boolean;
  };
}

/** What the npm package `webgpu` (Dawn) exports. */
interface DawnPackage {
  create(flags: string[]): Gpu;
  readonly globals: Record<string, unknown>;
}

const NO_ADAPTER = 'no adapter was found: no GPU, or no driver for it';

/** GPUs of every vendor: as it is in browsers, on the npm package `webgpu` in Node. */
export const webgpu: EngineDriver = {
  name: 'webgpu',
  backend: 'webgpu',
  hint: 'Install it: npm install webgpu @tensorflow/tfjs-backend-webgpu; it needs a Vulkan, Metal or Direct3D 12 driver.',
  async open({ loader }) {
    const gpu = await findGpu();
    const adapter = await requestAdapter(gpu);
    await loadBackend('webgpu', '@tensorflow/tfjs-backend-webgpu', loader);
    const software = isSoftware(adapter);
    return {
      version: describeVersion(),
      device: `${deviceName(adapter)}${software ? ' (software)' : ''}`,
      threads: undefined,
      software,
    };
  },
};

/** `navigator.gpu`, put there by Dawn where there is none. It must stand before the tfjs backend is imported. */
async function findGpu(): Promise<Gpu> {
  const { navigator } = globalThis as { navigator?: { gpu?: Gpu } };
  if (navigator?.gpu !== undefined) return navigator.gpu;
  if (!isNode()) throw new Unavailable('this browser has no WebGPU');
  if (!mayHaveVulkan()) throw new Unavailable(NO_ADAPTER);
  const dawn = (await loadPackage('webgpu')) as unknown as DawnPackage;
  const gpu = dawn.create([]);
  for (const [name, value] of Object.entries(dawn.globals)) {
    if (!(name in globalThis)) define(globalThis, name, value);
  }
  if (navigator === undefined) define(globalThis, 'navigator', { gpu });
  else define(navigator, 'gpu', gpu);
  return gpu;
}

async function requestAdapter(gpu: Gpu): Promise<GpuAdapter> {
  let adapter: GpuAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (cause) {
    throw new Unavailable(`asking for an adapter failed: ${firstLine(cause)}`, { cause });
  }
  if (adapter === null) throw new Unavailable(NO_ADAPTER);
  return adapter;
}

function isSoftware({ info }: GpuAdapter): boolean {
  const words = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render/i.test(words);
}

function deviceName({ info }: GpuAdapter): string {
  return info.device || info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'GPU';
}

function describeVersion(): string {
  const backend = packageVersion('@tensorflow/tfjs-backend-webgpu') ?? tf.version_core;
  const dawn = isNode() ? packageVersion('webgpu') : undefined;
  return dawn === undefined ? backend : `${backend}, webgpu ${dawn}`;
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: false });
}
