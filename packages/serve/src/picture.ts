import type { ClassMap } from '@rcnn/coco-data';
import type { Detection, PixelImage } from '@rcnn/core';
import { drawPanel, everything } from '@rcnn/visualize';
import { createCanvas, encodePng } from '@rcnn/visualize/node';

/** The image with everything that was found, at its own size, as PNG. */
export function annotatedPng(image: PixelImage, objects: readonly Detection[], classes: ClassMap | undefined): Buffer {
  const names = new Map((classes?.classes ?? []).map(({ label, name }) => [label, name]));
  return Buffer.from(encodePng(drawPanel(createCanvas, { image, objects, annotators: everything() }, 1, { names })));
}
