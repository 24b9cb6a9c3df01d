import type { ImageSize } from '@rcnn/core';
import type { Random } from '@rcnn/core/random';
import { cropScene, flipScene, resizeScene, warpScene } from './geometry.ts';
import type { Projection } from './patch-mask.ts';
import { type Color, MEAN_COLOR, type ResizeOptions } from './pixels.ts';
import { sizeOf, type Transform } from './scene.ts';

/** With probability `p`, `transform`; else nothing. */
export function maybe(p: number, transform: Transform): Transform {
  return {
    name: transform.name,
    always: transform,
    apply: (scene, random) => (random.chance(p) ? transform.apply(scene, random) : scene),
  };
}

export interface FlipOptions {
  /** Default 0.5. */
  readonly p?: number;
  /** Which keypoint takes the place of each. Default what the data say, else COCO's for 17 keypoints; else none move. */
  readonly keypoints?: readonly number[];
}

/** Left and right swapped. */
export function horizontalFlip({ p = 0.5, keypoints }: FlipOptions = {}): Transform {
  return maybe(p, { name: 'horizontal flip', apply: (scene) => flipScene(scene, keypoints) });
}

/** To this `[height, width]`, whatever the aspect ratio was. */
export function resize(size: ImageSize, options: ResizeOptions = {}): Transform {
  return { name: 'resize', apply: (scene) => resizeScene(scene, size, options) };
}

export interface ShortestSideOptions extends ResizeOptions {
  /** No side becomes longer. Default 1333. */
  readonly maxSize?: number;
}

/** The short side to one of `sizes`, drawn uniformly, unless the long side would pass `maxSize`. */
export function resizeShortestSide(
  sizes: number | readonly number[],
  { maxSize = 1333, ...options }: ShortestSideOptions = {},
): Transform {
  const choices = typeof sizes === 'number' ? [sizes] : sizes;
  return {
    name: 'resize shortest side',
    apply(scene, random) {
      const [height, width] = sizeOf(scene.image);
      const scale = Math.min(random.pick(choices) / Math.min(height, width), maxSize / Math.max(height, width));
      return resizeScene(scene, scaled([height, width], scale), options);
    },
  };
}

export interface ScaleJitterOptions extends ResizeOptions {
  /** `[height, width]` that scale 1 just fits into. Default: the size the image has. */
  readonly target?: ImageSize;
  /** The scale is drawn uniformly from here. Default [0.1, 2]. */
  readonly scale?: readonly [low: number, high: number];
}

/** Resizes by a random factor, aspect ratio kept (Ghiasi et al. 2021, arXiv:2012.07177, section 3.2). */
export function scaleJitter({ target, scale = [0.1, 2], ...options }: ScaleJitterOptions = {}): Transform {
  return {
    name: 'scale jitter',
    apply(scene, random) {
      const size = sizeOf(scene.image);
      const fit = target === undefined ? 1 : Math.min(target[0] / size[0], target[1] / size[1]);
      return resizeScene(scene, scaled(size, fit * random.uniform(...scale)), options);
    },
  };
}

export interface FixedSizeCropOptions {
  /** `[height, width]` in pixels. */
  readonly size: ImageSize;
  /** What is laid right and below of images that are smaller. Default the mean colour. */
  readonly fill?: Color;
}

/** A window of this size at a random place; smaller images are padded right and below. */
export function fixedSizeCrop({ size: [height, width], fill = MEAN_COLOR }: FixedSizeCropOptions): Transform {
  return {
    name: 'fixed-size crop',
    apply(scene, random) {
      const y = random.integer(Math.max(0, scene.image.height - height) + 1);
      const x = random.integer(Math.max(0, scene.image.width - width) + 1);
      return cropScene(scene, { x, y, width, height }, fill);
    },
  };
}

export interface LargeScaleJitterOptions extends ScaleJitterOptions {
  readonly fill?: Color;
}

/** Scale jitter and a crop back to `target` in one: by default to the size that the image came with. */
export function largeScaleJitter({ fill = MEAN_COLOR, ...options }: LargeScaleJitterOptions = {}): Transform {
  const jitter = scaleJitter(options);
  return {
    name: 'large-scale jitter',
    apply(scene, random) {
      const crop = fixedSizeCrop({ size: options.target ?? sizeOf(scene.image), fill });
      return crop.apply(jitter.apply(scene, random), random);
    },
  };
}

