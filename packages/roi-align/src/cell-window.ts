import type { MapShape, RoIAlignShape } from './placed-rois.ts';
import { axisSpan } from './taps.ts';

/** A rectangle of cells of a map; both ends are part of it. */
export interface CellWindow {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The cells that the box at `p` of `boxes` can read: a superset by one cell at most. */
export function windowOf(boxes: Float32Array, p: number, map: MapShape, shape: RoIAlignShape): CellWindow {
  const y = axisSpan(boxes[p + 1]!, boxes[p + 3]!, map.scale, shape.height, shape);
  const x = axisSpan(boxes[p]!, boxes[p + 2]!, map.scale, shape.width, shape);
  return {
    top: inside(Math.floor(Math.min(y.start, y.start + y.length)), map.height),
    bottom: inside(Math.floor(Math.max(y.start, y.start + y.length)) + 1, map.height),
    left: inside(Math.floor(Math.min(x.start, x.start + x.length)), map.width),
    right: inside(Math.floor(Math.max(x.start, x.start + x.length)) + 1, map.width),
  };
}

export function cellsOf({ top, bottom, left, right }: CellWindow): number {
  return (bottom - top + 1) * (right - left + 1);
}

function inside(cell: number, extent: number): number {
  return Math.max(0, Math.min(cell, extent - 1));
}
