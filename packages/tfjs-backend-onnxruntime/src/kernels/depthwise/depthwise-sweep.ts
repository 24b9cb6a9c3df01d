/** How a depthwise convolution goes over its maps, and how its gradient by the input goes back. */
import type { backend_util } from '@tensorflow/tfjs-core';
import { simdWithFloats } from '../../simd.ts';
import type { Maps } from '../layout.ts';
import { layRows, type Part, type Strip, stripsOf, takeRows } from './depthwise-strips.ts';
import { addWeights, inOrder, layOffsets, layWeights, type Tap, type Taps, tapsOf, widthOf } from './depthwise-taps.ts';

type ConvInfo = backend_util.Conv2DInfo;

/** What happens along one axis: cell after cell, a window of the source makes `spread` pixels of the target. */
interface Axis {
  readonly cells: number;
  /** Pixels of the source from window to window, and in a window; where the first one begins. */
  readonly step: number;
  readonly reach: number;
  readonly source: number;
  /** Pixels of the target per cell, and where the first cell begins. */
  readonly spread: number;
  readonly target: number;
}

/** One of the pixels that each cell gives. */
interface Phase {
  readonly row: number;
  readonly column: number;
  readonly taps: Taps;
}

interface Sweep {
  readonly rows: Axis;
  readonly columns: Axis;
  readonly phases: readonly Phase[];
}

/** The convolution of `x` with `filter`, `[taps, c]`; both maps have its channels. */
export function sweepForward(info: ConvInfo, x: Maps, filter: Float32Array, y: Maps): void {
  const { rows, columns } = forwardAxes(info);
  const taps = inOrder(tapsOf(info), columns.step, x.c);
  sweep({ rows, columns, phases: [{ row: 0, column: 0, taps }] }, x, filter, y);
}

/** Its gradient by `x`. */
export function sweepBack(info: ConvInfo, dy: Maps, filter: Float32Array, dx: Maps): void {
  sweep(backwardSweep(info, dx.c), dy, filter, dx);
}

/** Adds the gradient by the filter to `dw`, `[taps, c]`. */
export function sweepFilter(info: ConvInfo, x: Maps, dy: Maps, dw: Float64Array): void {
  const { c } = x;
  const { rows, columns } = forwardAxes(info);
  const { list, inThrees } = inOrder(tapsOf(info), columns.step, c);
  const { wide, seen } = widths(columns, list);
  const sums = list.length;
  const source = sums + list.length * c;
  for (const strip of stripsOf(x.n, rows.cells, c * (rows.step * seen + wide))) {
    const window = windowOf(strip, rows, columns, seen);
    const gradients = source + window.rows * seen * c;
    const { simd, floats } = simdWithFloats(gradients + strip.rows * wide * c);
    layOffsets(floats, list, seen, c);
    floats.fill(0, sums, source);
    layRows(x, window, floats, source);
    layRows(dy, { ...strip, column: 0, columns: wide }, floats, gradients);
    const kernel = inThrees ? simd.depthwiseFilter3 : simd.depthwiseFilter;
    const [xRow, xColumn] = [4 * c * rows.step * seen, 4 * c * columns.step];
    kernel(4 * source, xRow, xColumn, 4 * gradients, strip.rows, wide, c, 0, list.length, 4 * sums);
    addWeights(floats, sums, list, dw, c);
  }
}

/** Forward, a cell is one pixel of the result. */
function forwardAxes(info: ConvInfo): { rows: Axis; columns: Axis } {
  const axis = (cells: number, step: number, reach: number, pad: number): Axis => {
    return { cells, step, reach, source: -pad, spread: 1, target: 0 };
  };
  return {
    rows: axis(info.outHeight, info.strideHeight, info.effectiveFilterHeight, info.padInfo.top),
    columns: axis(info.outWidth, info.strideWidth, info.effectiveFilterWidth, info.padInfo.left),
  };
}

