import type { KernelConfig, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../backend.ts';
import { FLOAT, type GraphNode } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';

export interface KernelCall {
  readonly inputs: NamedTensorInfoMap;
  readonly backend: OrtBackend;
  readonly attrs: NamedAttrMap;
}

/**
 * A kernel of this backend. It may decline a call that it does not cover, or that is too small to be
 * worth the trip, by returning undefined: the kernel of the `cpu` backend then does the work.
 */
export interface OrtKernel {
  readonly name: KernelConfig['kernelName'];
  run(call: KernelCall): TensorInfo | TensorInfo[] | undefined;
}

/** One call into onnxruntime takes about 15 µs; below this many elements JavaScript is done sooner. */
export const WORTH_A_CALL = 1024;

export const isFloat = (tensor: TensorInfo): boolean => tensor.dtype === 'float32';

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/** A graph of one operator whose inputs and outputs are all float32 unless said otherwise. */
export function singleNode(
  key: string,
  node: Omit<GraphNode, 'inputs' | 'outputs'>,
  inputTypes: readonly number[] = [FLOAT],
  outputType: number = FLOAT,
  heavy = false,
): NamedGraph {
  return {
    key,
    heavy,
    graph: () => ({
      nodes: [{ ...node, inputs: inputTypes.map((_, i) => `i${i}`), outputs: ['o0'] }],
      inputs: inputTypes.map((type, i) => ({ name: `i${i}`, type })),
      outputs: [{ name: 'o0', type: outputType }],
    }),
  };
}
