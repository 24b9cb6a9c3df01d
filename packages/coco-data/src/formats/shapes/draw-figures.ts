import type { ImageSize, PixelImage } from '@rcnn/core';
import { Random } from '@rcnn/core/random';
import { runsFromPolygons } from '@rcnn/masks';
import { PatchMask } from '@rcnn/transforms';
import { drawShapes, type ShapesOptions } from './draw.ts';
import { drawFigure, type Figure } from './figure.ts';
import { finishPixels, paint } from './paint.ts';

export interface FiguresOptions {
  /** `[height, width]` in pixels. Default [128, 128]. */
  readonly size?: ImageSize;
  /** Figures per picture, drawn from here. Default [1, 2]. */
  readonly figures?: readonly [fewest: number, most: number];
  /** Height of a figure as a share of the picture's. Default [0.5, 0.8]. */
  readonly height?: readonly [least: number, most: number];
  /** Shapes that stand around, drawn from here: nothing is to be learned of them. Default [0, 2]. */
  readonly shapes?: readonly [fewest: number, most: number];
  /** Deviation of the noise on every pixel, of 255. Default 8. */
  readonly noise?: number;
}

/** One figure of a drawn picture. */
export interface DrawnFigure {
  /** What is to be seen of it: later figures stand in front. */
  readonly mask: PatchMask;
  /** `[17 * 3]`: x, y, visibility as in COCO; what another figure hides has visibility 1. */
  readonly keypoints: Float32Array;
}

export interface FiguresPicture {
  readonly image: PixelImage;
  readonly figures: readonly DrawnFigure[];
}

const ATTEMPTS = 30;
/** Of a figure's pixels; less could not be told by anyone. */
const MIN_VISIBLE = 0.6;

/** Draws picture number `index` of a seed: stick figures in poses of their own, and shapes beside them. */
export function drawFigures(seed: number, index: number, options: FiguresOptions = {}): FiguresPicture {
  const { size = [128, 128], figures = [1, 2], shapes = [0, 2], noise = 8 } = options;
  const random = new Random(seed).fork('figures', index);
  const around: ShapesOptions = { size, objects: shapes, noise: 0, radius: [0.06, 0.14] };
  const pixels = Float32Array.from(drawShapes(seed, index, around).image.data);
  const count = figures[0] + random.integer(figures[1] - figures[0] + 1);
  let placed: Placed[] = [];
  for (let i = 0; i < count; i++) placed = place(placed, size, options, random);
  for (const { whole, head, figure } of placed) {
    paint(pixels, size, whole, random);
    paint(pixels, size, head, random);
    for (const eye of figure.points.slice(1, 3)) darken(pixels, size, eye);
  }
  return {
    image: finishPixels(pixels, size, noise, random),
    figures: placed.map((figure, i) => drawn(figure, placed.slice(i + 1))),
  };
}

interface Placed {
  readonly figure: Figure;
  readonly whole: PatchMask;
  readonly visible: PatchMask;
  readonly head: PatchMask;
}

/** One more figure in front of the others, where enough of them stays to be seen and all of it is in the picture; maybe none. */
function place(placed: readonly Placed[], size: ImageSize, options: FiguresOptions, random: Random): Placed[] {
  const { height: heights = [0.5, 0.8] } = options;
  const [height, width] = size;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const tall = random.uniform(...heights) * height;
    const figure = drawFigure([random.uniform(0, width), random.uniform(0, height - tall)], tall, random);
    if (figure.parts.some((part) => leaves(part, size))) continue;
    const whole = PatchMask.fromRunLengths(runsFromPolygons(figure.parts, size));
    const below = placed.map((other) => ({ ...other, visible: other.visible.without(whole) }));
    if (below.some(({ visible, whole: all }) => visible.area < MIN_VISIBLE * all.area)) continue;
    const head = PatchMask.fromRunLengths(runsFromPolygons([figure.head], size));
    return [...below, { figure, head, whole, visible: whole }];
  }
  return [...placed];
}

function leaves(outline: Float64Array, [height, width]: ImageSize): boolean {
  return outline.some((value, i) => value < 1 || value > (i % 2 === 0 ? width : height) - 1);
}

function drawn({ figure, visible }: Placed, inFront: readonly Placed[]): DrawnFigure {
  const hidden = ([x, y]: readonly [number, number]): boolean =>
    inFront.some((other) => other.whole.has(Math.floor(x), Math.floor(y)));
  const keypoints = Float32Array.from(figure.points.flatMap((point) => [...point, hidden(point) ? 1 : 2]));
  return { mask: visible, keypoints };
}

/** An eye: four dark pixels. */
function darken(pixels: Float32Array, [height, width]: ImageSize, [x, y]: readonly [number, number]): void {
  for (const row of [Math.round(y) - 1, Math.round(y)]) {
    for (const column of [Math.round(x) - 1, Math.round(x)]) {
      if (row < 0 || column < 0 || row >= height || column >= width) continue;
      pixels.fill(20, (row * width + column) * 3, (row * width + column) * 3 + 3);
    }
  }
}
