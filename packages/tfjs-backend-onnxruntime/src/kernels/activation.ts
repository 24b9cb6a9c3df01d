import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../backend.ts';
import { nativeFloats } from '../backend.ts';
import { FLOAT } from '../onnx.ts';
import { singleNode } from './kernel.ts';

/** Activations of fused kernels that can be written over their own input. */
const IN_PLACE: Record<string, string> = { relu: 'Relu', sigmoid: 'Sigmoid' };

export function canActivate(activation: string | null | undefined): boolean {
  return !activation || activation === 'linear' || activation in IN_PLACE;
}

/** Adds a bias along the last axis, then applies the activation; both over the values of `y` itself. */
export function finish(
  backend: OrtBackend,
  y: TensorInfo,
  bias: TensorInfo | undefined,
  activation: string | null | undefined,
): void {
  if (bias) {
    const rows = nativeFloats(backend.floats(y), asRows(y.shape, bias.shape));
    backend.run(singleNode('Add', { op: 'Add' }, [FLOAT, FLOAT]), [rows, backend.native(bias)], [rows]);
  }
  const op = activation ? IN_PLACE[activation] : undefined;
  if (op) {
    const values = backend.floats(y);
    const flat = nativeFloats(values, [values.length]);
    backend.run(singleNode(op, { op }), [flat], [flat]);
  }
}

/** `[rows, channels]` if the bias is one value per channel, which the native side broadcasts fastest. */
function asRows(shape: readonly number[], bias: readonly number[]): readonly number[] {
  if (bias.length !== 1) return shape;
  const channels = shape.at(-1)!;
  return [shape.slice(0, -1).reduce((a, b) => a * b, 1), channels];
}
