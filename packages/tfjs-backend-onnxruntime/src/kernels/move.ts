/** Kernels that only move values: bounded by memory, so whole runs are copied at once. */
import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { NumericArray, OrtBackend } from '../backend.ts';
import { BOOL, FLOAT, INT32, INT64 } from '../onnx.ts';
import { isFloat, type OrtKernel, singleNode, sizeOf, WORTH_A_CALL } from './kernel.ts';

/** A run shorter than this is copied element by element; making a view costs as much. */
const WHOLE_RUN = 32;

export function copyRun(from: NumericArray, start: number, length: number, to: NumericArray, target: number): void {
  if (length >= WHOLE_RUN) to.set(from.subarray(start, start + length), target);
  else for (let i = 0; i < length; i++) to[target + i] = from[start + i]!;
}

/** dtypes whose values are one typed array. */
const isNumeric = ({ dtype }: TensorInfo): boolean => dtype === 'float32' || dtype === 'int32' || dtype === 'bool';

/**
 * Copies a box of `size` that begins at `fromBegin` in an array of `fromShape` to `toBegin` in one of
 * `toShape`. Trailing axes that the box covers whole on both sides are one run.
 */
export function copyBox(
  from: NumericArray,
  fromShape: readonly number[],
  fromBegin: readonly number[],
  size: readonly number[],
  to: NumericArray,
  toShape: readonly number[],
  toBegin: readonly number[],
): void {
  const rank = size.length;
  if (rank === 0) {
    to[0] = from[0]!;
    return;
  }
  const fromStrides = stridesOf(fromShape);
  const toStrides = stridesOf(toShape);
  let inner = rank - 1; // the last axis of the loop below; everything after it is part of the run
  while (inner > 0 && size[inner] === fromShape[inner] && size[inner] === toShape[inner]) inner--;
  const run = size[inner]! * fromStrides[inner]!;
  const copyAxis = (axis: number, source: number, target: number): void => {
    source += fromBegin[axis]! * fromStrides[axis]!;
    target += toBegin[axis]! * toStrides[axis]!;
    if (axis === inner) {
      copyRun(from, source, run, to, target);
      return;
    }
    for (let i = 0; i < size[axis]!; i++)
      copyAxis(axis + 1, source + i * fromStrides[axis]!, target + i * toStrides[axis]!);
  };
  if (sizeOf(size) > 0) copyAxis(0, 0, 0);
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

const origin = (rank: number): number[] => new Array<number>(rank).fill(0);

const pad: OrtKernel = {
  name: 'PadV2',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    const paddings = attrs['paddings'] as [number, number][];
    if (!isNumeric(x)) return undefined;
    const shape = x.shape.map((extent, axis) => paddings[axis]![0] + extent + paddings[axis]![1]);
    const y = backend.output(shape, x.dtype);
    const values = backend.values(y);
    values.fill(attrs['constantValue'] as number);
    const begin = paddings.map(([before]) => before);
    copyBox(backend.values(x), x.shape, origin(x.shape.length), x.shape, values, shape, begin);
    return y;
  },
};

function slice(backend: OrtBackend, x: TensorInfo, begin: readonly number[], size: readonly number[]): TensorInfo {
  const y = backend.output(size, x.dtype);
  copyBox(backend.values(x), x.shape, begin, size, backend.values(y), size, origin(size.length));
  return y;
}

const sliceKernel: OrtKernel = {
  name: 'Slice',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    if (!isNumeric(x)) return undefined;
    const [begin, size] = slice_util.parseSliceParams(
      x as never,
      attrs['begin'] as number[],
      attrs['size'] as number[],
    );
    slice_util.assertParamsValid(x as never, begin!, size!);
    return slice(backend, x, begin!, size!);
  },
};

const split: OrtKernel = {
  name: 'SplitV',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    if (!isNumeric(x)) return undefined;
    const axis = util.parseAxisParam(attrs['axis'] as number, x.shape)[0]!;
    const sizes = backend_util.prepareSplitSize(x as never, attrs['numOrSizeSplits'] as number | number[], axis);
    const begin = origin(x.shape.length);
    return sizes.map((extent) => {
      const size = x.shape.map((whole, i) => (i === axis ? extent : whole));
      const part = slice(backend, x, begin, size);
      begin[axis]! += extent;
      return part;
    });
  },
};

