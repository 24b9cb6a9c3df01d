/**
 * The gradient of a 3x3 filter by the transforms of its correlation, backwards: with `z = A dy A'` for tiles of 4x4
 * gradients, `dg = G'[sum of (B' d B) * z over all tiles]G`, where the sums are 36 products `[in, tiles] x [tiles, out]`.
 */
import { nativeFloats, type OrtBackend } from '../../../backend.ts';
import { FLOAT, MICROSOFT } from '../../../onnx.ts';
import type { NamedGraph } from '../../../sessions.ts';
import type { Maps } from '../../layout.ts';
import { batched } from '../../mat-mul.ts';
import type { ConvInfo } from '../conv-info.ts';
import { gatherGradient } from './filter.ts';
import { clearUnused, eachRow, layRows, memoryOf, PLANES, planesAt, REACH, stripsOf, TILE, tilingOf } from './tiles.ts';

/** Whether this is a filter whose gradient the method can do. */
export function isWinogradFilter(info: ConvInfo): boolean {
  const { filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  const still = [strideHeight, strideWidth, dilationHeight, dilationWidth].every((step) => step === 1);
  return filterHeight === 3 && filterWidth === 3 && still && info.inChannels % 4 === 0 && info.outChannels % 4 === 0;
}

/** Writes the gradient to `dw`, `[3, 3, inChannels, outChannels]`. */
export function filterGradientWinograd(backend: OrtBackend, info: ConvInfo, x: Maps, dy: Maps, dw: Float32Array): void {
  const size = x.c * dy.c;
  backend.scratch(PLANES * size, (sums) => {
    backend.scratch(PLANES * size, (spare) => {
      gatherGradient(sumOverTiles(backend, info, x, dy, [sums, spare]), size, dw);
    });
  });
}

/** Tiles of a strip, and numbers of its planes: more than in a correlation, because each strip reads and writes all sums. */
const TILES = 512;
const FLOATS = 8 * 2 ** 20;

/** Each strip adds its products to the sums in one memory and leaves them in the other. */
function sumOverTiles(
  backend: OrtBackend,
  { padInfo }: ConvInfo,
  x: Maps,
  dy: Maps,
  [first, second]: readonly [Float32Array, Float32Array],
): Float32Array {
  const tiling = tilingOf(dy);
  const strips = stripsOf(tiling, x.c + dy.c, TILES, FLOATS);
  const [inWidth, outWidth] = [TILE * tiling.across + 2, TILE * tiling.across];
  const most = PLANES * strips[0]!.tiles;
  const memory = memoryOf(REACH * inWidth * x.c, TILE * outWidth * dy.c, most * x.c, most * dy.c);
  const { simd, spare, places: [laid, gradients, v, z] } = memory; // biome-ignore format: one line
  let [sums, next] = [first, second];
  for (const strip of strips) {
    eachRow(tiling, strip, (image, top, tile) => {
      layRows(x, image, top - padInfo.top, -padInfo.left, REACH, inWidth, laid.floats);
      simd.winogradInput(laid.address, 4 * inWidth * x.c, x.c, tiling.across, ...planesAt(v, strip, tile, x.c), spare);
      layRows(dy, image, top, 0, TILE, outWidth, gradients.floats);
      const planes = planesAt(z, strip, tile, dy.c);
      simd.winogradSpread(gradients.address, 4 * outWidth * dy.c, dy.c, tiling.across, ...planes, spare);
    });
    clearUnused(tiling, strip, x.c, v.floats);
    clearUnused(tiling, strip, dy.c, z.floats);
    const planes = (floats: Float32Array, c: number) =>
      nativeFloats(floats.subarray(0, PLANES * strip.tiles * c), [PLANES, strip.tiles, c]);
    const matrices = (floats: Float32Array) => nativeFloats(floats, [PLANES, x.c, dy.c]);
    const factors = [planes(v.floats, x.c), planes(z.floats, dy.c)];
    if (strip.first === 0) {
      backend.run(batched(true, false), factors, [matrices(sums)]);
      continue;
    }
    backend.run(PRODUCT_AND_SUM, [...factors, matrices(sums)], [matrices(next)]);
    [sums, next] = [next, sums];
  }
  return sums;
}

const PRODUCT_AND_SUM: NamedGraph = {
  key: 'FusedMatMul 10 and Add',
  heavy: true,
  graph: () => ({
    nodes: [
      {
        op: 'FusedMatMul',
        domain: MICROSOFT,
        inputs: ['i0', 'i1'],
        outputs: ['p'],
        attributes: { transA: 1, transB: 0 },
      },
      { op: 'Add', inputs: ['p', 'i2'], outputs: ['o0'] },
    ],
    inputs: ['i0', 'i1', 'i2'].map((name) => ({ name, type: FLOAT })),
    outputs: [{ name: 'o0', type: FLOAT }],
  }),
};
