import type { PixelImage } from '@rcnn/core';
import { Random } from '@rcnn/core/random';
import { runsFromPolygons } from '@rcnn/masks';
import { PatchMask } from '@rcnn/transforms';
import { backgroundPixels, finishPixels, paint } from './paint.ts';

export const SHAPES = ['circle', 'square', 'triangle', 'star'] as const;
export type Shape = (typeof SHAPES)[number];

export interface ShapesOptions {
  /** `[height, width]` in pixels. Default [128, 128]. */
  readonly size?: readonly [height: number, width: number];
  /** Objects per picture, drawn from here. Default [1, 5]. */
  readonly objects?: readonly [fewest: number, most: number];
  /** Radius of an object as a share of the shorter side. Default [0.08, 0.25]. */
  readonly radius?: readonly [least: number, most: number];
  /** Share of objects that are tiny (3 to 5 pixels of radius). Default 0.05. */
  readonly tiny?: number;
  /** Share of objects that touch the one before. Default 0.15. */
  readonly touching?: number;
  /** Deviation of the noise on every pixel, of 255. Default 8. */
  readonly noise?: number;
  /** Farthest turn from upright, in radians. Default: any turn. */
  readonly turn?: number;
}

/** One object of a drawn picture. */
export interface DrawnShape {
  readonly shape: Shape;
  /** What is to be seen of it: later objects lie on top. */
  readonly mask: PatchMask;
  /** The whole outline, flat, in pixels; it equals the mask when nothing covers it. */
  readonly outline: Float64Array;
  readonly covered: boolean;
}

export interface ShapesPicture {
  readonly image: PixelImage;
  readonly shapes: readonly DrawnShape[];
}

const MIN_VISIBLE = 0.4; // of an object's pixels; less could not be told by anyone
const ATTEMPTS = 30;
/** Angle of the first corner of a shape that stands on its base; y points down. */
const UPRIGHT: Readonly<Record<Shape, number>> = {
  circle: 0,
  square: Math.PI / 4,
  triangle: -Math.PI / 2,
  star: -Math.PI / 2,
};

/** Draws picture number `index` of a seed: shapes of random colour over a textured ground, overlapping at times. */
export function drawShapes(seed: number, index: number, options: ShapesOptions = {}): ShapesPicture {
  const { size = [128, 128], objects = [1, 5], noise = 8 } = options;
  const random = new Random(seed).fork('shapes', index);
  const pixels = backgroundPixels(size, random);
  const count = objects[0] + random.integer(objects[1] - objects[0] + 1);
  let placed: Placed[] = [];
  for (let i = 0; i < count; i++) placed = place(placed, size, options, random);
  for (const { whole } of placed) paint(pixels, size, whole, random);
  const shapes = placed.map(({ shape, whole, visible, outline }) => ({
    shape,
    mask: visible,
    outline,
    covered: visible !== whole,
  }));
  return { image: finishPixels(pixels, size, noise, random), shapes };
}

interface Placed {
  readonly shape: Shape;
  readonly outline: Float64Array;
  readonly whole: PatchMask;
  readonly visible: PatchMask;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** Lays one more object on top, somewhere where enough of the others stays visible; maybe none. */
function place(
  placed: readonly Placed[],
  size: readonly [number, number],
  { radius: radii = [0.08, 0.25], tiny = 0.05, touching = 0.15, turn = Math.PI }: ShapesOptions,
  random: Random,
): Placed[] {
  const [height, width] = size;
  const shape = random.pick(SHAPES);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const small = random.chance(tiny);
    const radius = small ? random.uniform(3, 5) : random.uniform(...radii) * Math.min(height, width);
    const last = placed.at(-1);
    let x = random.uniform(radius, width - radius);
    let y = random.uniform(radius, height - radius);
    if (last && random.chance(touching)) {
      const angle = random.uniform(0, 2 * Math.PI);
      x = last.x + (last.radius + radius) * Math.cos(angle);
      y = last.y + (last.radius + radius) * Math.sin(angle);
      if (x < radius || y < radius || x > width - radius || y > height - radius) continue;
    }
    const outline = outlineOf(shape, x, y, radius, UPRIGHT[shape] + random.uniform(-turn, turn));
    const whole = PatchMask.fromRunLengths(runsFromPolygons([outline], size));
    const below = placed.map((object) => ({ ...object, visible: object.visible.without(whole) }));
    if (whole.isEmpty || below.some(({ visible, whole: all }) => visible.area < MIN_VISIBLE * all.area)) continue;
    // `without` hands back the same mask when the boxes are apart; compare areas so that near misses stay whole too.
    const kept = below.map((object, i) =>
      object.visible.area === placed[i]!.visible.area ? { ...object, visible: placed[i]!.visible } : object,
    );
    return [...kept, { shape, outline, whole, visible: whole, x, y, radius }];
  }
  return [...placed];
}

/** Corners around a centre, flat, all within `radius`. */
function outlineOf(shape: Shape, x: number, y: number, radius: number, turn: number): Float64Array {
  const corners = { circle: 48, square: 4, triangle: 3, star: 10 }[shape];
  const points = new Float64Array(2 * corners);
  for (let i = 0; i < corners; i++) {
    const angle = turn + (2 * Math.PI * i) / corners;
    const reach = shape === 'star' && i % 2 === 1 ? radius * 0.45 : radius;
    points[2 * i] = x + reach * Math.cos(angle);
    points[2 * i + 1] = y + reach * Math.sin(angle);
  }
  return points;
}
