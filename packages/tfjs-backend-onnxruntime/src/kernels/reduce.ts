import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import type { NativeTensor } from '../native.ts';
import { BOOL, FLOAT, INT64 } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';
import { isFloat, type OrtKernel, singleNode, sizeOf, WORTH_A_CALL } from './kernel.ts';

/**
 * Runs of axes that are all reduced or all kept count as one axis: `[N, H, W, C]` over N, H and W is
 * `[N H W, C]` over its first. The native side has fast paths for such short shapes.
 */
function merge(shape: readonly number[], axes: readonly number[]): { shape: number[]; axes: number[] } {
  const merged: number[] = [];
  const reduced: number[] = [];
  let last: boolean | undefined;
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const isReduced = axes.includes(axis);
    if (isReduced === last) {
      merged[merged.length - 1]! *= extent;
    } else {
      if (isReduced) reduced.push(merged.length);
      merged.push(extent);
    }
    last = isReduced;
  });
  return { shape: merged, axes: reduced };
}

function axesTensor(axes: readonly number[]): NativeTensor {
  return { type: 'int64', location: 'cpu', dims: [axes.length], data: BigInt64Array.from(axes, BigInt) };
}

/** The `cpu` kernels of these skip NaN, so even small ones are ours. */
const DROPS_NAN = new Set(['ReduceMax', 'ReduceMin']);

function reduction(
  name: string,
  op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin',
  axesKey: string,
): OrtKernel {
  return {
    name,
    run({ inputs, backend, attrs }) {
      const x = inputs['x']!;
      const size = sizeOf(x.shape);
      if (!isFloat(x)) return undefined;
      const axes = util.parseAxisParam(attrs[axesKey] as number | number[], x.shape);
      const [outShape] = backend_util.computeOutAndReduceShapes(x.shape, axes);
      const shape = attrs['keepDims'] ? backend_util.expandShapeToKeepDim(outShape, axes) : outShape;
      if (op === 'ReduceMean' && size === 0) return filled(backend, shape, Number.NaN);
      if (size === 0 || (size < WORTH_A_CALL && !DROPS_NAN.has(op))) return undefined;
      const y = backend.float32(shape);
      reduceInto(backend, op, x, axes, backend.floats(y));
      return y;
    },
  };
}

/** The mean of nothing is not a number, as in NumPy and PyTorch. */
function filled(backend: OrtBackend, shape: readonly number[], value: number): TensorInfo {
  const y = backend.float32(shape);
  backend.floats(y).fill(value);
  return y;
}

function reduceInto(
  backend: OrtBackend,
  op: string,
  x: TensorInfo,
  axes: readonly number[],
  target: Float32Array,
): void {
  const merged = merge(x.shape, axes);
  const input = nativeFloats(backend.floats(x), merged.shape);
  const kept = merged.shape.filter((_, axis) => !merged.axes.includes(axis));
  const output = nativeFloats(target, kept);
  if (merged.axes.length === 0) {
    target.set(backend.floats(x));
  } else if (op === 'ReduceSum') {
    sumInto(backend, input, merged.axes, output);
  } else if (op === 'ReduceMean') {
    const graph = singleNode(`${op} ${merged.axes.join()}`, { op, attributes: { keepdims: 0, axes: merged.axes } });
    backend.run(graph, [input], [output]);
  } else {
    backend.run(extreme(op, merged.axes), [input, axesTensor(merged.axes)], [output]);
  }
}

export function sumInto(backend: OrtBackend, input: NativeTensor, axes: readonly number[], output: NativeTensor): void {
  const graph = singleNode('ReduceSum', { op: 'ReduceSum', attributes: { keepdims: 0 } }, [FLOAT, INT64]);
  backend.run(graph, [input, axesTensor(axes)], [output]);
}

/** ONNX does not say what the maximum of NaN and a number is; here, as in PyTorch, it is NaN. */
function extreme(op: string, axes: readonly number[]): NamedGraph {
  const attributes = { keepdims: 0, axes };
  return {
    key: `${op} ${axes.join()}`,
    graph: () => ({
      nodes: [
        { op, inputs: ['i0'], outputs: ['extreme'], attributes },
        { op: 'ReduceSum', inputs: ['i0', 'i1'], outputs: ['sum'], attributes: { keepdims: 0 } }, // NaN if one is
        { op: 'IsNaN', inputs: ['i0'], outputs: ['isNaN'] },
        { op: 'Cast', inputs: ['isNaN'], outputs: ['isNaN01'], attributes: { to: FLOAT } },
        { op: 'ReduceMax', inputs: ['isNaN01'], outputs: ['anyNaN01'], attributes },
        { op: 'Cast', inputs: ['anyNaN01'], outputs: ['anyNaN'], attributes: { to: BOOL } },
        { op: 'Where', inputs: ['anyNaN', 'sum', 'extreme'], outputs: ['o0'] },
      ],
      inputs: [
        { name: 'i0', type: FLOAT },
        { name: 'i1', type: INT64 },
      ],
      outputs: [{ name: 'o0', type: FLOAT }],
    }),
  };
}

const softmax: OrtKernel = {
  name: 'Softmax',
  run({ inputs, backend, attrs }) {
    const x = inputs['logits']!;
    const axis = attrs['dim'] as number;
    if (!isFloat(x) || sizeOf(x.shape) < WORTH_A_CALL) return undefined;
    if (axis !== -1 && axis !== x.shape.length - 1) return undefined;
    const y = backend.float32(x.shape);
    backend.run(
      singleNode('Softmax', { op: 'Softmax', attributes: { axis: -1 } }),
      [backend.native(x)],
      [backend.native(y)],
    );
    return y;
  },
};

export const reduce: readonly OrtKernel[] = [
  reduction('Sum', 'ReduceSum', 'axis'),
  reduction('Mean', 'ReduceMean', 'axis'),
  reduction('Max', 'ReduceMax', 'reductionIndices'),
  reduction('Min', 'ReduceMin', 'axis'),
  softmax,
];
