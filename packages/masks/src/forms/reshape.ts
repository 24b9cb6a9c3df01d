import type { ImageSize, RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { checkMaskSize } from '../runs/runs.ts';
import { countsBetween } from './bitmap.ts';

/** Mirrors a mask left to right: its columns in the opposite order. */
export function flipRuns(runs: RunLengths): RunLengths {
  const [height, width] = runs.size;
  return fromColumns(runs, [height, width], (x) => width - 1 - x, 0);
}

/**
 * Cuts a window out of a mask; what lies outside the mask is background.
 * @param top,left of the window in pixels, may be negative
 * @param size `[height, width]` of the window
 */
export function cropRuns(runs: RunLengths, top: number, left: number, size: ImageSize): RunLengths {
  checkMaskSize(size, 'cropRuns');
  if (!Number.isInteger(top) || !Number.isInteger(left)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'cropRuns',
      problem: 'a crop begins at a whole pixel',
      found: `top ${top}, left ${left}`,
    });
  }
  return fromColumns(runs, size, (x) => x + left, top);
}

/**
 * Resizes a mask by nearest neighbour, with the rule of PyTorch's `interpolate`: source = floor(target * old / new),
 * in float32.
 */
export function resizeRuns(runs: RunLengths, size: ImageSize): RunLengths {
  checkMaskSize(size, 'resizeRuns');
  const [height, width] = runs.size;
  const rows = nearest(height, size[0]);
  const columns = nearest(width, size[1]);
  const spans = columnSpans(runs);
  const turns = new Turns();
  for (let x = 0; x < size[1]; x++) {
    const column = columns[x]!;
    let y = 0;
    for (let i = spans.offsets[column]!; i < spans.offsets[column + 1]!; i += 2) {
      // rows is sorted: skip to the first target row at or after the span, then to the first after its end.
      while (y < size[0] && rows[y]! < spans.rows[i]!) y++;
      const start = y;
      while (y < size[0] && rows[y]! < spans.rows[i + 1]!) y++;
      turns.add(x * size[0] + start, x * size[0] + y);
    }
  }
  return turns.toRuns(size);
}

function nearest(from: number, to: number): Int32Array {
  const scale = Math.fround(from / to);
  return Int32Array.from({ length: to }, (_, i) => Math.min(from - 1, Math.floor(Math.fround(i * scale))));
}

function fromColumns(runs: RunLengths, size: ImageSize, source: (x: number) => number, top: number): RunLengths {
  const spans = columnSpans(runs);
  const turns = new Turns();
  const [height, width] = size;
  for (let x = 0; x < width; x++) {
    const column = source(x);
    if (column < 0 || column >= runs.size[1]) continue;
    for (let i = spans.offsets[column]!; i < spans.offsets[column + 1]!; i += 2) {
      const start = Math.max(0, spans.rows[i]! - top);
      const end = Math.min(height, spans.rows[i + 1]! - top);
      turns.add(x * height + start, x * height + end);
    }
  }
  return turns.toRuns(size);
}

/** The object's rows column by column: pairs `start, end` (end excluded); offsets count numbers, not pairs. */
function columnSpans({ size: [height, width], counts }: RunLengths): { offsets: Uint32Array; rows: number[] } {
  const offsets = new Uint32Array(width + 1);
  const rows: number[] = [];
  let column = 0;
  let position = 0;
  for (let i = 1; i < counts.length; i += 2) {
    let start = position + counts[i - 1]!;
    position = start + counts[i]!;
    while (start < position) {
      const x = Math.floor(start / height);
      while (column < x) offsets[++column] = rows.length;
      const end = Math.min(position, (x + 1) * height);
      rows.push(start - x * height, end - x * height);
      start = end;
    }
  }
  while (column < width) offsets[++column] = rows.length;
  return { offsets, rows };
}

/** Object runs in order, joined where they touch. */
export class Turns {
  readonly #turns: number[] = [];

  /** Adds the pixels `[start, end)`, which must not begin before the last run's end. */
  add(start: number, end: number): void {
    if (start >= end) return;
    if (this.#turns.length > 0 && this.#turns.at(-1) === start) this.#turns[this.#turns.length - 1] = end;
    else this.#turns.push(start, end);
  }

  toRuns(size: ImageSize): RunLengths {
    const total = size[0] * size[1];
    const reachesEnd = this.#turns.at(-1) === total; // the last background run is then left out
    const length = this.#turns.length - (reachesEnd ? 1 : 0);
    return { size: [size[0], size[1]], counts: countsBetween(Uint32Array.from(this.#turns), length, total) };
  }
}
