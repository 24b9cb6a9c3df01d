import type { PixelImage } from '@rcnn/core';
import { counted } from '@rcnn/core/errors';
import { boxAnnotator } from './annotators/box.ts';
import { contourAnnotator } from './annotators/contour.ts';
import { keypointAnnotator } from './annotators/keypoint.ts';
import { labelAnnotator } from './annotators/label.ts';
import { maskAnnotator } from './annotators/mask.ts';
import type { Canvas, CanvasFactory } from './canvas.ts';
import type { DrawnObject } from './scene.ts';
import { drawSheet, type Panel, type SheetOptions } from './sheet.ts';

/**
 * The six panels of an instance-segmentation report, three to a row: the image; boxes with class and score; masks
 * alone; image with masks; image with masks and classes; everything. Key points stand in for masks where objects have
 * these alone. Works for predictions and for ground truth.
 */
export function drawSixPanels<C extends Canvas>(
  createCanvas: CanvasFactory<C>,
  image: PixelImage,
  objects: readonly DrawnObject[],
  options: SheetOptions = {},
): C {
  return drawSheet(createCanvas, sixPanels(image, objects), { columns: 3, ...options });
}

/** The panels of {@link drawSixPanels}, for a sheet of your own. */
export function sixPanels(image: PixelImage, objects: readonly DrawnObject[]): Panel[] {
  const count = counted(objects.length, 'object');
  const scored = objects.some(({ score }) => score !== undefined);
  const pointed = objects.some(({ mask, keypoints }) => keypoints !== undefined && mask === undefined);
  // Of objects that have key points and no masks, these are shown instead.
  const [what, shapes] = pointed ? ['key points', keypointAnnotator()] : ['masks', maskAnnotator()];
  const alone = pointed ? shapes : maskAnnotator({ opacity: 1 });
  return [
    { title: `Image, ${image.width} x ${image.height}`, image },
    {
      title: `Boxes with class${scored ? ' and score' : ''}: ${count}`,
      image,
      objects,
      annotators: [boxAnnotator(), labelAnnotator()],
    },
    { title: `${what[0]!.toUpperCase()}${what.slice(1)} alone`, image: blank(image), objects, annotators: [alone] },
    { title: `Image with ${what}`, image, objects, annotators: [shapes] },
    {
      title: `Image with ${what} and classes`,
      image,
      objects,
      annotators: [shapes, labelAnnotator({ scores: false })],
    },
    { title: 'Everything', image, objects, annotators: everything() },
  ];
}

/** Masks, their outlines, boxes, keypoints and labels, in the order that keeps all of them visible. */
export function everything(): NonNullable<Panel['annotators']> {
  return [
    maskAnnotator({ opacity: 0.4 }),
    contourAnnotator(),
    boxAnnotator({ lineWidth: 1 }),
    keypointAnnotator(),
    labelAnnotator(),
  ];
}

function blank({ height, width }: PixelImage): PixelImage {
  return { data: new Uint8Array(height * width * 3).fill(24), height, width, channels: 3 };
}