/**
 * Backwards, a cell is the `s x s` pixels of the padded input from `s q` on: pixel `s q + a` met the outputs `q - t` at
 * the taps that stand `a + s t` pixels into the window. Each of these phases has the taps of its own, and no zeros are
 * multiplied.
 */
function backwardSweep(info: ConvInfo, channels: number): Sweep {
  const { strideHeight, strideWidth, padInfo } = info;
  const rows = backwardAxis(info.inHeight, strideHeight, info.effectiveFilterHeight, padInfo.top);
  const columns = backwardAxis(info.inWidth, strideWidth, info.effectiveFilterWidth, padInfo.left);
  const taps = tapsOf(info);
  const phases: Phase[] = [];
  for (let row = 0; row < strideHeight; row++) {
    for (let column = 0; column < strideWidth; column++) {
      const met = taps.filter((tap) => tap.row % strideHeight === row && tap.column % strideWidth === column);
      const back = met.map((tap) => ({
        row: rows.reach - 1 - Math.floor(tap.row / strideHeight),
        column: columns.reach - 1 - Math.floor(tap.column / strideWidth),
        index: tap.index,
      }));
      phases.push({ row, column, taps: inOrder(back, columns.step, channels) });
    }
  }
  return { rows, columns, phases };
}

function backwardAxis(size: number, stride: number, kernel: number, pad: number): Axis {
  const first = Math.floor(pad / stride);
  const furthest = Math.floor((kernel - 1) / stride);
  return {
    cells: Math.floor((pad + size - 1) / stride) - first + 1,
    step: 1,
    reach: furthest + 1,
    source: first - furthest,
    spread: stride,
    target: stride * first - pad,
  };
}

/** Writes all of `target`, strip by strip. */
function sweep({ rows, columns, phases }: Sweep, source: Maps, filter: Float32Array, target: Maps): void {
  const { c } = target;
  const taps = phases.flatMap((phase) => phase.taps.list);
  const { wide, seen } = widths(columns, taps);
  const made = wide * columns.spread;
  const x = taps.length * (1 + c);
  for (const strip of stripsOf(target.n, rows.cells, c * (rows.step * seen + rows.spread * made))) {
    const window = windowOf(strip, rows, columns, seen);
    const y = x + window.rows * seen * c;
    const { simd, floats } = simdWithFloats(y + strip.rows * rows.spread * made * c);
    layOffsets(floats, taps, seen, c);
    layWeights(floats, taps.length, taps, filter, c);
    layRows(source, window, floats, x);
    let tap = 0;
    for (const { row, column, taps: own } of phases) {
      const kernel = own.inThrees ? simd.depthwise3 : simd.depthwise;
      kernel(
        4 * x,
        4 * c * rows.step * seen,
        4 * c * columns.step,
        4 * (y + (row * made + column) * c),
        4 * c * rows.spread * made,
        4 * c * columns.spread,
        strip.rows,
        wide,
        c,
        4 * tap,
        own.list.length,
        4 * (taps.length + tap * c),
      );
      tap += own.list.length;
    }
    takeRows(floats, y, madePart(strip, rows, columns, made), target);
  }
}

/** Cells of a row, of which the kernels make four at a time, and the pixels that they see. */
function widths({ cells, step, reach }: Axis, taps: readonly Tap[]): { wide: number; seen: number } {
  const wide = Math.ceil(cells / 4) * 4;
  return { wide, seen: (wide - 1) * step + widthOf(taps, reach) };
}

const windowOf = (strip: Strip, rows: Axis, columns: Axis, seen: number): Part => ({
  image: strip.image,
  row: rows.source + strip.row * rows.step,
  rows: (strip.rows - 1) * rows.step + rows.reach,
  column: columns.source,
  columns: seen,
});

const madePart = (strip: Strip, rows: Axis, columns: Axis, made: number): Part => ({
  image: strip.image,
  row: rows.target + strip.row * rows.spread,
  rows: strip.rows * rows.spread,
  column: columns.target,
  columns: made,
});
