/** The gradient of a convolution by its filter, where there is no blocked layout for it. */
import { nativeFloats, type OrtBackend } from '../../backend.ts';
import { copyGrid, type Grid } from '../grid.ts';
import { singleNode } from '../kernel.ts';
import type { Maps } from '../layout.ts';
import { batched, gemm } from '../mat-mul.ts';
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
  eachTap(backend, info, xMaps, dyMaps, 1, (tap, x, dy) => {
    const { pixels, inChannels, outChannels } = tap;
    gemm(
      backend,
      { data: x, rows: pixels, columns: inChannels, transpose: true },
      { data: dy, rows: pixels, columns: outChannels },
      dw.subarray(tap.index * inChannels * outChannels, (tap.index + 1) * inChannels * outChannels),
    );
  });
}

/**
 * The same for channels in `parts` that do not see each other, all of them in one call per tap: `dw` is
 * `[taps, parts, channels in of a part, channels out of a part]`. What a part reads beyond its own memory, the grid of its
 * neighbour, meets zeros of `dy`.
 */
export function asProductsOfParts(
  backend: OrtBackend,
  info: ConvInfo,
  xMaps: Maps,
  dyMaps: Maps,
  parts: number,
  dw: Float32Array,
): void {
  eachTap(backend, info, xMaps, dyMaps, parts, ({ index, pixels, inChannels, outChannels }, x, dy) => {
    const size = parts * inChannels * outChannels;
    backend.run(
      batched(true, false),
      [nativeFloats(x, [parts, pixels, inChannels]), nativeFloats(dy, [parts, pixels, outChannels])],
      [nativeFloats(dw.subarray(index * size, (index + 1) * size), [parts, inChannels, outChannels])],
    );
  });
}

interface Tap {
  readonly index: number;
  /** Cells of the grid. */
  readonly pixels: number;
  /** Channels of a part. */
  readonly inChannels: number;
  readonly outChannels: number;
}

/** Hands on, for each tap, the grid of the input moved by it and that of `dy`, both `[parts, pixels, channels of a part]`. */
function eachTap(
  backend: OrtBackend,
  info: ConvInfo,
  xMaps: Maps,
  dyMaps: Maps,
  parts: number,
  work: (tap: Tap, x: Float32Array, dy: Float32Array) => void,
): void {
  const [inChannels, outChannels] = [info.inChannels / parts, info.outChannels / parts];
  const rows = seam(info.inHeight, info.outHeight, info.filterHeight, info.strideHeight, info.padInfo.top);
  const columns = seam(info.inWidth, info.outWidth, info.filterWidth, info.strideWidth, info.padInfo.left);
  const pixels = info.batchSize * rows.extent * columns.extent;
  const before = (-rows.minShift * columns.extent - columns.minShift) * inChannels;
  const after = (rows.maxShift * columns.extent + columns.maxShift) * inChannels;
  inParts(
    backend,
    dyMaps.c,
    parts,
    pixels,
    [0, 0],
    (lay) => laySeamed(dyMaps, lay, rows.extent, columns.extent),
    (dy) => {
      for (let a = 0; a < info.strideHeight; a++) {
        for (let b = 0; b < info.strideWidth; b++) {
          const taps = tapsOfPhase(info, a, b);
          if (taps.length === 0) continue;
          const lay = (cells: Float32Array): void => layPhase(xMaps, info, a, b, cells, rows.extent, columns.extent);
          inParts(backend, xMaps.c, parts, pixels, [before, after], lay, (x) => {
            for (const { tap, rowShift, columnShift } of taps) {
              const from = before + (rowShift * columns.extent + columnShift) * inChannels;
              work({ index: tap, pixels, inChannels, outChannels }, x.subarray(from, from + pixels * xMaps.c), dy);
            }
          });
        }
      }
    },
  );
}

/**
 * Lends memory in which a grid of `channels` lies part by part, with zeros before and after it; `lay` writes the grid with
 * all channels of a cell together.
 */
function inParts(
  backend: OrtBackend,
  channels: number,
  parts: number,
  pixels: number,
  [before, after]: readonly [number, number],
  lay: (cells: Float32Array) => void,
  work: (memory: Float32Array) => void,
): void {
  const size = pixels * channels;
  backend.scratch(before + size + after, (memory) => {
    memory.fill(0, 0, before);
    memory.fill(0, before + size);
    const cells = memory.subarray(before, before + size);
    if (parts === 1) lay(cells);
    else {
      backend.scratch(size, (laid) => {
        lay(laid);
        const width = channels / parts;
        const turn = singleNode('parts apart', { op: 'Transpose', attributes: { perm: [1, 0, 2] } });
        backend.run(turn, [nativeFloats(laid, [pixels, parts, width])], [nativeFloats(cells, [parts, pixels, width])]);
      });
    }
    work(memory);
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
  cells: Float32Array,
  rows: number,
  columns: number,
): void {
  const { strideHeight, strideWidth } = info;
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
