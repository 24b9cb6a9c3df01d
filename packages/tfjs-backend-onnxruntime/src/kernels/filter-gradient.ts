import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import { FLOAT, NCHWC } from '../onnx.ts';
import { type ConvInfo, describe, gridOf, mapsOf, strided } from './conv-info.ts';
import { copyGrid, type Grid } from './grid.ts';
import { isFloat, type KernelCall, singleNode } from './kernel.ts';
import { blockSize, fromBlocks, type Maps, toBlocks } from './layout.ts';
import { gemm } from './mat-mul.ts';
import { copyRun } from './move.ts';

/** The gradient of a convolution by its filter. */
export function conv2DBackpropFilter({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const dy = inputs['dy']!;
  const filterShape = attrs['filterShape'] as number[];
  if (!isFloat(x) || !isFloat(dy)) return undefined;
  const info = describe(x.shape, filterShape, { ...attrs, dilations: 1 });
  if (!info) return undefined;
  const pointwise = info.filterHeight * info.filterWidth === 1 && info.padInfo.top + info.padInfo.left === 0;
  const blocked = blockSize(backend) > 0 && info.outChannels % 4 === 0;
  const dw = backend.float32(filterShape);
  const [xMaps, dyMaps] = [mapsOf(backend.floats(x), info.inShape), mapsOf(backend.floats(dy), info.outShape)];
  if (pointwise) asProduct(backend, info, xMaps, dyMaps, backend.floats(dw));
  else if (blocked) asConvolution(backend, info, xMaps, dyMaps, backend.floats(dw));
  else asProducts(backend, info, xMaps, dyMaps, backend.floats(dw));
  return dw;
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

/**
 * The whole gradient as one fast convolution per column of the filter.
 *
 * `dw[kh, kw, c, k]` sums `x[s i + kh, s j + kw, c] dy[i, j, k]` over all pixels `(i, j)`. Read the image's
 * columns `j` as the channels to sum over, `c` as the columns of the result, and `dy` as a filter as tall
 * as the image: then for one `kw` this is a convolution along rows with dilation `s`, whose result has the
 * rows `kh`. It runs at the speed of the forward pass, where products of tall matrices reach half of that.
 *
 * The image is cut into tiles of one block of columns and a few rows, all of them channels to sum over: a
 * filter of few rows stays in the cache, and each tile is the unit that the blocked layout wants.
 */
function asConvolution(backend: OrtBackend, info: ConvInfo, x: Maps, dy: Maps, dw: Float32Array): void {
  const { strideHeight, filterHeight, filterWidth, inChannels, outChannels } = info;
  const tiling = tile(info, blockSize(backend));
  const { tiles, rows, columns } = tiling;
  const inRows = (rows - 1) * strideHeight + filterHeight;
  const channels = tiles * columns; // those to sum over
  const outBlocks = Math.ceil(outChannels / columns) * columns;
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
  const matrix = inChannels * outChannels;
  backend.scratch(channels * rows * outBlocks, (filter) => {
    backend.scratch(channels * rows * outChannels, (laid) => {
      layTiles(dy, tiling, { rows, step: 1, top: 0, left: 0 }, laid);
      toBlocks(backend, { data: laid, n: 1, h: tiles * rows, w: columns, c: outChannels }, filter, outBlocks);
    });
    backend.scratch(filterHeight * inChannels * (outBlocks + outChannels), (result) => {
      const resultBlocks = result.subarray(0, filterHeight * inChannels * outBlocks);
      const column = result.subarray(resultBlocks.length);
      for (let kw = 0; kw < filterWidth; kw++) {
        backend.scratch(channels * inRows * inChannels, (image) => {
          layColumns(backend, x, info, tiling, kw, inRows, image);
          backend.run(
            graph,
            [
              nativeFloats(image, [1, channels, inRows, inChannels]),
              nativeFloats(filter, [outBlocks, channels, rows, 1]),
            ],
            [nativeFloats(resultBlocks, [1, outBlocks, filterHeight, inChannels])],
          );
        });
        fromBlocks(backend, resultBlocks, outBlocks, {
          data: column,
          n: 1,
          h: filterHeight,
          w: inChannels,
          c: outChannels,
        });
        for (let kh = 0; kh < filterHeight; kh++) {
          dw.set(column.subarray(kh * matrix, (kh + 1) * matrix), (kh * filterWidth + kw) * matrix);
        }
      }
    });
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

/** The input under column `kw` of the filter, tile by tile, pixels within a row innermost. */
function layColumns(
  backend: OrtBackend,
  x: Maps,
  info: ConvInfo,
  tiling: Tiling,
  kw: number,
  inRows: number,
  image: Float32Array,
): void {
  const { strideHeight: step, padInfo } = info;
  const { tiles, columns } = tiling;
  backend.scratch(image.length, (laid) => {
    layTiles(
      x,
      tiling,
      { rows: inRows, step, top: -padInfo.top, left: kw - padInfo.left, stepAcross: info.strideWidth },
      laid,
    );
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
  maps: Maps,
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
          layRow(maps, image, row, firstColumn, stepAcross, tiling.columns, target, at);
          at += tiling.columns * maps.c;
        }
      }
    }
  }
}

/** `count` pixels of a row from `column` on, every `step`-th. */
function layRow(
  { data, h, w, c }: Maps,
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
  const source = ((image * h + row) * w + column) * c;
  target.fill(0, at, at + first * c);
  target.fill(0, at + end * c, at + count * c);
  if (step === 1) target.set(data.subarray(source + first * c, source + end * c), at + first * c);
  else for (let i = first; i < end; i++) copyRun(data, source + i * step * c, c, target, at + i * c);
}

/**
 * For processors or channels without the blocked layout: one product per tap of the filter.
 *
 * Input and `dy` are laid on grids of the same width with a seam of zeros, one seam between rows and
 * between images serving both sides. Then moving by a tap is moving the start of the input: every
 * product reads the same memory at another offset, and nothing is gathered. A stride splits the input
 * into phases first, each on its own grid.
 */
function asProducts(backend: OrtBackend, info: ConvInfo, xMaps: Maps, dyMaps: Maps, dw: Float32Array): void {
  const { inChannels, outChannels } = info;
  const rows = seam(info.inHeight, info.outHeight, info.filterHeight, info.strideHeight, info.padInfo.top);
  const columns = seam(info.inWidth, info.outWidth, info.filterWidth, info.strideWidth, info.padInfo.left);
  const pixels = info.batchSize * rows.extent * columns.extent;
  const before = (-rows.minShift * columns.extent - columns.minShift) * inChannels;
  const after = (rows.maxShift * columns.extent + columns.maxShift) * inChannels;
  backend.scratch(pixels * outChannels, (dyGrid) => {
    laySeamed(dyMaps, dyGrid, rows.extent, columns.extent);
    backend.scratch(before + pixels * inChannels + after, (xGrid) => {
      for (let a = 0; a < info.strideHeight; a++) {
        for (let b = 0; b < info.strideWidth; b++) {
          const taps = tapsOfPhase(info, a, b);
          if (taps.length === 0) continue;
          layPhase(xMaps, info, a, b, xGrid, before, after, rows.extent, columns.extent);
          for (const { tap, rowShift, columnShift } of taps) {
            const from = before + (rowShift * columns.extent + columnShift) * inChannels;
            const under = xGrid.subarray(from, from + pixels * inChannels);
            gemm(
              backend,
              { data: under, rows: pixels, columns: inChannels, transpose: true },
              { data: dyGrid, rows: pixels, columns: outChannels },
              dw.subarray(tap * inChannels * outChannels, (tap + 1) * inChannels * outChannels),
            );
          }
        }
      }
    });
  });
}

interface Seam {
  /** Cells of the grid along this axis, seam included. */
  readonly extent: number;
  readonly minShift: number;
  readonly maxShift: number;
}

function seam(size: number, outSize: number, kernel: number, stride: number, pad: number): Seam {
  const minShift = Math.min(0, Math.floor(-pad / stride));
  const maxShift = Math.max(0, Math.floor((kernel - 1 - pad) / stride));
  const phaseSize = Math.ceil(size / stride);
  return { extent: Math.max(outSize + maxShift, phaseSize - minShift), minShift, maxShift };
}

/** The taps that read phase `(a, b)` of the input, and how far each moves on that phase's grid. */
function tapsOfPhase(info: ConvInfo, a: number, b: number): { tap: number; rowShift: number; columnShift: number }[] {
  const taps = [];
  for (let r = 0; r < info.filterHeight; r++) {
    for (let c = 0; c < info.filterWidth; c++) {
      const row = r - info.padInfo.top;
      const column = c - info.padInfo.left;
      const rowShift = Math.floor(row / info.strideHeight);
      const columnShift = Math.floor(column / info.strideWidth);
      if (row - rowShift * info.strideHeight !== a || column - columnShift * info.strideWidth !== b) continue;
      taps.push({ tap: r * info.filterWidth + c, rowShift, columnShift });
    }
  }
  return taps;
}

/** Lays maps on a grid with a seam of zeros at the right of every row and below every image. */
function laySeamed({ data, n, h, w, c }: Maps, grid: Float32Array, rows: number, columns: number): void {
  let from = 0;
  let to = 0;
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < h; row++) {
      grid.set(data.subarray(from, from + w * c), to);
      grid.fill(0, to + w * c, to + columns * c);
      from += w * c;
      to += columns * c;
    }
    const end = (image + 1) * rows * columns * c;
    grid.fill(0, to, end);
    to = end;
  }
}

function layPhase(
  x: Maps,
  info: ConvInfo,
  a: number,
  b: number,
  grid: Float32Array,
  before: number,
  after: number,
  rows: number,
  columns: number,
): void {
  const { strideHeight, strideWidth } = info;
  const cells = grid.subarray(before, grid.length - after);
  grid.fill(0, 0, before);
  grid.fill(0, grid.length - after);
  if (strideHeight === 1 && strideWidth === 1) {
    laySeamed(x, cells, rows, columns);
    return;
  }
  cells.fill(0);
  const h = Math.ceil((x.h - a) / strideHeight);
  const w = Math.ceil((x.w - b) / strideWidth);
  const target: Grid = { data: cells, start: 0, image: rows * columns * x.c, row: columns * x.c, column: x.c };
  copyGrid(gridOf(x, strideHeight, strideWidth, a, b), target, x.n, h, w, x.c);
}
