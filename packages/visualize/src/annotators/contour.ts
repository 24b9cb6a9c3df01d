import type { InstanceMask } from '@rcnn/core';
import { contours } from 'd3-contour';
import type { Context2D } from '../canvas.ts';
import { cssColor } from '../palette.ts';
import { type Annotator, defaultLineWidth } from './annotator.ts';

export interface ContourAnnotatorOptions {
  /** Pixels of the canvas. Default: grows with the picture, at least 1. */
  readonly lineWidth?: number;
}

type Ring = readonly (readonly [number, number])[];

/** Outlines of the masks, holes included, with corners cut at half a pixel. For looking at, not for export. */
export function contourAnnotator({ lineWidth }: ContourAnnotatorOptions = {}): Annotator {
  return (context, scene) => {
    context.save();
    context.lineJoin = 'round';
    context.lineWidth = lineWidth ?? defaultLineWidth(scene);
    scene.objects.forEach(({ mask }, index) => {
      if (mask === undefined) return;
      context.strokeStyle = cssColor(scene.colorOf(index));
      context.beginPath();
      for (const ring of outline(mask)) trace(context, ring, scene.scale);
      context.stroke();
    });
    context.restore();
  };
}

/** Closed rings in pixels of the image. */
function outline(mask: InstanceMask): Ring[] {
  const [, width] = mask.size;
  const bitmap = mask.bitmap();
  const extent = extentOf(bitmap, width);
  if (extent === undefined) return [];
  const [left, top, right, bottom] = extent;
  // One empty pixel around the object, so that outlines along the border of the image are closed as well.
  const columns = right - left + 2;
  const rows = bottom - top + 2;
  const window = new Array<number>(columns * rows).fill(0);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) window[(y - top + 1) * columns + (x - left + 1)] = bitmap[y * width + x]!;
  }
  const { coordinates } = contours().size([columns, rows]).contour(window, 0.5);
  return coordinates.flatMap((polygon) =>
    polygon.map((ring) => ring.map(([x, y]) => [x! + left - 1, y! + top - 1] as const)),
  );
}

/** `x1, y1, x2, y2` around the set pixels; undefined when none is set. */
function extentOf(bitmap: Uint8Array, width: number): [number, number, number, number] | undefined {
  let [left, top, right, bottom] = [width, -1, -1, -1];
  for (let at = bitmap.indexOf(1); at >= 0; at = bitmap.indexOf(1, at + 1)) {
    const x = at % width;
    const y = (at - x) / width;
    if (top < 0) top = y;
    bottom = y;
    if (x < left) left = x;
    if (x > right) right = x;
  }
  return top < 0 ? undefined : [left, top, right + 1, bottom + 1];
}

function trace(context: Context2D, ring: Ring, scale: number): void {
  ring.forEach(([x, y], i) => {
    if (i === 0) context.moveTo(x * scale, y * scale);
    else context.lineTo(x * scale, y * scale);
  });
  context.closePath();
}
