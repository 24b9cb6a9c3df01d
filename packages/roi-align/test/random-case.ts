import { Random } from '@rcnn/core';
import type { Maps, PlacedRoIs, RoIAlignShape } from '../src/placed-rois.ts';

/** Maps, RoIs and options that visit every corner: odd sizes, borders, outside, empty, reversed, one-cell maps. */
export interface RandomCase {
  readonly maps: Maps;
  readonly values: Float32Array[];
  readonly rois: PlacedRoIs;
  readonly shape: RoIAlignShape;
  readonly gradient: Float32Array;
}

export function randomCase(seed: number): RandomCase {
  const random = new Random(seed);
  const images = 1 + random.integer(3);
  const channels = random.pick([1, 3, 4, 7, 8, 32, 37, 68]);
  const shapes = Array.from({ length: 1 + random.integer(3) }, (_, i) => ({
    height: 1 + random.integer(15),
    width: 1 + random.integer(19),
    scale: random.pick([1, 1 / 3, 0.25]) / 2 ** i,
  }));
  const shape = {
    height: 1 + random.integer(5),
    width: 1 + random.integer(6),
    samplingRatio: random.integer(4),
    aligned: random.chance(0.5),
  };
  const count = seed % 7 === 3 ? 0 : 1 + random.integer(12);
  const levels = Int32Array.from({ length: count }, () => random.integer(shapes.length));
  const boxes = Array.from(levels, (level) => {
    const { height, width, scale } = shapes[level]!;
    // Quarter cells, so that samples fall exactly on cells and borders too.
    const near = (extent: number): number => (random.integer(4 * extent + 24) - 12) / 4 / scale;
    const [x, y] = [near(width), near(height)];
    const kind = random.integer(6);
    if (kind === 0) return [x, y, x, y]; // empty
    if (kind === 1) return [x, y, near(width), near(height)]; // maybe reversed
    return [x, y, Math.max(x, near(width)), Math.max(y, near(height))];
  });
  const normal = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal());
  return {
    maps: { shapes, images, channels },
    values: shapes.map(({ height, width }) => normal(images * height * width * channels)),
    rois: {
      count,
      boxes: Float32Array.from(boxes.flat()),
      images: Int32Array.from({ length: count }, () => random.integer(images)),
      levels,
    },
    shape,
    gradient: normal(count * shape.height * shape.width * channels),
  };
}
