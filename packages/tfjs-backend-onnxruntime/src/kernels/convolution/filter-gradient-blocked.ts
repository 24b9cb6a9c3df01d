/**
 * The gradient of a convolution by its filter as a fast convolution in the blocked layout.
 *
 * `dw[kh, kw, c, k]` sums `x[s i + kh, s j + kw, c] dy[i, j, k]` over all pixels `(i, j)`. Read the image's
 * columns `j` as the channels to sum over, `c` as the columns of the result, and `dy` as a filter as tall
 * as the image: then for one `kw` this is a convolution along rows with dilation `s`, whose result has the
 * rows `kh`. It runs at the speed of the forward pass, where products of tall matrices reach half of that.
 *
 * The image is cut into tiles of one block of columns and a few rows, all of them channels to sum over: a
 * filter of few rows stays in the cache, and each tile is the unit that the blocked layout wants.
 */
import { nativeFloats, type OrtBackend } from '../../backend.ts';
import { FLOAT, NCHWC } from '../../onnx.ts';
import { singleNode } from '../kernel.ts';
import { blockSize, fromBlocks, type Maps, toBlocks } from '../layout.ts';
import { copyRun } from '../move.ts';
import type { ConvInfo } from './conv-info.ts';

/** Writes the gradient to `dw`, `[filterHeight, filterWidth, inChannels, outChannels]`. */
export function asConvolution(backend: OrtBackend, info: ConvInfo, x: Maps, dy: Maps, dw: Float32Array): void {
  const tiling = tile(info, blockSize(backend));
  const { tiles, rows, columns } = tiling;
  const outBlocks = Math.ceil(info.outChannels / columns) * columns;
  backend.scratch(tiles * columns * rows * outBlocks, (filter) => {
    backend.scratch(tiles * columns * rows * info.outChannels, (laid) => {
      layTiles(pixelsOf(dy), tiling, { rows, step: 1, top: 0, left: 0 }, laid);
      toBlocks(backend, { data: laid, n: 1, h: tiles * rows, w: columns, c: info.outChannels }, filter, outBlocks);
    });
    const tilted: Tilted = { info, tiling, filter, outBlocks };
    if (info.inChannels < columns) allColumnsAtOnce(backend, tilted, x, dw);
    else columnByColumn(backend, tilted, x, dw);
  });
}

/** What all columns of the filter have in common: `dy` laid as a filter. */
interface Tilted {
  readonly info: ConvInfo;
  readonly tiling: Tiling;
  readonly filter: Float32Array;
  readonly outBlocks: number;
}

function columnByColumn(backend: OrtBackend, tilted: Tilted, x: Maps, dw: Float32Array): void {
  const { filterHeight, filterWidth, inChannels, outChannels } = tilted.info;
  const matrix = inChannels * outChannels;
  backend.scratch(filterHeight * matrix, (column) => {
    for (let kw = 0; kw < filterWidth; kw++) {
      convolve(backend, tilted, pixelsOf(x), kw - tilted.info.padInfo.left, column);
      for (let kh = 0; kh < filterHeight; kh++) {
        dw.set(column.subarray(kh * matrix, (kh + 1) * matrix), (kh * filterWidth + kw) * matrix);
      }
    }
  });
}

/**
 * For few channels, such as those of an image. Neighbouring pixels touch in memory, so those under a row of the filter
 * are one run: read as one pixel of `filterWidth` times the channels, they give all columns of the filter together, in
 * their order in `dw`. Zeros on both sides of each row keep every run inside of it.
 */
function allColumnsAtOnce(backend: OrtBackend, tilted: Tilted, { data, n, h, w, c }: Maps, dw: Float32Array): void {
  const { filterWidth, outWidth, strideWidth, padInfo } = tilted.info;
  const columns = Math.max(padInfo.left + w, (outWidth - 1) * strideWidth + filterWidth);
  backend.scratch(n * h * columns * c, (padded) => {
    padded.fill(0);
    for (let row = 0; row < n * h; row++) {
      padded.set(data.subarray(row * w * c, (row + 1) * w * c), (row * columns + padInfo.left) * c);
    }
    const w0 = columns - filterWidth + 1; // pixels at which a run can begin
    convolve(backend, tilted, { data: padded, h, w: w0, c: filterWidth * c, apart: c, row: columns * c }, 0, dw);
  });
}

