import type { ImageSize } from '@rcnn/core';

/** A part of a map in cells, not rounded: cell `j` is inside when `x1 <= j < x2`. */
export interface CropWindow {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

const { ceil, fround, max, min } = Math;

/**
 * The part of a map that belongs to a box, a little wider than the box.
 * @param boxes `[R * 4]`, corners in any order, as shares of the image
 * @param size of the map, in cells
 * @param padding cells that are added on every side. Default 1.
 */
export function cropWindow(boxes: Float32Array, row: number, [height, width]: ImageSize, padding = 1): CropWindow {
  const [xa, ya, xb, yb] = boxes.subarray(row * 4, row * 4 + 4) as unknown as [number, number, number, number];
  const low = (a: number, b: number, side: number): number => max(0, fround(min(fround(a * side), fround(b * side)) - padding)); // biome-ignore format: one line
  const high = (a: number, b: number, side: number): number => min(side, fround(max(fround(a * side), fround(b * side)) + padding)); // biome-ignore format: one line
  return { x1: low(xa, xb, width), y1: low(ya, yb, height), x2: high(xa, xb, width), y2: high(ya, yb, height) };
}

/** Calls `visit` with the index of every cell of a row-major map that is inside. */
export function forEachInside({ x1, y1, x2, y2 }: CropWindow, width: number, visit: (cell: number) => void): void {
  for (let y = ceil(y1); y < y2; y++) {
    for (let x = ceil(x1); x < x2; x++) visit(y * width + x);
  }
}
