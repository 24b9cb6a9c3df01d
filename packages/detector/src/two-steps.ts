import type { ImageSize } from '@rcnn/core';
import type { Placement } from './placement.ts';
import { type ResizeAxis, resizeAxis, resizeMap, sampleAxis } from './resize.ts';

/** One side of a map on its way to the image: to pixels of the batch, then to those of the image. */
export interface TwoSteps {
  readonly first: ResizeAxis;
  readonly second: ResizeAxis;
  /** Pixel of the image at which it begins. */
  readonly start: number;
}

/** First and last, both belong to it. */
export type Span = readonly [first: number, last: number];

/** @param covers what the map spans of the batch, in pixels */
export function twoSteps(
  { originalSize, resizedSize, offset }: Placement,
  side: 0 | 1,
  size: ImageSize,
  covers: ImageSize,
): TwoSteps {
  const step = size[side] / covers[side];
  const first = sampleAxis(size[side], resizedSize[side], step, offset[side] * step);
  return { first, second: resizeAxis(resizedSize[side], originalSize[side]), start: 0 };
}

export function resizeTwice(values: Float32Array, width: number, rows: TwoSteps, columns: TwoSteps): Float32Array {
  const between = resizeMap(values, width, rows.first, columns.first);
  return resizeMap(between, columns.first.low.length, rows.second, columns.second);
}

/** The part of a side that depends on some cells of the map: nothing where no pixel does. */
export function narrowed({ first, second }: TwoSteps, cells: Span): TwoSteps {
  const pixels = dependents(first, cells);
  const final = pixels && dependents(second, pixels);
  if (final === undefined) return { first: sliced(first, [0, -1]), second: sliced(second, [0, -1]), start: 0 };
  // The second step also reads pixels beside those that depend on the cells.
  const read: Span = [second.low[final[0]]!, second.high[final[1]]!];
  const { low, high, weight } = sliced(second, final);
  return {
    first: sliced(first, read),
    second: { low: low.map((i) => i - read[0]), high: high.map((i) => i - read[0]), weight },
    start: final[0],
  };
}

/** Which new places are made from some of the old ones. */
function dependents({ low, high }: ResizeAxis, [from, to]: Span): Span | undefined {
  let [first, last] = [-1, -1];
  for (let i = 0; i < low.length; i++) {
    if (high[i]! < from || low[i]! > to) continue;
    if (first < 0) first = i;
    last = i;
  }
  return first < 0 ? undefined : [first, last];
}

function sliced({ low, high, weight }: ResizeAxis, [from, to]: Span): ResizeAxis {
  return { low: low.slice(from, to + 1), high: high.slice(from, to + 1), weight: weight.slice(from, to + 1) };
}
