/** Strips of maps on their way into the memory of our own kernels and out of it. */
import type { Maps } from '../layout.ts';

/** Some rows of one image of the result. */
export interface Strip {
  readonly image: number;
  readonly row: number;
  readonly rows: number;
}

/** A part of an image, which may hang over its edges. */
export interface Part extends Strip {
  readonly column: number;
  readonly columns: number;
}

/** Numbers that the kernels' memory holds at a time, where a row allows it: they stay in the cache. */
const STRIP = 2 ** 17;

/** All rows of all images, so many at a time that `perRow` numbers each fit the cache. */
export function* stripsOf(images: number, rows: number, perRow: number): Generator<Strip> {
  const count = Math.ceil(rows / Math.max(1, Math.floor(STRIP / perRow)));
  const most = Math.ceil(rows / count);
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < rows; row += most) yield { image, row, rows: Math.min(most, rows - row) };
  }
}

/** Copies a part of an image to `memory` from `at` on; what lies over the edges are zeros. */
export function layRows(
  { data, h, w, c }: Maps,
  { image, row, column, rows, columns }: Part,
  memory: Float32Array,
  at: number,
): void {
  const first = Math.min(columns, Math.max(0, -column)); // of the columns, those inside the map
  const end = Math.max(first, Math.min(columns, w - column));
  for (let i = row; i < row + rows; i++, at += columns * c) {
    if (i < 0 || i >= h) {
      memory.fill(0, at, at + columns * c);
      continue;
    }
    const from = ((image * h + i) * w + column) * c;
    if (first > 0) memory.fill(0, at, at + first * c);
    memory.set(data.subarray(from + first * c, from + end * c), at + first * c);
    if (end < columns) memory.fill(0, at + end * c, at + columns * c);
  }
}

/** Copies what lies inside the map back, from `memory` where a part of an image begins at `at`. */
export function takeRows(
  memory: Float32Array,
  at: number,
  { image, row, column, rows, columns }: Part,
  { data, h, w, c }: Maps,
): void {
  const first = Math.max(0, -column);
  const end = Math.min(columns, w - column);
  for (let i = 0; i < rows; i++, at += columns * c) {
    if (row + i < 0 || row + i >= h) continue;
    const to = ((image * h + row + i) * w + column + first) * c;
    data.set(memory.subarray(at + first * c, at + end * c), to);
  }
}
