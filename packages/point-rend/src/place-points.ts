import type { Boxes } from '@rcnn/boxes';

/** Points in maps of a batch: what {@link samplePoints} reads. */
export interface PlacedPoints {
  /** `[M]`: the map of the batch that each point lies in. */
  readonly images: Int32Array;
  /** `[M * 2]`: x, y in cells; cell i is the square from i - 0.5 to i + 0.5. */
  readonly places: Float32Array;
}

/** The centers of a grid of `side` x `side` cells, x fastest: `[side² * 2]`, x, y in 0 to 1. */
export function gridPoints(side: number): Float32Array {
  const points = new Float32Array(side * side * 2);
  for (let i = 0; i < side * side; i++) {
    points[2 * i] = ((i % side) + 0.5) / side;
    points[2 * i + 1] = (Math.floor(i / side) + 0.5) / side;
  }
  return points;
}

/** The same points for each of `count` regions: `[count * P * 2]`. */
export function repeatPoints(points: Float32Array, count: number): Float32Array {
  const all = new Float32Array(count * points.length);
  for (let r = 0; r < count; r++) all.set(points, r * points.length);
  return all;
}

/** Points of regions (`[R * P * 2]`, 0 to 1 of the box) in pixels of the batch: `[R * P * 2]`. */
export function pointsInPixels(points: Float32Array, boxes: Boxes): Float32Array {
  const count = boxes.length / 4;
  const perRegion = count === 0 ? 0 : points.length / count;
  const placed = new Float32Array(points.length);
  for (let r = 0; r < count; r++) {
    const [x1, y1, x2, y2] = boxes.subarray(4 * r, 4 * r + 4) as unknown as [number, number, number, number];
    for (let p = r * perRegion; p < (r + 1) * perRegion; p += 2) {
      placed[p] = x1 + points[p]! * (x2 - x1);
      placed[p + 1] = y1 + points[p + 1]! * (y2 - y1);
    }
  }
  return placed;
}

/**
 * Points of the regions of each image, in cells of a map.
 * @param points `[R * P * 2]`, the regions of all images one after the other
 * @param stride pixels between two cells
 */
export function placeInMap(points: Float32Array, boxes: readonly Boxes[], stride: number): PlacedPoints {
  const counts = boxes.map(({ length }) => length / 4);
  const regions = counts.reduce((sum, count) => sum + count, 0);
  const perRegion = regions === 0 ? 0 : points.length / 2 / regions;
  const images = new Int32Array(points.length / 2);
  const places = new Float32Array(points.length);
  let at = 0;
  for (const [image, ofImage] of boxes.entries()) {
    const end = at + counts[image]! * perRegion;
    images.fill(image, at, end);
    places.set(pointsInPixels(points.subarray(2 * at, 2 * end), ofImage), 2 * at);
    at = end;
  }
  return { images, places: places.map((pixel) => pixel / stride - 0.5) };
}

/** Points of regions in maps that are the regions' own, `side` x `side` cells each. */
export function placeInOwnMaps(points: Float32Array, regions: number, side: number): PlacedPoints {
  const perRegion = regions === 0 ? 0 : points.length / 2 / regions;
  const images = Int32Array.from({ length: points.length / 2 }, (_, i) => Math.floor(i / perRegion));
  return { images, places: points.map((share) => share * side - 0.5) };
}
