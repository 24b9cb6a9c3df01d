import type { TensorInfo } from '@tensorflow/tfjs-core';
import { copyGrid } from '../grid.ts';
import { isFloat, type KernelCall } from '../kernel.ts';
import type { Maps } from '../layout.ts';
import { type ConvInfo, describe, gridOf, groupsOf, mapsOf, STILL } from './conv-info.ts';
import { correlate } from './correlate.ts';
import { hasFewPixels, inputGradientOfFewPixels } from './few-pixels.ts';
import type { Taps, Window } from './taps.ts';

/**
 * The gradient of a convolution by its input, and transposed convolution, which is the same.
 *
 * Padded input pixel `s q + a` meets the taps `a, a + s, a + 2 s, …` of the filter and the outputs
 * `q, q - 1, q - 2, …`. So for each of the `s x s` phases the gradient is a plain correlation of `dy`
 * with those taps in reverse, which is the fast case, and no zeros are multiplied.
 */
export function conv2DBackpropInput({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const dy = inputs['dy']!;
  const filter = inputs['filter']!;
  if (!isFloat(dy) || !isFloat(filter)) return undefined;
  const info = describe(attrs['inputShape'] as number[], filter.shape, { ...attrs, dilations: 1 });
  if (!info) return undefined;
  const groups = groupsOf(info, filter.shape);
  if (groups === 1 && hasFewPixels(backend, info)) {
    const dx = backend.float32(info.inShape);
    const maps = mapsOf(backend.floats(dx), info.inShape);
    inputGradientOfFewPixels(backend, info, backend.floats(dy), backend.floats(filter), maps);
    return dx;
  }
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
      const { taps, window } = phaseTaps(info, groups, row, column);
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

function phaseTaps(info: ConvInfo, groups: number, row: Phase, column: Phase): { taps: Taps; window: Window } {
  const size = (info.inChannels * info.outChannels) / groups;
  const offsets = row.taps.flatMap((r) => column.taps.map((c) => (r * info.filterWidth + c) * size));
  return {
    taps: { rows: row.taps.length, columns: column.taps.length, offsets, transposed: true, groups },
    window: { ...STILL, pads: [row.before, column.before, row.after, column.after] },
  };
}
