import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../backend.ts';
import { canActivate, finish } from './activation.ts';
import { correlate, type Taps, type Window } from './correlate.ts';
import { copyGrid, type Grid } from './grid.ts';
import { isFloat, type KernelCall, type OrtKernel, sizeOf } from './kernel.ts';
import type { Maps } from './layout.ts';
import { gemm } from './mat-mul.ts';

type ConvInfo = backend_util.Conv2DInfo;
type Shape4D = [number, number, number, number];

/** A convolution this file covers: NHWC, ungrouped, nothing empty. Otherwise undefined. */
function describe(
  xShape: readonly number[],
  filterShape: readonly number[],
  attrs: KernelCall['attrs'],
): ConvInfo | undefined {
  if ((attrs['dataFormat'] ?? 'NHWC') !== 'NHWC') return undefined;
  const info = backend_util.computeConv2DInfo(
    xShape as Shape4D,
    filterShape as Shape4D,
    attrs['strides'] as number | [number, number],
    (attrs['dilations'] as number | [number, number] | undefined) ?? 1,
    attrs['pad'] as 'same' | 'valid' | number,
    attrs['dimRoundingMode'] as 'floor' | undefined,
    false,
    'channelsLast',
  );
  const grouped = info.inChannels !== filterShape[2];
  const empty = sizeOf(info.inShape) * sizeOf(info.outShape) * sizeOf(filterShape) === 0;
  return grouped || empty ? undefined : info;
}

function mapsOf(data: Float32Array, [n, h, w, c]: readonly number[]): Maps {
  return { data, n: n!, h: h!, w: w!, c: c! };
}

function allTaps({ filterHeight: rows, filterWidth: columns, inChannels, outChannels }: ConvInfo): Taps {
  const offsets = Array.from({ length: rows * columns }, (_, tap) => tap * inChannels * outChannels);
  return { rows, columns, offsets, transposed: false };
}

function forwardWindow(info: ConvInfo): Window {
  const end = (out: number, stride: number, kernel: number, size: number, start: number) =>
    Math.max(0, (out - 1) * stride + kernel - size - start);
  const { top, left } = info.padInfo;
  const bottom = end(info.outHeight, info.strideHeight, info.effectiveFilterHeight, info.inHeight, top);
  const right = end(info.outWidth, info.strideWidth, info.effectiveFilterWidth, info.inWidth, left);
  return {
    pads: [top, left, bottom, right],
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
  };
}