const concat: OrtKernel = {
  name: 'Concat',
  run({ inputs, backend, attrs }) {
    const all = Object.values(inputs as Record<string, TensorInfo>);
    const axis = util.parseAxisParam(attrs['axis'] as number, all[0]!.shape)[0]!;
    backend_util.assertParamsConsistent(
      all.map(({ shape }) => shape),
      axis,
    );
    if (!all.every((x) => isNumeric(x) && x.dtype === all[0]!.dtype)) return undefined;
    const shape = backend_util.computeOutShape(
      all.map(({ shape }) => shape),
      axis,
    );
    const y = backend.output(shape, all[0]!.dtype);
    const begin = origin(shape.length);
    for (const x of all) {
      copyBox(backend.values(x), x.shape, origin(shape.length), x.shape, backend.values(y), shape, begin);
      begin[axis]! += x.shape[axis]!;
    }
    return y;
  },
};

const ELEMENT: Record<string, number> = { float32: FLOAT, int32: INT32, bool: BOOL };

const transpose: OrtKernel = {
  name: 'Transpose',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    const type = ELEMENT[x.dtype];
    if (type === undefined || sizeOf(x.shape) < WORTH_A_CALL) return undefined;
    const perm = attrs['perm'] as number[];
    const y = backend.output(
      perm.map((axis) => x.shape[axis]!),
      x.dtype,
    );
    const key = `Transpose ${x.dtype} ${perm.join()}`;
    backend.run(
      singleNode(key, { op: 'Transpose', attributes: { perm } }, [type], type),
      [backend.native(x)],
      [backend.native(y)],
    );
    return y;
  },
};

/** Numbers along axes that have one: the gradient of every sum. Whole maps side by side are left to the `cpu` kernel. */
const tile: OrtKernel = {
  name: 'Tile',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    const type = ELEMENT[x.dtype];
    const reps = attrs['reps'] as number[];
    const shape = x.shape.map((extent, axis) => extent * reps[axis]!);
    const expands = reps.every((count, axis) => count === 1 || x.shape[axis] === 1);
    if (type === undefined || !expands || sizeOf(shape) < WORTH_A_CALL) return undefined;
    const y = backend.output(shape, x.dtype);
    const data = BigInt64Array.from(shape, BigInt);
    backend.run(
      singleNode(`Expand ${x.dtype}`, { op: 'Expand' }, [type, INT64], type),
      [backend.native(x), { type: 'int64', location: 'cpu', dims: [shape.length], data }],
      [backend.native(y)],
    );
    return y;
  },
};

/** Indices as tfjs has them; undefined if one lies outside, so that the `cpu` kernel words the error. */
function checkedIndices(indices: NumericArray, extent: number): NumericArray | undefined {
  for (const index of indices) if (!(index >= 0 && index < extent)) return undefined;
  return indices;
}

const gather: OrtKernel = {
  name: 'GatherV2',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    const indices = inputs['indices']!;
    if (!isNumeric(x)) return undefined;
    const axis = util.parseAxisParam(attrs['axis'] as number, x.shape)[0]!;
    const at = checkedIndices(backend.values(indices), x.shape[axis]!);
    if (!at) return undefined;
    const info = backend_util.segment_util.collectGatherOpShapeInfo(
      x as never,
      indices as never,
      axis,
      (attrs['batchDims'] as number | undefined) ?? 0,
    );
    const y = backend.output(info.outputShape, x.dtype);
    const perBatch = at.length / info.batchSize;
    const from = backend.values(x);
    const to = backend.values(y);
    let target = 0;
    for (let batch = 0; batch < info.batchSize; batch++) {
      for (let outer = 0; outer < info.outerSize; outer++) {
        const base = (batch * info.outerSize + outer) * info.dimSize * info.sliceSize;
        for (let i = 0; i < perBatch; i++, target += info.sliceSize) {
          copyRun(from, base + at[batch * perBatch + i]! * info.sliceSize, info.sliceSize, to, target);
        }
      }
    }
    return y;
  },
};

/** Rows whose segment is out of range (−1, say) are left out, as the `cpu` kernel does. */
const segmentSum: OrtKernel = {
  name: 'UnsortedSegmentSum',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    const segmentIds = inputs['segmentIds']!;
    if (!isFloat(x) || segmentIds.shape.length !== 1) return undefined;
    const numSegments = attrs['numSegments'] as number;
    const rowShape = x.shape.slice(1);
    const row = sizeOf(rowShape);
    const y = backend.float32([numSegments, ...rowShape]);
    const from = backend.floats(x);
    const to = backend.floats(y).fill(0);
    backend.values(segmentIds).forEach((segment, i) => {
      if (segment < 0 || segment >= numSegments) return;
      const source = i * row;
      const target = segment * row;
      for (let k = 0; k < row; k++) to[target + k]! += from[source + k]!;
    });
    return y;
  },
};

export const move: readonly OrtKernel[] = [pad, sliceKernel, split, concat, transpose, tile, gather, segmentSum];
