import type { ImageSize } from '@rcnn/core';
import type { SoftPart } from './soft-mask.ts';

/** For each new cell of one axis: the two old cells it lies between, and how far it is towards the second. */
export interface ResizeAxis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Float32Array;
}

/** Bilinear sampling with half-pixel centers, no antialias (PyTorch's `align_corners=False`). */
export function resizeAxis(oldSize: number, newSize: number): ResizeAxis {
  return sampleAxis(oldSize, newSize, oldSize / newSize, 0);
}

/**
 * The same where new cell 0 begins at `start` and each spans `step`, in old cells. The positions are computed in float32,
 * as PyTorch does: in doubles, far cells move by up to 1e-4 of a pixel.
 */
export function sampleAxis(oldSize: number, newSize: number, step: number, start: number): ResizeAxis {
  const low = new Int32Array(newSize);
  const high = new Int32Array(newSize);
  const weight = new Float32Array(newSize);
  const single = Math.fround(step);
  for (let i = 0; i < newSize; i++) {
    const center = Math.fround(Math.fround(single * Math.fround(i + 0.5)) + start);
    const source = Math.max(0, Math.fround(center - 0.5));
    const floor = Math.min(Math.floor(source), oldSize - 1);
    low[i] = floor;
    high[i] = Math.min(floor + 1, oldSize - 1);
    weight[i] = Math.fround(source - floor);
  }
  return { low, high, weight };
}

/** A row-major map of one channel, resized: `[rows * columns]`. @param width of the old map */
export function resizeMap(values: Float32Array, width: number, rows: ResizeAxis, columns: ResizeAxis): Float32Array {
  const out = new Float32Array(rows.low.length * columns.low.length);
  let at = 0;
  for (let y = 0; y < rows.low.length; y++) {
    const upper = rows.low[y]! * width;
    const lower = rows.high[y]! * width;
    const down = rows.weight[y]!;
    for (let x = 0; x < columns.low.length; x++) {
      const left = columns.low[x]!;
      const right = columns.high[x]!;
      const across = columns.weight[x]!;
      const top = (1 - across) * values[upper + left]! + across * values[upper + right]!;
      const bottom = (1 - across) * values[lower + left]! + across * values[lower + right]!;
      out[at++] = (1 - down) * top + down * bottom;
    }
  }
  return out;
}

/** The new cells of an axis `[from, to)`. */
function partOf({ low, high, weight }: ResizeAxis, from: number, to: number): ResizeAxis {
  return { low: low.subarray(from, to), high: high.subarray(from, to), weight: weight.subarray(from, to) };
}

/**
 * The same, but only the rectangle of the result that anything but 0 reaches: what an object's map mostly is.
 * @param size `[height, width]` of the old map
 */
export function resizeReached(values: Float32Array, size: ImageSize, rows: ResizeAxis, columns: ResizeAxis): SoftPart {
  const [[top, bottom], [left, right]] = reachOf(values, size);
  const [firstRow, endRow] = reached(rows, top, bottom);
  const [firstColumn, endColumn] = reached(columns, left, right);
  return {
    top: firstRow,
    left: firstColumn,
    size: [endRow - firstRow, endColumn - firstColumn],
    values: resizeMap(values, size[1], partOf(rows, firstRow, endRow), partOf(columns, firstColumn, endColumn)),
  };
}

type Range = readonly [from: number, to: number];

/** Rows and columns between which values other than 0 lie, both ends included; without any, a range that is empty. */
function reachOf(values: Float32Array, [height, width]: ImageSize): readonly [rows: Range, columns: Range] {
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (values[i] === 0) continue;
      if (top === height) top = y;
      bottom = y;
      if (x < left) left = x;
      if (x > right) right = x;
    }
  }
  return [[top, bottom], [left, right]]; // biome-ignore format: two ranges
}

/** The new cells `[from, to)` that look at an old cell of `[first, last]`. */
function reached({ low, high }: ResizeAxis, first: number, last: number): Range {
  const from = high.findIndex((cell) => cell >= first);
  const beyond = low.findIndex((cell) => cell > last);
  const to = beyond < 0 ? low.length : beyond;
  return from < 0 || to <= from ? [0, 0] : [from, to];
}

/** Nearest-neighbour sampling of a row-major bitmap: `source = floor(target * old / new)`, as PyTorch. */
export function resizeBitmap(
  bitmap: Uint8Array,
  [oldHeight, oldWidth]: readonly [number, number],
  [height, width]: readonly [number, number],
): Uint8Array {
  const columns = nearestAxis(oldWidth, width);
  const out = new Uint8Array(height * width);
  for (const [y, row] of nearestAxis(oldHeight, height).entries()) {
    const from = row * oldWidth;
    for (let x = 0; x < width; x++) out[y * width + x] = bitmap[from + columns[x]!]!;
  }
  return out;
}

function nearestAxis(oldSize: number, newSize: number): Int32Array {
  const step = Math.fround(oldSize / newSize);
  return Int32Array.from({ length: newSize }, (_, i) => Math.min(oldSize - 1, Math.floor(Math.fround(i * step))));
}
