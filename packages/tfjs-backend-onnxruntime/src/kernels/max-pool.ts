import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import type { NativeTensor } from '../native.ts';
import { FLOAT, type GraphNode, INT64 } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';
import { isFloat, type KernelCall, type OrtKernel, sizeOf } from './kernel.ts';

type PoolInfo = backend_util.Conv2DInfo;

function describe(x: TensorInfo, attrs: KernelCall['attrs']): PoolInfo | undefined {
  if (!isFloat(x) || x.shape.length !== 4 || sizeOf(x.shape) === 0) return undefined;
  const info = backend_util.computePool2DInfo(
    x.shape as [number, number, number, number],
    attrs['filterSize'] as number | [number, number],
    attrs['strides'] as number | [number, number],
    1,
    attrs['pad'] as 'same' | 'valid' | number,
    attrs['dimRoundingMode'] as 'floor' | undefined,
  );
  return sizeOf(info.outShape) === 0 ? undefined : info;
}

/** Calls `visit` for every pixel of the output with the pixels of the input under it, in row order. */
function eachWindow(info: PoolInfo, visit: (target: number, sources: readonly number[]) => void): void {
  const { batchSize, inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth, padInfo } = info;
  const c = info.inChannels;
  const sources: number[] = [];
  let target = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let row = 0; row < outHeight; row++) {
      const top = row * strideHeight - padInfo.top;
      for (let column = 0; column < outWidth; column++, target += c) {
        const left = column * strideWidth - padInfo.left;
        sources.length = 0;
        for (let h = Math.max(0, top); h < Math.min(inHeight, top + info.filterHeight); h++) {
          for (let w = Math.max(0, left); w < Math.min(inWidth, left + info.filterWidth); w++) {
            sources.push(((image * inHeight + h) * inWidth + w) * c);
          }
        }
        visit(target, sources);
      }
    }
  }
}

/** Numbers in a row of the input from which on a call per row of the output is worth it. */
const WORTH_ROWS = 4096;

/** Without padding every window is whole. */
function isWhole({ padInfo: { top, bottom, left, right }, inWidth, inChannels }: PoolInfo): boolean {
  return top + bottom + left + right === 0 && inWidth * inChannels >= WORTH_ROWS;
}

/**
 * One row of the output: the maximum of the rows under it, then that of every `strideWidth`-th column from 0, 1, 2, … on.
 * `Max` of onnxruntime keeps NaN. A row at a time, everything between is small and stays in the cache.
 */
function rowGraph({ filterHeight, filterWidth }: PoolInfo): NamedGraph {
  const rows = Array.from({ length: filterHeight }, (_, i) => `i${i}`);
  const at = (column: number, which: number): string => `i${filterHeight + 2 * column + which}`;
  const [axis, step] = [at(filterWidth, 0), at(filterWidth, 1)];
  const columns = Array.from({ length: filterWidth }, (_, k): GraphNode => {
    return { op: 'Slice', inputs: ['row', at(k, 0), at(k, 1), axis, step], outputs: [`column${k}`] };
  });
  return {
    key: `MaxPool ${filterHeight}x${filterWidth}`,
    graph: () => ({
      nodes: [
        { op: 'Max', inputs: rows, outputs: ['row'] },
        ...columns,
        { op: 'Max', inputs: columns.flatMap(({ outputs }) => outputs), outputs: ['o0'] },
      ],
      inputs: Array.from({ length: filterHeight + 2 * filterWidth + 2 }, (_, i) => {
        return { name: `i${i}`, type: i < filterHeight ? FLOAT : INT64 };
      }),
      outputs: [{ name: 'o0', type: FLOAT }],
    }),
  };
}

function poolRows(backend: OrtBackend, info: PoolInfo, from: Float32Array, to: Float32Array): void {
  const { batchSize, inHeight, inWidth, inChannels: c, outHeight, outWidth, filterHeight, strideHeight } = info;
  const graph = rowGraph(info);
  const number = (value: number): NativeTensor => {
    return { type: 'int64', location: 'cpu', dims: [1], data: BigInt64Array.of(BigInt(value)) };
  };
  const span = (outWidth - 1) * info.strideWidth + 1; // from the first column taken to the last
  const starts = Array.from({ length: info.filterWidth }, (_, k) => [number(k), number(k + span)]).flat();
  const shared = [...starts, number(0), number(info.strideWidth)];
  const [inRow, outRow] = [inWidth * c, outWidth * c];
  for (let row = 0; row < batchSize * outHeight; row++) {
    const top = Math.floor(row / outHeight) * inHeight + (row % outHeight) * strideHeight;
    const rows = Array.from({ length: filterHeight }, (_, i) =>
      nativeFloats(from.subarray((top + i) * inRow, (top + i + 1) * inRow), [inWidth, c]),
    );
    const target = nativeFloats(to.subarray(row * outRow, (row + 1) * outRow), [outWidth, c]);
    backend.run(graph, [...rows, ...shared], [target]);
  }
}

/** The maximum under each window. NaN wins over everything, as in PyTorch; the `cpu` kernel drops it. */
function maxPool({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const info = describe(x, attrs);
  if (!info) return undefined;
  const y = backend.float32(info.outShape);
  const from = backend.floats(x);
  const to = backend.floats(y);
  if (isWhole(info)) {
    poolRows(backend, info, from, to);
    return y;
  }
  const c = info.inChannels;
  eachWindow(info, (target, sources) => {
    if (sources.length === 0) {
      to.fill(Number.NEGATIVE_INFINITY, target, target + c);
      return;
    }
    const first = sources[0]!;
    for (let i = 0; i < c; i++) to[target + i] = from[first + i]!;
    for (let s = 1; s < sources.length; s++) {
      const source = sources[s]!;
      for (let i = 0; i < c; i++) {
        const value = from[source + i]!;
        const best = to[target + i]!;
        if (!(value <= best) && best === best) to[target + i] = value;
      }
    }
  });
  return y;
}

/** Each gradient goes to the first maximum of its window (the first NaN, if there is one), as in PyTorch. */
function maxPoolGrad({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['input']!;
  const dy = inputs['dy']!;
  const info = describe(x, attrs);
  if (!info || !isFloat(dy)) return undefined;
  const dx = backend.float32(x.shape);
  const from = backend.floats(x);
  const gradient = backend.floats(dy);
  const to = backend.floats(dx).fill(0);
  const c = info.inChannels;
  eachWindow(info, (target, sources) => {
    for (let i = 0; i < c; i++) {
      let winner = sources[0]! + i;
      let best = from[winner]!;
      for (let s = 1; s < sources.length; s++) {
        const value = from[sources[s]! + i]!;
        if (!(value <= best) && best === best) {
          best = value;
          winner = sources[s]! + i;
        }
      }
      to[winner]! += gradient[target + i]!;
    }
  });
  return dx;
}

export const pooling: readonly OrtKernel[] = [
  { name: 'MaxPool', run: maxPool },
  { name: 'MaxPoolGrad', run: maxPoolGrad },
];
