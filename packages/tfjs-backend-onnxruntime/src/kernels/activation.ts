import { getKernel, type TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import type { NativeTensor } from '../native.ts';
import { FLOAT } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';
import { isFloat, type KernelCall, type OrtKernel, singleNode } from './kernel.ts';

/**
 * Never above 1: the library's own comes out one bit higher for some values near 18, and the logarithm of what is left,
 * which every cross-entropy takes, would be NaN. Its second input is {@link ONE}.
 */
export const SIGMOID: NamedGraph = {
  key: 'Sigmoid',
  graph: () => ({
    nodes: [
      { op: 'Sigmoid', inputs: ['i0'], outputs: ['raw'] },
      { op: 'Min', inputs: ['raw', 'i1'], outputs: ['o0'] },
    ],
    inputs: [
      { name: 'i0', type: FLOAT },
      { name: 'i1', type: FLOAT },
    ],
    outputs: [{ name: 'o0', type: FLOAT }],
  }),
};

export const ONE: NativeTensor = { type: 'float32', location: 'cpu', dims: [], data: Float32Array.of(1) };

/** Activations that are written over their own input, and what they read beside it. */
const IN_PLACE: Record<string, readonly [graph: NamedGraph, ...more: NativeTensor[]]> = {
  relu: [singleNode('Relu', { op: 'Relu' })],
  sigmoid: [SIGMOID, ONE],
};

/** The kernels of the other activations of tfjs. */
const KERNELS: Record<string, string> = { elu: 'Elu', leakyrelu: 'LeakyRelu', prelu: 'Prelu', relu6: 'Relu6' };

/** A kernel fused with a bias and an activation, made from one without. */
export function fused(name: string, plain: (call: KernelCall) => TensorInfo | undefined): OrtKernel {
  return {
    name,
    run(call) {
      const { bias } = call.inputs;
      const activation = (call.attrs['activation'] as string | undefined) ?? 'linear';
      const known = activation === 'linear' || activation in IN_PLACE || activation in KERNELS;
      if (!known || (bias && !isFloat(bias))) return undefined;
      const y = plain(call);
      if (!y) return undefined;
      if (bias) addBias(call.backend, y, bias);
      return activate(call, y, activation);
    },
  };
}

/** Adds a bias along the last axis to the values of `y` itself. */
function addBias(backend: OrtBackend, y: TensorInfo, bias: TensorInfo): void {
  const rows = nativeFloats(backend.floats(y), asRows(y.shape, bias.shape));
  backend.run(singleNode('Add', { op: 'Add' }, [FLOAT, FLOAT]), [rows, backend.native(bias)], [rows]);
}

/** Consumes `y`: the result is in its memory, or it is disposed of. */
function activate({ backend, inputs, attrs }: KernelCall, y: TensorInfo, activation: string): TensorInfo {
  const inPlace = IN_PLACE[activation];
  if (inPlace) {
    const [graph, ...more] = inPlace;
    const values = backend.floats(y);
    const flat = nativeFloats(values, [values.length]);
    backend.run(graph, [flat, ...more], [flat]);
  }
  const kernel = KERNELS[activation];
  if (!kernel) return y;
  const result = getKernel(kernel, 'onnxruntime').kernelFunc({
    inputs: { x: y, alpha: inputs['preluActivationWeights']! }, // only Prelu reads the second
    backend,
    attrs: { alpha: attrs['leakyreluAlpha']! }, // only LeakyRelu reads it
  });
  backend.disposeData(y.dataId);
  return result as TensorInfo;
}

/** `[rows, channels]` if the bias is one value per channel, which the native side broadcasts fastest. */
function asRows(shape: readonly number[], bias: readonly number[]): readonly number[] {
  if (bias.length !== 1) return shape;
  const channels = shape.at(-1)!;
  return [shape.slice(0, -1).reduce((a, b) => a * b, 1), channels];
}
