import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { simdWithFloats } from '../simd.ts';
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

/** Numbers that the kernel's memory holds at a time, where a row allows it: they stay in the cache. */
const STRIP = 2 ** 18;

/** A strip of the output's rows, and the rows of the input under it. */
interface Strip {
  readonly image: number;
  readonly outRow: number;
  readonly outRows: number;
  readonly row: number;
  readonly rows: number;
  /** Where the first window begins, in rows of the strip; negative in the padding. */
  readonly top: number;
}

function* strips(info: PoolInfo): Generator<Strip> {
  const { batchSize, inHeight, outHeight, filterHeight, strideHeight, padInfo } = info;
  const perRow = info.inChannels * (2 * strideHeight * info.inWidth + info.outWidth);
  const most = Math.max(1, Math.floor(STRIP / perRow));
  for (let image = 0; image < batchSize; image++) {
    for (let outRow = 0; outRow < outHeight; outRow += most) {
      const outRows = Math.min(most, outHeight - outRow);
      const start = outRow * strideHeight - padInfo.top;
      const row = Math.max(0, Math.min(inHeight, start));
      const end = Math.min(inHeight, start + (outRows - 1) * strideHeight + filterHeight);
      yield { image, outRow, outRows, row, rows: Math.max(0, end - row), top: start - row };
    }
  }
}

/**
 * Runs the kernel on every strip. `y` is written where there is no `dx`; otherwise it holds the gradients, which are added
 * to `dx`. Rows under two strips get gradients from both.
 */
function pool(info: PoolInfo, x: Float32Array, y: Float32Array, dx?: Float32Array): void {
  const { inHeight, inWidth, outHeight, outWidth, inChannels: c, filterHeight, filterWidth, padInfo } = info;
  const [inRow, outRow] = [inWidth * c, outWidth * c];
  for (const strip of strips(info)) {
    const [inSize, outSize] = [strip.rows * inRow, strip.outRows * outRow];
    const { simd, floats } = simdWithFloats(2 * inSize + outSize);
    const from = (strip.image * inHeight + strip.row) * inRow;
    const to = (strip.image * outHeight + strip.outRow) * outRow;
    const [yAt, dxAt] = [inSize, inSize + outSize];
    const [out, into] = [y.subarray(to, to + outSize), dx?.subarray(from, from + inSize)];
    floats.set(x.subarray(from, from + inSize));
    if (into) {
      floats.set(out, yAt);
      floats.set(into, dxAt); // what the strip before gave to the rows in common
    }
    simd.maxPool(
      0,
      strip.rows,
      inWidth,
      c,
      4 * yAt,
      strip.outRows,
      outWidth,
      filterHeight,
      filterWidth,
      info.strideHeight,
      info.strideWidth,
      strip.top,
      -padInfo.left,
      into ? 4 * dxAt : 0,
    );
    if (into) into.set(floats.subarray(dxAt, dxAt + inSize));
    else out.set(floats.subarray(yAt, yAt + outSize));
  }
}

/** The maximum under each window. NaN wins over everything, as in PyTorch; the `cpu` kernel drops it. */
function maxPool({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const info = describe(x, attrs);
  if (!info) return undefined;
  const y = backend.float32(info.outShape);
  pool(info, backend.floats(x), backend.floats(y));
  return y;
}

/** Each gradient goes to the first maximum of its window (the first NaN, if there is one), as in PyTorch. */
function maxPoolGrad({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['input']!;
  const dy = inputs['dy']!;
  const info = describe(x, attrs);
  if (!info || !isFloat(dy)) return undefined;
  const dx = backend.float32(x.shape);
  pool(info, backend.floats(x), backend.floats(dy), backend.floats(dx).fill(0));
  return dx;
}

export const pooling: readonly OrtKernel[] = [
  { name: 'MaxPool', run: maxPool },
  { name: 'MaxPoolGrad', run: maxPoolGrad },
];
