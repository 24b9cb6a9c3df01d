/** The gradient of a convolution by its filter, where there is no blocked layout for it. */
import type { OrtBackend } from '../../backend.ts';
import { copyGrid, type Grid } from '../grid.ts';
import type { Maps } from '../layout.ts';
import { gemm } from '../mat-mul.ts';
import { type ConvInfo, gridOf } from './conv-info.ts';

/**
 * For processors or channels without the blocked layout: one product per tap of the filter.
 *
 * Input and `dy` are laid on grids of the same width with a seam of zeros, one seam between rows and
 * between images serving both sides. Then moving by a tap is moving the start of the input: every
 * product reads the same memory at another offset, and nothing is gathered. A stride splits the input
 * into phases first, each on its own grid.
 */
export function asProducts(backend: OrtBackend, info: ConvInfo, xMaps: Maps, dyMaps: Maps, dw: Float32Array): void {
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
