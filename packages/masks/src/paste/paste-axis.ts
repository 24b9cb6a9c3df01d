/**
 * Where the pixels of one axis fall in a soft mask that is framed by one cell of zeros on each side (cells 0 and
 * side + 1 are the frame). A pixel's value is `(1 - weight) * cell + weight * next cell`.
 */
export interface AxisSamples {
  /** Pixels `[start, end)` of the image are touched. */
  readonly start: number;
  readonly end: number;
  /** Per pixel from `start`: the nearer cell with the smaller index. */
  readonly cells: Int32Array;
  readonly weights: Float32Array;
  /** Indices from `start` at which the cell changes, with 0 in front and the length at the end. */
  readonly segments: readonly number[];
}

const { fround } = Math;

/**
 * Torchvision: the box grows by (side + 2) / side about its centre, is cut toward zero to whole pixels, and the framed
 * mask is resized (half-pixel centres, borders repeated) to its width + 1. All in float32, as there.
 */
export function torchvisionAxis(low: number, high: number, side: number, pixels: number): AxisSamples {
  const framed = side + 2;
  const grow = fround(framed / side);
  const half = fround(fround(fround(fround(high) - fround(low)) * 0.5) * grow);
  const centre = fround(fround(fround(high) + fround(low)) * 0.5);
  const first = Math.trunc(fround(centre - half));
  const last = Math.trunc(fround(centre + half));
  const length = Math.max(last - first + 1, 1);
  const scale = fround(framed / length);
  const position = (pixel: number): number => {
    const source = fround(fround(scale * fround(pixel - first + 0.5)) - 0.5);
    return Math.max(source, 0);
  };
  return sample(Math.max(first, 0), Math.min(first + length, pixels), side, position);
}

/** Detectron2: the box as it is, sampled at pixel centres; outside the mask there are zeros. */
export function detectron2Axis(low: number, high: number, side: number, pixels: number): AxisSamples {
  const start = fround(low);
  const extent = fround(fround(high) - start);
  // As grid_sample has it: to [-1, 1] and back to cells. The frame's cell 0 is cell -1 of the mask.
  const position = (pixel: number): number => {
    const unit = fround(fround(fround(fround(pixel + 0.5 - start) / extent) * 2) - 1);
    return fround(fround(fround(fround(unit + 1) * side) - 1) / 2) + 1;
  };
  const reach = Number.isFinite(1 / extent) && extent > 0 ? extent / side : 0; // one cell beyond the box
  const from = Math.max(0, Math.floor(start - reach) - 1);
  const to = extent > 0 ? Math.min(pixels, Math.ceil(start + extent + reach) + 1) : from;
  return sample(from, to, side, position);
}

function sample(start: number, end: number, side: number, position: (pixel: number) => number): AxisSamples {
  const length = Math.max(0, end - start);
  const cells = new Int32Array(length);
  const weights = new Float32Array(length);
  const segments: number[] = [];
  for (let i = 0; i < length; i++) {
    const at = Math.min(side + 1, Math.max(0, position(start + i)));
    const cell = Math.min(side, Math.floor(at)); // at the far frame: cell `side` with weight 1
    cells[i] = cell;
    weights[i] = Math.min(1, Math.max(0, at - cell));
    if (i === 0 || cells[i - 1] !== cell) segments.push(i);
  }
  segments.push(length);
  return { start, end: start + length, cells, weights, segments };
}
