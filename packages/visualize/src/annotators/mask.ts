import type { CanvasPixels } from '../canvas.ts';
import type { Color } from '../palette.ts';
import type { DrawnObject, Scene } from '../scene.ts';
import { type Annotator, largestFirst } from './annotator.ts';

export interface MaskAnnotatorOptions {
  /** 0 leaves the image alone, 1 hides it. Default 0.55. */
  readonly opacity?: number;
}

/**
 * Translucent masks, blended in one pass: the canvas is read and written once, however many masks there are, and only
 * pixels inside an object's box are visited.
 */
export function maskAnnotator({ opacity = 0.55 }: MaskAnnotatorOptions = {}): Annotator {
  return (context, scene) => {
    if (!scene.objects.some(({ mask }) => mask !== undefined)) return;
    const [height, width] = scene.size.map((side) => Math.max(1, Math.round(side * scene.scale))) as [number, number];
    const pixels = context.getImageData(0, 0, width, height);
    for (const index of largestFirst(scene)) {
      blend(pixels, scene, scene.objects[index]!, scene.colorOf(index), opacity);
    }
    context.putImageData(pixels, 0, 0);
  };
}

function blend(
  pixels: CanvasPixels,
  scene: Scene,
  { mask, box, crowd }: DrawnObject,
  color: Color,
  opacity: number,
): void {
  if (mask === undefined) return;
  const bitmap = mask.bitmap();
  const [sourceHeight, sourceWidth] = mask.size;
  const { data, width, height } = pixels;
  const [top, bottom] = canvasRange(box[1], box[3], scene.scale, height);
  const [left, right] = canvasRange(box[0], box[2], scene.scale, width);
  for (let y = top; y < bottom; y++) {
    const row = Math.min(sourceHeight - 1, Math.floor((y + 0.5) / scene.scale)) * sourceWidth;
    for (let x = left; x < right; x++) {
      if (bitmap[row + Math.min(sourceWidth - 1, Math.floor((x + 0.5) / scene.scale))] === 0) continue;
      if (crowd === true && ((x + y) >> 2) % 2 === 0) continue; // crowds are hatched
      const at = (y * width + x) * 4;
      for (let channel = 0; channel < 3; channel++) {
        data[at + channel] = data[at + channel]! * (1 - opacity) + color[channel]! * opacity;
      }
      data[at + 3] = 255;
    }
  }
}

/** Canvas pixels that a side of the box may cover, a pixel of the image wider on both ends: boxes may be a bit tight. */
function canvasRange(low: number, high: number, scale: number, limit: number): [number, number] {
  return [Math.max(0, Math.floor((low - 1) * scale)), Math.min(limit, Math.ceil((high + 1) * scale))];
}
