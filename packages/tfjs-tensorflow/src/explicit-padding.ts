import type { KernelFunc, Tensor4D, TensorInfo } from '@tensorflow/tfjs-core';
import { BACKEND, type KernelRegistry, replaceKernel } from './kernel-registry.ts';

type Call = Parameters<KernelFunc>[0];
type Pairs = readonly (readonly [before: number, after: number])[];

/**
 * Teaches tfjs-node's convolutions and their gradients padding by numbers, which it refuses ("TF Backend supports only
 * 'valid' and 'same' padding"): zeros are put around the map first, and what they gained is cut off again.
 */
export function supportExplicitPadding(registry: KernelRegistry): void {
  const { pad, slice } = maps(registry);
  const padFirst =
    (original: KernelFunc): KernelFunc =>
    (call) => {
      const pairs = explicitPairs(call);
      if (pairs === undefined) return original(call);
      const x = pad(call, call.inputs['x']!, pairs);
      const y = original({ ...call, inputs: { ...call.inputs, x }, attrs: valid(call) });
      x.dispose();
      return y;
    };
  for (const name of ['Conv2D', 'FusedConv2D', 'Conv2DBackpropFilter']) replaceKernel(registry, name, padFirst);
  replaceKernel(registry, 'Conv2DBackpropInput', (original) => (call) => {
    const pairs = explicitPairs(call);
    if (pairs === undefined) return original(call);
    const size = (call.attrs as unknown as { inputShape: number[] }).inputShape;
    const inputShape = size.map((length, i) => length + pairs[i]![0] + pairs[i]![1]);
    const whole = original({ ...call, attrs: { ...valid(call), inputShape } }) as Tensor4D;
    const dx = slice(
      call,
      whole,
      pairs.map(([before]) => before),
      size,
    );
    whole.dispose();
    return dx;
  });
}

/** The padding of a call for each of its four axes; `undefined` where tfjs-node knows it by itself. */
function explicitPairs({ attrs }: Call): Pairs | undefined {
  const { pad, dataFormat = 'NHWC' } = attrs as unknown as { pad: unknown; dataFormat?: string };
  if (dataFormat !== 'NHWC') return undefined;
  if (Array.isArray(pad)) return pad as Pairs;
  if (typeof pad !== 'number') return undefined;
  return [[0, 0], [pad, pad], [pad, pad], [0, 0]]; // biome-ignore format: one line
}

function valid({ attrs }: Call): NonNullable<Call['attrs']> {
  return { ...attrs, pad: 'valid' };
}

/** Padding and slicing by the kernels themselves: an op inside a kernel would be tracked as the caller's. */
function maps({ getKernel }: KernelRegistry): {
  pad(call: Call, x: TensorInfo, pairs: Pairs): Tensor4D;
  slice(call: Call, x: TensorInfo, begin: number[], size: number[]): Tensor4D;
} {
  const run = (name: string, { backend }: Call, x: TensorInfo, attrs: object): Tensor4D => {
    const { kernelFunc } = getKernel(name, BACKEND)!;
    return kernelFunc({ inputs: { x }, backend, attrs: attrs as NonNullable<Call['attrs']> }) as Tensor4D;
  };
  return {
    pad: (call, x, paddings) => run('PadV2', call, x, { paddings, constantValue: 0 }),
    slice: (call, x, begin, size) => run('Slice', call, x, { begin, size }),
  };
}
