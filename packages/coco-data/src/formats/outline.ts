import type { ImageSize } from '@rcnn/core';

/** `x1, y1, x2, y2` around a flat outline, clipped to the image where it overlaps it; else the check reports it. */
export function boxAround(points: ArrayLike<number>, [height, width]: ImageSize): [number, number, number, number] {
  let [x1, y1] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let [x2, y2] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < points.length; i += 2) {
    x1 = Math.min(x1, points[i]!);
    x2 = Math.max(x2, points[i]!);
    y1 = Math.min(y1, points[i + 1]!);
    y2 = Math.max(y2, points[i + 1]!);
  }
  if (x1 >= width || y1 >= height || x2 <= 0 || y2 <= 0) return [x1, y1, x2, y2];
  return [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)];
}

/**
 * What of a flat outline lies inside the image, side by side cut off (Sutherland and Hodgman 1974); empty where nothing does.
 * Parts that the cut takes apart stay joined along the edge, where they cover no pixel.
 */
export function clippedOutline(points: ArrayLike<number>, [height, width]: ImageSize): readonly number[] {
  let left = Array.from(points);
  for (const [axis, bound, sign] of [[0, 0, 1], [1, 0, 1], [0, width, -1], [1, height, -1]] as const) // biome-ignore format: sides
    left = cut(left, axis, (value) => sign * (value - bound), bound);
  return left;
}

/** The part of an outline where `inside` is not negative along one axis. */
function cut(points: readonly number[], axis: 0 | 1, inside: (value: number) => number, bound: number): number[] {
  const kept: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const before = i === 0 ? points.length - 2 : i - 2;
    const [from, to] = [inside(points[before + axis]!), inside(points[i + axis]!)];
    if (from < 0 !== to < 0) {
      const share = from / (from - to);
      const other = points[before + 1 - axis]! + share * (points[i + 1 - axis]! - points[before + 1 - axis]!);
      kept.push(...(axis === 0 ? [bound, other] : [other, bound]));
    }
    if (to >= 0) kept.push(points[i]!, points[i + 1]!);
  }
  return kept;
}

/** The area inside a flat outline, by the shoelace formula. */
export function polygonArea(points: ArrayLike<number>): number {
  let twice = 0;
  for (let i = 0; i < points.length; i += 2) {
    const j = (i + 2) % points.length;
    twice += points[i]! * points[j + 1]! - points[j]! * points[i + 1]!;
  }
  return Math.abs(twice) / 2;
}

const CIRCLE_POINTS = 64;

/** An ellipse as a flat outline; `theta` turns it, in radians. */
export function ellipseOutline(cx: number, cy: number, rx: number, ry: number, theta: number = 0): Float64Array {
  const points = new Float64Array(2 * CIRCLE_POINTS);
  for (let i = 0; i < CIRCLE_POINTS; i++) {
    const t = (2 * Math.PI * i) / CIRCLE_POINTS;
    const [x, y] = [rx * Math.cos(t), ry * Math.sin(t)];
    points[2 * i] = cx + x * Math.cos(theta) - y * Math.sin(theta);
    points[2 * i + 1] = cy + x * Math.sin(theta) + y * Math.cos(theta);
  }
  return points;
}