/** The convolution for the input pixels from `left` on: `target` is `[filterHeight, channels of x, outChannels]`. */
function convolve(
  backend: OrtBackend,
  { info, tiling, filter, outBlocks }: Tilted,
  x: Pixels,
  left: number,
  target: Float32Array,
): void {
  const { strideHeight, filterHeight, outChannels } = info;
  const { tiles, rows, columns } = tiling;
  const inRows = (rows - 1) * strideHeight + filterHeight;
  const channels = tiles * columns; // those to sum over
  const graph = singleNode(
    `filter gradient ${strideHeight}`,
    {
      op: 'Conv',
      domain: NCHWC,
      attributes: { dilations: [strideHeight, 1], strides: [1, 1], pads: [0, 0, 0, 0], group: 1 },
    },
    [FLOAT, FLOAT],
    FLOAT,
    true,
  );
  backend.scratch(filterHeight * x.c * outBlocks, (result) => {
    backend.scratch(channels * inRows * x.c, (image) => {
      layColumns(backend, x, info, tiling, left, inRows, image);
      backend.run(
        graph,
        [nativeFloats(image, [1, channels, inRows, x.c]), nativeFloats(filter, [outBlocks, channels, rows, 1])],
        [nativeFloats(result, [1, outBlocks, filterHeight, x.c])],
      );
    });
    fromBlocks(backend, result, outBlocks, { data: target, n: 1, h: filterHeight, w: x.c, c: outChannels });
  });
}

/** How the output pixels are cut: `tiles` of `rows` x `columns`, those at the edges partly empty. */
interface Tiling {
  readonly images: number;
  readonly down: number;
  readonly across: number;
  readonly tiles: number;
  readonly rows: number;
  readonly columns: number;
}

/** Rows of a tile: enough to make a call worth it, few enough for the filter to stay in the cache. */
const TILE_ROWS = 16;

function tile({ batchSize: images, outHeight, outWidth }: ConvInfo, columns: number): Tiling {
  const down = Math.ceil(outHeight / TILE_ROWS);
  const rows = Math.ceil(outHeight / down);
  const across = Math.ceil(outWidth / columns);
  return { images, down, across, tiles: images * down * across, rows, columns };
}

/** Pixels of some maps, `c` neighbouring numbers each; those of neighbours may overlap. */
interface Pixels {
  readonly data: Float32Array;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  /** Numbers from one pixel to the next, and from one row to the next. */
  readonly apart: number;
  readonly row: number;
}

const pixelsOf = ({ data, h, w, c }: Maps): Pixels => ({ data, h, w, c, apart: c, row: w * c });

/** The input pixels from `left` on, tile by tile, pixels within a row innermost. */
function layColumns(
  backend: OrtBackend,
  x: Pixels,
  info: ConvInfo,
  tiling: Tiling,
  left: number,
  inRows: number,
  image: Float32Array,
): void {
  const { strideHeight: step, padInfo } = info;
  const { tiles, columns } = tiling;
  backend.scratch(image.length, (laid) => {
    layTiles(x, tiling, { rows: inRows, step, top: -padInfo.top, left, stepAcross: info.strideWidth }, laid);
    const rows = singleNode('ReorderInput NCHW', { op: 'ReorderInput', domain: NCHWC });
    const n = tiles * inRows;
    backend.run(rows, [nativeFloats(laid, [n, columns, 1, x.c])], [nativeFloats(image, [n, columns, 1, x.c])]);
  });
}

interface Tile {
  /** Rows to lay of each tile. */
  readonly rows: number;
  /** Pixels of the map per output pixel, and the pixel at which the first tile begins. */
  readonly step: number;
  readonly stepAcross?: number;
  readonly top: number;
  readonly left: number;
}

/** Copies the pixels of each tile to `target`, `[tiles, rows, columns, c]`, with zeros outside of the map. */
function layTiles(
  pixels: Pixels,
  tiling: Tiling,
  { rows, step, stepAcross = step, top, left }: Tile,
  target: Float32Array,
): void {
  let at = 0;
  for (let image = 0; image < tiling.images; image++) {
    for (let down = 0; down < tiling.down; down++) {
      for (let across = 0; across < tiling.across; across++) {
        const firstRow = down * tiling.rows * step + top;
        const firstColumn = across * tiling.columns * stepAcross + left;
        for (let row = firstRow; row < firstRow + rows; row++) {
          layRow(pixels, image, row, firstColumn, stepAcross, tiling.columns, target, at);
          at += tiling.columns * pixels.c;
        }
      }
    }
  }
}

/** `count` pixels of a row from `column` on, every `step`-th. */
function layRow(
  { data, h, w, c, apart, row: rowLength }: Pixels,
  image: number,
  row: number,
  column: number,
  step: number,
  count: number,
  target: Float32Array,
  at: number,
): void {
  const first = column < 0 ? Math.ceil(-column / step) : 0; // of the `count` pixels, those inside the map
  const end = Math.max(first, Math.min(count, Math.ceil((w - column) / step)));
  if (row < 0 || row >= h || first >= count) {
    target.fill(0, at, at + count * c);
    return;
  }
  const source = (image * h + row) * rowLength + column * apart;
  target.fill(0, at, at + first * c);
  target.fill(0, at + end * c, at + count * c);
  if (step * apart === c) target.set(data.subarray(source + first * c, source + end * c), at + first * c);
  else for (let i = first; i < end; i++) copyRun(data, source + i * step * apart, c, target, at + i * c);
}
