import type { backend_util } from '@tensorflow/tfjs-core';
import { multiplyAdd } from './multiply-add.ts';

type Info = backend_util.Conv2DInfo;

/** The pixels of one row that one tap of the filter joins: `count` of the result, and where the first of each lies. */
interface Joined {
  /** Of the filter, row-major. */
  readonly tap: number;
  readonly count: number;
  /** Pixels, counted over the batch. */
  readonly x: number;
  readonly y: number;
}

/** Each row of the result with each tap of the filter; what lies outside of the map is left out. */
function eachJoin(info: Info, visit: (joined: Joined) => void): void {
  const { batchSize, inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth } = info;
  const { filterHeight, filterWidth, dilationHeight, dilationWidth, padInfo } = info;
  for (let row = 0; row < batchSize * outHeight; row++) {
    const image = Math.floor(row / outHeight);
    for (let r = 0; r < filterHeight; r++) {
      const i = (row % outHeight) * strideHeight + r * dilationHeight - padInfo.top;
      if (i < 0 || i >= inHeight) continue;
      for (let c = 0; c < filterWidth; c++) {
        const left = c * dilationWidth - padInfo.left; // the column that the first pixel of the result reads
        const first = Math.max(0, Math.ceil(-left / strideWidth));
        const end = Math.min(outWidth, Math.floor((inWidth - 1 - left) / strideWidth) + 1);
        if (first >= end) continue;
        const x = (image * inHeight + i) * inWidth + left + first * strideWidth;
        visit({ tap: r * filterWidth + c, count: end - first, x, y: row * outWidth + first });
      }
    }
  }
}

/** `y`, `[N, H', W', O]`, of a map `[N, H, W, I]` and a filter `[kh, kw, I, O]`; in doubles. */
export function convolve(info: Info, x: Float32Array, filter: Float32Array): Float64Array {
  const { inChannels, outChannels, strideWidth } = info;
  const y = new Float64Array(sizeOf(info.outShape));
  eachJoin(info, (at) => {
    const a = { data: x, start: at.x * inChannels, row: strideWidth * inChannels, column: 1 };
    const b = { data: filter, start: at.tap * inChannels * outChannels, row: outChannels };
    const target = { data: y, start: at.y * outChannels, row: outChannels };
    multiplyAdd(a, b, target, [at.count, inChannels, outChannels]);
  });
  return y;
}

/** The gradient of {@link convolve} by its map. */
export function inputGradient(info: Info, dy: Float32Array, filter: Float32Array): Float64Array {
  const { inChannels, outChannels, strideWidth } = info;
  const dx = new Float64Array(sizeOf(info.inShape));
  const turned = turnTaps(filter, inChannels, outChannels);
  eachJoin(info, (at) => {
    const a = { data: dy, start: at.y * outChannels, row: outChannels, column: 1 };
    const b = { data: turned, start: at.tap * inChannels * outChannels, row: inChannels };
    const target = { data: dx, start: at.x * inChannels, row: strideWidth * inChannels };
    multiplyAdd(a, b, target, [at.count, outChannels, inChannels]);
  });
  return dx;
}

/** The gradient of {@link convolve} by its filter. */
export function filterGradient(info: Info, x: Float32Array, dy: Float32Array): Float64Array {
  const { inChannels, outChannels, strideWidth, filterHeight, filterWidth } = info;
  const dw = new Float64Array(filterHeight * filterWidth * inChannels * outChannels);
  eachJoin(info, (at) => {
    const a = { data: x, start: at.x * inChannels, row: 1, column: strideWidth * inChannels };
    const b = { data: dy, start: at.y * outChannels, row: outChannels };
    const target = { data: dw, start: at.tap * inChannels * outChannels, row: outChannels };
    multiplyAdd(a, b, target, [inChannels, at.count, outChannels]);
  });
  return dw;
}

/** Each tap `[I, O]` of a filter as `[O, I]`. */
function turnTaps(filter: Float32Array, inChannels: number, outChannels: number): Float32Array {
  const turned = new Float32Array(filter.length);
  for (let from = 0, start = 0; start < filter.length; start += inChannels * outChannels) {
    for (let i = 0; i < inChannels; i++) {
      for (let o = 0; o < outChannels; o++) turned[start + o * inChannels + i] = filter[from++]!;
    }
  }
  return turned;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);
