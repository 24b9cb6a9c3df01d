/**
 * Convolution of maps of few pixels with many channels, as the last stages of a network have them: the pixels under each
 * tap are laid side by side, and all the rest is one product of matrices, in which the filter stands as it is. Other ways
 * put every weight in order first, which costs more than multiplying where few pixels want it.
 */
import type { OrtBackend } from '../../backend.ts';
import type { Maps } from '../layout.ts';
import { gemm, type Matrix } from '../mat-mul.ts';
import { copyRun } from '../move.ts';
import type { ConvInfo } from './conv-info.ts';

/** Channels from which on pixels are copied as a whole. */
const LEAST_CHANNELS = 32;

/** With more pixels a direct convolution is quicker, however many channels there are. */
const MOST_PIXELS = 256;

/** Whether this convolution has more than one tap, and few enough pixels for laying them to be quicker. */
export function hasFewPixels(backend: OrtBackend, info: ConvInfo): boolean {
  if (backend.convolutions !== 'auto') return false;
  const channels = Math.min(info.inChannels, info.outChannels);
  // Where the filter jumps, other ways cut the map into phases first, and this one is quicker for twice as many.
  const times = info.strideHeight * info.strideWidth === 1 ? 1 : 2;
  const few = pixelsOf(info) <= times * Math.min(channels, MOST_PIXELS);
  return few && channels >= LEAST_CHANNELS && info.filterHeight * info.filterWidth > 1;
}

/** Writes the convolution of `x` with `filter`, `[filterHeight, filterWidth, inChannels, outChannels]`, to `y`. */
export function convolveFewPixels(
  backend: OrtBackend,
  info: ConvInfo,
  x: Maps,
  filter: Float32Array,
  y: Float32Array,
): void {
  withRoom(backend, info, (laid) => {
    layPixels(info, x, laid.data);
    gemm(backend, laid, { data: filter, rows: laid.columns, columns: info.outChannels }, y);
  });
}

/** Writes the gradient of the filter to `dw`. */
export function filterGradientOfFewPixels(
  backend: OrtBackend,
  info: ConvInfo,
  x: Maps,
  dy: Float32Array,
  dw: Float32Array,
): void {
  withRoom(backend, info, (laid) => {
    layPixels(info, x, laid.data);
    gemm(backend, { ...laid, transpose: true }, { data: dy, rows: laid.rows, columns: info.outChannels }, dw);
  });
}

/** Writes the gradient of the input to `dx`. */
export function inputGradientOfFewPixels(
  backend: OrtBackend,
  info: ConvInfo,
  dy: Float32Array,
  filter: Float32Array,
  dx: Maps,
): void {
  withRoom(backend, info, ({ data, rows, columns }) => {
    const weights = { data: filter, rows: columns, columns: info.outChannels, transpose: true };
    gemm(backend, { data: dy, rows, columns: info.outChannels }, weights, data);
    dx.data.fill(0);
    eachRun(info, (from, at, length) => addRun(data, at, length, dx.data, from));
  });
}

const pixelsOf = ({ batchSize, outHeight, outWidth }: ConvInfo): number => batchSize * outHeight * outWidth;

/** Lends room for what lies under the taps: a row for each pixel of the result, in it the input channels of every tap. */
function withRoom(backend: OrtBackend, info: ConvInfo, work: (laid: Matrix) => void): void {
  const rows = pixelsOf(info);
  const columns = info.filterHeight * info.filterWidth * info.inChannels;
  backend.scratch(rows * columns, (data) => work({ data, rows, columns }));
}

/** Lays what is under the taps: `[pixels, filterHeight, filterWidth, inChannels]`, zeros beside the map. */
function layPixels(info: ConvInfo, x: Maps, laid: Float32Array): void {
  const { top, left, bottom, right } = info.padInfo;
  if (top + left + bottom + right > 0) laid.fill(0);
  eachRun(info, (from, at, length) => copyRun(x.data, from, length, laid, at));
}

/**
 * Hands on the numbers under each row of the filter, for each pixel of the result: where they begin in the input, where
 * they are laid, and how many they are. Neighbours touch in both, so they are one run; what lies beside the map is left out.
 */
function eachRun(info: ConvInfo, work: (from: number, at: number, length: number) => void): void {
  const { batchSize, outHeight, outWidth, inHeight, inWidth, inChannels, filterHeight, filterWidth, padInfo } = info;
  const taps = info.dilationWidth === 1 ? filterWidth : 1; // of a run
  let at = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let outRow = 0; outRow < outHeight; outRow++) {
      for (let outColumn = 0; outColumn < outWidth; outColumn++) {
        for (let tapRow = 0; tapRow < filterHeight; tapRow++) {
          const row = outRow * info.strideHeight + tapRow * info.dilationHeight - padInfo.top;
          for (let tap = 0; tap < filterWidth; tap += taps, at += taps * inChannels) {
            const column = outColumn * info.strideWidth + tap * info.dilationWidth - padInfo.left;
            const first = Math.max(0, -column);
            const count = Math.min(taps, inWidth - column) - first;
            if (row < 0 || row >= inHeight || count <= 0) continue;
            const from = ((image * inHeight + row) * inWidth + column + first) * inChannels;
            work(from, at + first * inChannels, count * inChannels);
          }
        }
      }
    }
  }
}

function addRun(from: Float32Array, start: number, length: number, to: Float32Array, target: number): void {
  for (let i = 0; i < length; i++) to[target + i]! += from[start + i]!;
}
