/** The cells of a depthwise filter, in the order in which a kernel takes them. */
import type { backend_util } from '@tensorflow/tfjs-core';

/** One cell of the filter, and the pixel of the window that it is multiplied with. */
export interface Tap {
  readonly row: number;
  readonly column: number;
  /** Its place in the filter, row by row; {@link NOWHERE} for one that only fills up. */
  readonly index: number;
}

const NOWHERE = -1;

export interface Taps {
  readonly list: readonly Tap[];
  /** Whether every three of them stand beside each other: the faster kernels then take them together. */
  readonly inThrees: boolean;
}

type Filter = Pick<backend_util.Conv2DInfo, 'filterHeight' | 'filterWidth' | 'dilationHeight' | 'dilationWidth'>;

/** Every cell of a filter. */
export function tapsOf({ filterHeight, filterWidth, dilationHeight, dilationWidth }: Filter): Tap[] {
  return Array.from({ length: filterHeight * filterWidth }, (_, index) => ({
    row: Math.floor(index / filterWidth) * dilationHeight,
    column: (index % filterWidth) * dilationWidth,
    index,
  }));
}

/**
 * Puts taps in threes where that is faster: the windows move by one column, and the rows have three taps or more without
 * gaps. Rows of another length are filled up, so that a window may be up to two columns wider.
 */
export function inOrder(taps: readonly Tap[], step: number, channels: number): Taps {
  const columns = [...new Set(taps.map(({ column }) => column))].sort((a, b) => a - b);
  const [first = 0] = columns;
  const apart = columns.some((column, i) => column !== first + i);
  if (step !== 1 || channels % 4 !== 0 || columns.length < 3 || apart) return { list: taps, inThrees: false };
  const wide = Math.ceil(columns.length / 3) * 3;
  const rows = [...new Set(taps.map(({ row }) => row))];
  const list = rows.flatMap((row) =>
    Array.from({ length: wide }, (_, i) => {
      const column = first + i;
      return taps.find((tap) => tap.row === row && tap.column === column) ?? { row, column, index: NOWHERE };
    }),
  );
  return { list, inThrees: true };
}

/** Columns of the widest window. */
export const widthOf = (taps: readonly Tap[], reach: number): number =>
  taps.reduce((width, { column }) => Math.max(width, column + 1), reach);

/** Writes the offsets of taps to the beginning of a kernel's memory: bytes from where a window of `row` pixels begins. */
export function layOffsets(memory: Float32Array, taps: readonly Tap[], row: number, channels: number): void {
  const offsets = new Uint32Array(memory.buffer, 0, taps.length);
  for (const [i, tap] of taps.entries()) offsets[i] = 4 * channels * (tap.row * row + tap.column);
}

/** Writes the weights of taps to a kernel's memory, in their order. */
export function layWeights(
  memory: Float32Array,
  at: number,
  taps: readonly Tap[],
  filter: Float32Array,
  channels: number,
): void {
  for (const [i, { index }] of taps.entries()) {
    const to = at + i * channels;
    if (index === NOWHERE) memory.fill(0, to, to + channels);
    else memory.set(filter.subarray(index * channels, (index + 1) * channels), to);
  }
}

/** Adds what lies in a kernel's memory in the order of the taps to the filter's own order. */
export function addWeights(
  memory: Float32Array,
  at: number,
  taps: readonly Tap[],
  filter: Float64Array,
  channels: number,
): void {
  for (const [i, { index }] of taps.entries()) {
    if (index === NOWHERE) continue;
    for (let c = 0; c < channels; c++) filter[index * channels + c]! += memory[at + i * channels + c]!;
  }
}
