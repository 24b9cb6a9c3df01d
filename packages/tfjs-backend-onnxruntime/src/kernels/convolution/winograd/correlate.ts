/**
 * Correlation with 3x3 taps by Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv:1509.09308): 36 products where the plain
 * way has 144, for a transform of every tile of the input, of the filter and of the result.
 *
 * `y = A'[(G g G') * (B' d B)]A` for tiles `d` of 6x6 pixels: the products `*` of all tiles and channels are 36 products
 * of matrices, `[tiles, in] x [in, out]`, which onnxruntime does; the transforms are kernels of ours. Rows of tiles are
 * taken a few at a time, so that their planes are still in the cache when they are read.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../../../backend.ts';
import type { Maps } from '../../layout.ts';
import { batched } from '../../mat-mul.ts';
import type { Taps, Window } from '../taps.ts';
import { transformFilter } from './filter.ts';
import {
  clearUnused,
  eachRow,
  layRows,
  memoryOf,
  PLANES,
  planesAt,
  REACH,
  stripsOf,
  TILE,
  tilingOf,
  writeRows,
} from './tiles.ts';

/** Whether this is a correlation that the method can do: 3x3 taps side by side, channels in groups of four. */
export function isWinograd(x: Maps, taps: Taps, { strides, dilations }: Window, y: Maps): boolean {
  const still = [...strides, ...dilations].every((step) => step === 1);
  return taps.rows === 3 && taps.columns === 3 && still && x.c % 4 === 0 && y.c % 4 === 0 && isWhole(taps, x.c * y.c);
}

/** All nine matrices of a filter in their order; going backwards, from the last to the first. */
function isWhole({ offsets, transposed }: Taps, size: number): boolean {
  return offsets.every((offset, i) => offset === (transposed ? 8 - i : i) * size);
}

/** Tiles of a strip: enough for the products to be fast, few enough for the cache. */
const TILES = 256;
/** Numbers that the planes of a strip may have: 16 MiB. */
const FLOATS = 4 * 2 ** 20;

/**
 * Writes the correlation to `y`. A filter that is turned around has its 36 planes in the opposite order, so going
 * backwards uses the same ones, read backwards.
 */
export function correlateWinograd(
  backend: OrtBackend,
  x: Maps,
  filter: TensorInfo,
  { transposed }: Taps,
  { pads }: Window,
  y: Maps,
): void {
  const matrices = backend.derived(filter, 'Winograd', PLANES * x.c * y.c, (target) =>
    transformFilter(backend.floats(filter), x.c * y.c, target),
  );
  const weights = nativeFloats(matrices, [PLANES, ...(transposed ? [y.c, x.c] : [x.c, y.c])]);
  const tiling = tilingOf(y);
  const strips = stripsOf(tiling, x.c + y.c, TILES, FLOATS);
  const [inWidth, outWidth] = [TILE * tiling.across + 2, TILE * tiling.across];
  const most = PLANES * strips[0]!.tiles;
  const memory = memoryOf(REACH * inWidth * x.c, most * x.c, most * y.c, TILE * outWidth * y.c);
  const { simd, spare, places: [laid, v, m, result] } = memory; // biome-ignore format: one line
  for (const strip of strips) {
    eachRow(tiling, strip, (image, top, tile) => {
      layRows(x, image, top - pads[0], -pads[1], REACH, inWidth, laid.floats);
      const planes = planesAt(v, strip, tile, x.c, transposed);
      simd.winogradInput(laid.address, 4 * inWidth * x.c, x.c, tiling.across, ...planes, spare);
    });
    clearUnused(tiling, strip, x.c, v.floats);
    const planes = (floats: Float32Array, c: number) =>
      nativeFloats(floats.subarray(0, PLANES * strip.tiles * c), [PLANES, strip.tiles, c]);
    backend.run(batched(false, transposed), [planes(v.floats, x.c), weights], [planes(m.floats, y.c)]);
    eachRow(tiling, strip, (image, top, tile) => {
      const planes = planesAt(m, strip, tile, y.c, transposed);
      simd.winogradOutput(...planes, y.c, tiling.across, result.address, 4 * outWidth * y.c, spare);
      writeRows(y, image, top, outWidth, result.floats);
    });
  }
}