function conv2D({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const filter = inputs['filter']!;
  if (!isFloat(x) || !isFloat(filter)) return undefined;
  const info = describe(x.shape, filter.shape, attrs);
  if (!info) return undefined;
  const y = backend.float32(info.outShape);
  const yMaps = mapsOf(backend.floats(y), info.outShape);
  const xMaps = mapsOf(backend.floats(x), info.inShape);
  const window = forwardWindow(info);
  if (info.filterHeight * info.filterWidth === 1 && window.pads.every((pad) => pad === 0)) {
    strided(backend, xMaps, info, (source) => correlate(backend, source, filter, allTaps(info), STILL, yMaps));
  } else {
    correlate(backend, xMaps, filter, allTaps(info), window, yMaps);
  }
  return y;
}

const STILL: Window = { pads: [0, 0, 0, 0], strides: [1, 1], dilations: [1, 1] };

/** Hands on the pixels that a 1x1 convolution with a stride looks at. */
function strided(backend: OrtBackend, x: Maps, info: ConvInfo, work: (source: Maps) => void): void {
  if (info.strideHeight === 1 && info.strideWidth === 1) {
    work(x);
    return;
  }
  const { outHeight: h, outWidth: w } = info;
  backend.scratch(x.n * h * w * x.c, (data) => {
    const source: Maps = { ...x, data, h, w };
    copyGrid(gridOf(x, info.strideHeight, info.strideWidth), gridOf(source), x.n, h, w, x.c);
    work(source);
  });
}

/** Every `stepH`-th row and `stepW`-th column of some maps, from `row`, `column` on. */
function gridOf({ data, h, w, c }: Maps, stepH = 1, stepW = 1, row = 0, column = 0): Grid {
  return { data, start: (row * w + column) * c, image: h * w * c, row: stepH * w * c, column: stepW * c };
}

/**
 * The gradient of a convolution by its input, and transposed convolution, which is the same.
 *
 * Padded input pixel `s q + a` meets the taps `a, a + s, a + 2 s, …` of the filter and the outputs
 * `q, q - 1, q - 2, …`. So for each of the `s x s` phases the gradient is a plain correlation of `dy`
 * with those taps in reverse, which is the fast case, and no zeros are multiplied.
 */
function conv2DBackpropInput({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const dy = inputs['dy']!;
  const filter = inputs['filter']!;
  if (!isFloat(dy) || !isFloat(filter)) return undefined;
  const info = describe(attrs['inputShape'] as number[], filter.shape, { ...attrs, dilations: 1 });
  if (!info) return undefined;
  const rows = phases(info.inHeight, info.outHeight, info.filterHeight, info.strideHeight, info.padInfo.top);
  const columns = phases(info.inWidth, info.outWidth, info.filterWidth, info.strideWidth, info.padInfo.left);
  if (!rows || !columns) return undefined;
  const dx = backend.float32(info.inShape);
  const dxMaps = mapsOf(backend.floats(dx), info.inShape);
  const dyMaps = mapsOf(backend.floats(dy), info.outShape);
  const whole = rows.length === 1 && columns.length === 1 && rows[0]!.taps.length > 0 && columns[0]!.taps.length > 0;
  if (!whole && [...rows, ...columns].some(({ taps }) => taps.length === 0)) dxMaps.data.fill(0);
  for (const row of rows) {
    for (const column of columns) {
      if (row.taps.length * column.taps.length * row.count * column.count === 0) continue;
      const { taps, window } = phaseTaps(info, row, column);
      if (whole) {
        correlate(backend, dyMaps, filter, taps, window, dxMaps);
        continue;
      }
      const { n, c } = dxMaps;
      backend.scratch(n * row.count * column.count * c, (data) => {
        const part: Maps = { data, n, h: row.count, w: column.count, c };
        correlate(backend, dyMaps, filter, taps, window, part);
        const target = gridOf(dxMaps, info.strideHeight, info.strideWidth, row.first, column.first);
        copyGrid(gridOf(part), target, n, row.count, column.count, c);
      });
    }
  }
  return dx;
}

/** What one axis of one phase takes: which taps in reverse, and the zeros around `dy`. */
interface Phase {
  readonly taps: readonly number[];
  readonly before: number;
  readonly after: number;
  /** The first input pixel of the phase, and how many it has. */
  readonly first: number;
  readonly count: number;
}

function phases(size: number, outSize: number, kernel: number, stride: number, pad: number): Phase[] | undefined {
  const found: Phase[] = [];
  for (let a = 0; a < stride; a++) {
    const taps: number[] = [];
    for (let tap = a; tap < kernel; tap += stride) taps.unshift(tap);
    const q = Math.ceil((pad - a) / stride);
    const count = Math.floor((pad + size - 1 - a) / stride) - q + 1;
    const before = taps.length - 1 - q;
    const after = count - 1 + taps.length - outSize - before;
    if (taps.length > 0 && count > 0 && (before < 0 || after < 0)) return undefined; // `dy` would have to be cut
    found.push({ taps, before, after, first: stride * q + a - pad, count: Math.max(0, count) });
  }
  return found;
}

function phaseTaps(info: ConvInfo, row: Phase, column: Phase): { taps: Taps; window: Window } {
  const size = info.inChannels * info.outChannels;
  const offsets = row.taps.flatMap((r) => column.taps.map((c) => (r * info.filterWidth + c) * size));
  return {
    taps: { rows: row.taps.length, columns: column.taps.length, offsets, transposed: true },
    window: { ...STILL, pads: [row.before, column.before, row.after, column.after] },
  };
}

/**
 * The gradient of a convolution by its filter: for each tap, the product of the input under that tap
 * with `dy`, over all pixels.
 *
 * Input and `dy` are laid on grids of the same width with a seam of zeros, one seam between rows and
 * between images serving both sides. Then moving by a tap is moving the start of the input: every
 * product reads the same memory at another offset, and nothing is gathered. A stride splits the input
 * into phases first, each on its own grid.
 */
function conv2DBackpropFilter({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const dy = inputs['dy']!;
  const filterShape = attrs['filterShape'] as number[];
  if (!isFloat(x) || !isFloat(dy)) return undefined;
  const info = describe(x.shape, filterShape, { ...attrs, dilations: 1 });
  if (!info) return undefined;
  const dw = backend.float32(filterShape);
  const dwData = backend.floats(dw);
  const xMaps = mapsOf(backend.floats(x), info.inShape);
  const dyMaps = mapsOf(backend.floats(dy), info.outShape);
  const { inChannels, outChannels } = info;
  if (info.filterHeight * info.filterWidth === 1 && info.padInfo.top + info.padInfo.left === 0) {
    strided(backend, xMaps, info, ({ data, n, h, w, c }) => {
      const pixels = n * h * w;
      const a = { data, rows: pixels, columns: c, transpose: true };
      gemm(backend, a, { data: dyMaps.data, rows: pixels, columns: outChannels }, dwData);
    });
    return dw;
  }
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
              dwData.subarray(tap * inChannels * outChannels, (tap + 1) * inChannels * outChannels),
            );
          }
        }
      }
    });
  });
  return dw;
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

export const conv: readonly OrtKernel[] = [
  { name: 'Conv2D', run: conv2D },
  {
    name: 'FusedConv2D',
    run(call) {
      const bias = call.inputs['bias'];
      const activation = call.attrs['activation'] as string | undefined;
      if (!canActivate(activation) || (bias && !isFloat(bias))) return undefined;
      const y = conv2D(call);
      if (y) finish(call.backend, y, bias, activation);
      return y;
    },
  },
  { name: 'Conv2DBackpropInput', run: conv2DBackpropInput },
  { name: 'Conv2DBackpropFilter', run: conv2DBackpropFilter },
];
