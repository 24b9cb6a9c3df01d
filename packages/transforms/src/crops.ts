import { maybe } from './geometric.ts';
import { cropScene } from './geometry.ts';
import type { Window } from './patch-mask.ts';
import { type Box, type Scene, sizeOf, type Transform } from './scene.ts';

export interface IoUCropOptions {
  /** Sides of the window as a share of the image's. Default [0.3, 1]. */
  readonly scale?: readonly [low: number, high: number];
  /** Width over height of the window. Default [0.5, 2]. */
  readonly aspect?: readonly [low: number, high: number];
  /** The best object must overlap the window this much; one is drawn. 1 means: leave the image alone. */
  readonly overlaps?: readonly number[];
  /** Windows tried per drawn overlap. Default 40. */
  readonly trials?: number;
}

/**
 * A window that overlaps some object well enough (Liu et al. 2016, SSD, section 2.2). Objects whose centre is outside
 * are dropped, the others cut.
 */
export function iouCrop({
  scale = [0.3, 1],
  aspect = [0.5, 2],
  overlaps = [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1],
  trials = 40,
}: IoUCropOptions = {}): Transform {
  const settings = { scale, aspect, trials };
  return {
    name: 'IoU crop',
    apply(scene, random) {
      if (scene.objects.length === 0) return scene;
      for (let round = 0; round < ROUNDS; round++) {
        const overlap = random.pick(overlaps);
        if (overlap >= 1) return scene;
        const window = findWindow(scene, overlap, settings, () => random.uniform());
        if (window === undefined) continue;
        const kept = scene.objects.filter(({ box }) => centerInside(box, window));
        return cropScene(
          { ...scene, objects: kept, dropped: scene.dropped + scene.objects.length - kept.length },
          window,
        );
      }
      return scene;
    },
  };
}

/** Overlaps drawn before the image is left alone; 1.0 alone ends it sooner in all but 1 of 10^5 images. */
const ROUNDS = 75;

export interface SafeCropOptions {
  /** Default 0.5. */
  readonly p?: number;
  /** The smallest side of the window as a share of the image's. Default 0.3. */
  readonly minScale?: number;
}

/** A random window that cuts no object: it always contains every box whole. */
export function safeRandomCrop({ p = 0.5, minScale = 0.3 }: SafeCropOptions = {}): Transform {
  return maybe(p, {
    name: 'safe random crop',
    apply(scene, random) {
      const [height, width] = sizeOf(scene.image);
      const boxes = scene.objects.map(({ box }) => box);
      const x = span(
        width,
        minScale,
        boxes.map(([x1, , x2]) => [x1, x2]),
        () => random.uniform(),
      );
      const y = span(
        height,
        minScale,
        boxes.map(([, y1, , y2]) => [y1, y2]),
        () => random.uniform(),
      );
      return cropScene(scene, { x: x[0], y: y[0], width: x[1] - x[0], height: y[1] - y[0] });
    },
  });
}

type Draw = () => number;

/** A random part of `[0, length]` of at least `minScale`, around all of `spans`. */
function span(
  length: number,
  minScale: number,
  spans: readonly (readonly [number, number])[],
  draw: Draw,
): readonly [number, number] {
  const side = Math.max(1, Math.trunc(length * (minScale + (1 - minScale) * draw())));
  const start = Math.trunc(draw() * (length - side + 1));
  const from = Math.min(start, ...spans.map(([low]) => Math.floor(low)));
  const to = Math.max(start + side, ...spans.map(([, high]) => Math.ceil(high)));
  return [Math.max(0, from), Math.min(length, to)];
}

function findWindow(
  scene: Scene,
  overlap: number,
  { scale, aspect, trials }: Required<Omit<IoUCropOptions, 'overlaps'>>,
  draw: Draw,
): Window | undefined {
  const [height, width] = sizeOf(scene.image);
  for (let trial = 0; trial < trials; trial++) {
    const w = Math.trunc(width * (scale[0] + (scale[1] - scale[0]) * draw()));
    const h = Math.trunc(height * (scale[0] + (scale[1] - scale[0]) * draw()));
    const ratio = w / h;
    if (!(ratio >= aspect[0] && ratio <= aspect[1])) continue;
    const x = Math.trunc((width - w) * draw());
    const y = Math.trunc((height - h) * draw());
    if (w === 0 || h === 0) continue;
    const window = { x, y, width: w, height: h };
    const best = Math.max(
      -1,
      ...scene.objects.filter(({ box }) => centerInside(box, window)).map(({ box }) => iou(box, window)),
    );
    if (best >= overlap) return window;
  }
  return undefined;
}

function centerInside([x1, y1, x2, y2]: Box, { x, y, width, height }: Window): boolean {
  const cx = (x1 + x2) / 2;
  const cy = (y1 + y2) / 2;
  return cx > x && cx < x + width && cy > y && cy < y + height;
}

function iou([x1, y1, x2, y2]: Box, { x, y, width, height }: Window): number {
  const w = Math.max(0, Math.min(x2, x + width) - Math.max(x1, x));
  const h = Math.max(0, Math.min(y2, y + height) - Math.max(y1, y));
  return (w * h) / ((x2 - x1) * (y2 - y1) + width * height - w * h);
}
