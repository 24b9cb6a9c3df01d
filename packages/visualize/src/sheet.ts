import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { Annotator } from './annotators/annotator.ts';
import { type Canvas, type CanvasFactory, type Context2D, contextOf } from './canvas.ts';
import { drawImage, scaledSize } from './image.ts';
import type { ColorBy } from './palette.ts';
import { createScene, type DrawnObject, type Skeleton } from './scene.ts';
import { fontOf, shorten } from './text.ts';

/** One picture of a sheet. */
export interface Panel {
  readonly image: PixelImage;
  readonly title?: string;
  /** Default: none. */
  readonly objects?: readonly DrawnObject[];
  /** Drawn in this order. Default: none. */
  readonly annotators?: readonly Annotator[];
}

export interface SheetOptions {
  /** Written above all panels. */
  readonly title?: string;
  /** Default: about as many as rows. */
  readonly columns?: number;
  /** Longer side of the largest panel in pixels of the sheet; the others are drawn at the same scale. Default 480. */
  readonly panelSide?: number;
  readonly names?: ReadonlyMap<number, string>;
  /** Pairs of key points that a line joins. Default COCO's for objects of 17 key points, no lines for others. */
  readonly skeleton?: Skeleton | undefined;
  /** Default `instance`. */
  readonly colorBy?: ColorBy;
}

const GAP = 12;
const TITLE = 18; // letters, in pixels
const PAPER = '#ffffff';
const INK = '#1b1f24';

/** Panels in a grid, each under its title, on white. Every cell is as large as the largest panel. */
export function drawSheet<C extends Canvas>(
  createCanvas: CanvasFactory<C>,
  panels: readonly Panel[],
  { title, columns, panelSide = 480, names, skeleton, colorBy }: SheetOptions = {},
): C {
  if (panels.length === 0) {
    throw new RcnnError('INVALID_ARGUMENT', { where: 'drawSheet', problem: 'a sheet needs at least one panel' });
  }
  const scale = panelSide / Math.max(...panels.flatMap(({ image }) => [image.height, image.width]));
  const sizes = panels.map(({ image }) => scaledSize(image, scale));
  const cellHeight = Math.max(...sizes.map(([height]) => height));
  const cellWidth = Math.max(...sizes.map(([, width]) => width));
  const across = Math.min(panels.length, Math.max(1, columns ?? Math.ceil(Math.sqrt(panels.length))));
  const down = Math.ceil(panels.length / across);
  const caption = panels.some((panel) => panel.title !== undefined) ? TITLE + GAP : 0;
  const head = title === undefined ? 0 : TITLE + GAP;

  const sheet = createCanvas(GAP + across * (cellWidth + GAP), GAP + head + down * (cellHeight + caption + GAP));
  const context = contextOf(sheet);
  context.fillStyle = PAPER;
  context.fillRect(0, 0, sheet.width, sheet.height);
  if (title !== undefined) write(context, title, GAP, GAP, sheet.width - 2 * GAP, 600);
  panels.forEach((panel, i) => {
    const x = GAP + (i % across) * (cellWidth + GAP);
    const y = GAP + head + Math.floor(i / across) * (cellHeight + caption + GAP);
    if (panel.title !== undefined) write(context, panel.title, x, y, cellWidth, 400);
    const picture = drawPanel(createCanvas, panel, scale, {
      ...(names && { names }),
      ...(colorBy && { colorBy }),
      skeleton,
    });
    const pixels = contextOf(picture).getImageData(0, 0, picture.width, picture.height);
    context.putImageData(pixels, x, y + caption);
  });
  return sheet;
}

/** One image with its annotations, `scale` times its size. */
export function drawPanel<C extends Canvas>(
  createCanvas: CanvasFactory<C>,
  { image, objects = [], annotators = [] }: Panel,
  scale = 1,
  options: Pick<SheetOptions, 'names' | 'skeleton' | 'colorBy'> = {},
): C {
  const [height, width] = scaledSize(image, scale);
  const canvas = createCanvas(width, height);
  const context = contextOf(canvas);
  drawImage(context, image, scale);
  const scene = createScene([image.height, image.width], objects, { scale, ...options });
  for (const annotate of annotators) annotate(context, scene);
  return canvas;
}

function write(context: Context2D, text: string, x: number, y: number, width: number, weight: 400 | 600): void {
  context.fillStyle = INK;
  context.font = fontOf(TITLE, weight);
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.fillText(shorten(context, text, width), x, y + TITLE / 2);
}
