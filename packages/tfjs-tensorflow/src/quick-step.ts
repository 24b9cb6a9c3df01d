import type { NamedAttrMap, Tensor } from '@tensorflow/tfjs-core';
import { BACKEND, type KernelRegistry, replaceKernel } from './kernel-registry.ts';

/**
 * tfjs-node composes `step` of six ops, so that the gradient of a ReLU costs ten times the ReLU. Two do: the sign of the
 * positive part is 0 or 1, and NaN stays NaN.
 */
export function quickenStep(registry: KernelRegistry): void {
  replaceKernel(registry, 'Step', (original) => (call) => {
    const { alpha = 0 } = call.attrs as unknown as { alpha?: number };
    const relu = registry.getKernel('Relu', BACKEND);
    const sign = registry.getKernel('Sign', BACKEND);
    if (alpha !== 0 || relu === undefined || sign === undefined) return original(call);
    const attrs: NamedAttrMap = {};
    const positive = relu.kernelFunc({ ...call, attrs }) as Tensor;
    const y = sign.kernelFunc({ ...call, inputs: { x: positive }, attrs });
    positive.dispose();
    return y;
  });
}
