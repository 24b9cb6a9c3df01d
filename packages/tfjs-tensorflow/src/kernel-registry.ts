import type { KernelConfig, KernelFunc } from '@tensorflow/tfjs-core';

/** The registry of tfjs, as the loaded tfjs-node exports it: there is one for all copies of tfjs-core. */
export interface KernelRegistry {
  getKernel(name: string, backend: string): KernelConfig | undefined;
  registerKernel(config: KernelConfig): void;
  unregisterKernel(name: string, backend: string): void;
}

/** The name of tfjs-node's backend. */
export const BACKEND = 'tensorflow';

/** Marks kernels that have been replaced. */
const REPLACED = Symbol.for('@rcnn/tfjs-tensorflow: replaced');

/** Replaces a kernel of tfjs-node by one that may call it, once. */
export function replaceKernel(
  registry: KernelRegistry,
  name: string,
  make: (original: KernelFunc) => KernelFunc,
): void {
  const config = registry.getKernel(name, BACKEND);
  if (config === undefined || REPLACED in config.kernelFunc) return;
  const kernelFunc = Object.assign(make(config.kernelFunc), { [REPLACED]: true });
  registry.unregisterKernel(name, BACKEND);
  registry.registerKernel({ ...config, kernelFunc });
}
