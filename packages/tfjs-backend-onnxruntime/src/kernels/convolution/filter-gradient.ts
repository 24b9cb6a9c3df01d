import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../../backend.ts';
import { isFloat, type KernelCall } from '../kernel.ts';
import { blockSize, type Maps } from '../layout.ts';
import { gemm } from '../mat-mul.ts';
import { type ConvInfo, describe, groupsOf, mapsOf, strided } from './conv-info.ts';
import { filterGradientOfFewPixels, hasFewPixels } from './few-pixels.ts';
import { asConvolution } from './filter-gradient-blocked.ts';
import { writeGroupedGradient } from './filter-gradient-grouped.ts';
import { asProducts } from './filter-gradient-products.ts';
import { prefersWinograd } from './winograd/choice.ts';
import { filterGradientWinograd, isWinogradFilter } from './winograd/filter-gradient.ts';

/** The gradient of a convolution by its filter. */
export function conv2DBackpropFilter({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const dy = inputs['dy']!;
  const filterShape = attrs['filterShape'] as number[];
  if (!isFloat(x) || !isFloat(dy)) return undefined;
  const info = describe(x.shape, filterShape, { ...attrs, dilations: 1 });
  if (!info) return undefined;
  const dw = backend.float32(filterShape);
  const [xMaps, dyMaps] = [mapsOf(backend.floats(x), info.inShape), mapsOf(backend.floats(dy), info.outShape)];
  const groups = groupsOf(info, filterShape);
  if (groups > 1) writeGroupedGradient(backend, info, groups, xMaps, dyMaps, backend.floats(dw));
  else writeFilterGradient(backend, info, xMaps, dyMaps, backend.floats(dw));
  return dw;
}

/** Writes it to `dw`, `[filterHeight, filterWidth, inChannels, outChannels]`, in the way that is quickest. */
export function writeFilterGradient(backend: OrtBackend, info: ConvInfo, x: Maps, dy: Maps, dw: Float32Array): void {
  const pointwise = info.filterHeight * info.filterWidth === 1 && info.padInfo.top + info.padInfo.left === 0;
  const blocked = info.outChannels % 4 === 0 && fillsBlocks(info.outWidth, blockSize(backend)) && !skips(backend, info);
  const winograd = isWinogradFilter(info) && prefersWinograd(backend, 'filter', { ...dy, ...info });
  if (pointwise) asProduct(backend, info, x, dy, dw);
  else if (hasFewPixels(backend, info)) filterGradientOfFewPixels(backend, info, x, dy.data, dw);
  else if (winograd) filterGradientWinograd(backend, info, x, dy, dw);
  else if (blocked) asConvolution(backend, info, x, dy, dw);
  else asProducts(backend, info, x, dy, dw);
}

/**
 * Whether rows of `width` pixels, cut into blocks, leave little of them empty. Maps of a few pixels with many channels, as
 * in the last stages of small networks, do not: products are then up to three times as fast.
 */
const fillsBlocks = (width: number, block: number): boolean =>
  block > 0 && width > 0.6 * block * Math.ceil(width / block);

/**
 * Whether the filter jumps over pixels of many channels. The blocked way lays them anew for each column of the filter;
 * products, which part the map once, take up to a quarter less time.
 */
function skips(backend: OrtBackend, { strideHeight, strideWidth, inChannels }: ConvInfo): boolean {
  return strideHeight * strideWidth > 1 && inChannels >= blockSize(backend);
}

/** A 1x1 filter: input times `dy`, summed over all pixels. */
function asProduct(backend: OrtBackend, info: ConvInfo, x: Maps, dy: Maps, dw: Float32Array): void {
  strided(backend, x, info, ({ data, n, h, w, c }) => multiply(backend, data, dy.data, n * h * w, c, dy.c, dw));
}

/** `target = a' b` of two matrices of `rows` rows. */
function multiply(
  backend: OrtBackend,
  a: Float32Array,
  b: Float32Array,
  rows: number,
  aColumns: number,
  bColumns: number,
  target: Float32Array,
): void {
  gemm(backend, { data: a, rows, columns: aColumns, transpose: true }, { data: b, rows, columns: bColumns }, target);
}