export interface ZoomOutOptions {
  /** Default 0.5. */
  readonly p?: number;
  /** How much longer the sides become. Default [1, 4]. */
  readonly side?: readonly [low: number, high: number];
  readonly fill?: Color;
}

/** Lays the image somewhere on a larger ground (Liu et al. 2016, SSD, section 3.6). */
export function zoomOut({ p = 0.5, side = [1, 4], fill = MEAN_COLOR }: ZoomOutOptions = {}): Transform {
  return maybe(p, {
    name: 'zoom out',
    apply(scene, random) {
      const [height, width] = sizeOf(scene.image);
      const ratio = random.uniform(...side);
      const ground = scaled([height, width], ratio);
      const x = -Math.trunc((ground[1] - width) * random.uniform());
      const y = -Math.trunc((ground[0] - height) * random.uniform());
      return cropScene(scene, { x, y, height: ground[0], width: ground[1] }, fill);
    },
  });
}

export interface RotationOptions {
  /** Default 0.5. */
  readonly p?: number;
  /** The angle is drawn from -degrees … degrees. Default 10. */
  readonly degrees?: number;
  readonly fill?: Color;
}

/** A small turn about the centre; the size stays, boxes are made anew around the turned masks. */
export function smallRotation({ p = 0.5, degrees = 10, fill = MEAN_COLOR }: RotationOptions = {}): Transform {
  return maybe(p, {
    name: 'small rotation',
    apply(scene, random) {
      const size = sizeOf(scene.image);
      const angle = (random.uniform(-degrees, degrees) * Math.PI) / 180;
      const [cy, cx] = [size[0] / 2, size[1] / 2];
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const turn: Projection = [cos, -sin, cx - cos * cx + sin * cy, sin, cos, cy - sin * cx - cos * cy, 0, 0, 1];
      return warpScene(scene, turn, size, fill);
    },
  });
}

export interface PerspectiveOptions {
  /** Default 0.5. */
  readonly p?: number;
  /** Each corner moves inwards by up to this share of half a side. Default 0.2. */
  readonly distortion?: number;
  readonly fill?: Color;
}

/** The image as a plane seen from somewhere else: its four corners move inwards at random. */
export function randomPerspective({
  p = 0.5,
  distortion = 0.2,
  fill = MEAN_COLOR,
}: PerspectiveOptions = {}): Transform {
  return maybe(p, {
    name: 'random perspective',
    apply(scene, random) {
      const size = sizeOf(scene.image);
      return warpScene(scene, quadrilateral(size, corners(size, distortion, random)), size, fill);
    },
  });
}

/** `floor(side * scale)` per side, at least one pixel. */
export function scaled([height, width]: ImageSize, scale: number): ImageSize {
  return [Math.max(1, Math.floor(height * scale)), Math.max(1, Math.floor(width * scale))];
}

type Point = readonly [x: number, y: number];

function corners([height, width]: ImageSize, distortion: number, random: Random): readonly Point[] {
  const dx = (distortion * width) / 2;
  const dy = (distortion * height) / 2;
  const draw = (limit: number): number => random.uniform(0, limit);
  return [
    [draw(dx), draw(dy)],
    [width - draw(dx), draw(dy)],
    [width - draw(dx), height - draw(dy)],
    [draw(dx), height - draw(dy)],
  ];
}

/** The projection that takes the corners of an image (clockwise from the top left) to four points; closed form. */
function quadrilateral([height, width]: ImageSize, points: readonly Point[]): Projection {
  const [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = points as [Point, Point, Point, Point];
  // Heckbert 1989, section 2.2.3: the unit square to a quadrilateral.
  const [dx1, dx2, sx] = [x1 - x2, x3 - x2, x0 - x1 + x2 - x3];
  const [dy1, dy2, sy] = [y1 - y2, y3 - y2, y0 - y1 + y2 - y3];
  const determinant = dx1 * dy2 - dx2 * dy1;
  const g = (sx * dy2 - dx2 * sy) / determinant;
  const h = (dx1 * sy - sx * dy1) / determinant;
  const [a, b] = [x1 - x0 + g * x1, x3 - x0 + h * x3];
  const [d, e] = [y1 - y0 + g * y1, y3 - y0 + h * y3];
  return [a / width, b / height, x0, d / width, e / height, y0, g / width, h / height, 1];
}
