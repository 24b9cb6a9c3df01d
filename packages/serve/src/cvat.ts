import type { ClassMap } from '@rcnn/coco-data';
import type { Detection } from '@rcnn/core';
import { longestOutline, nameOf } from './answers.ts';

/** What CVAT sends to a nuclio function that is a detector. */
export interface CvatRequest {
  /** The image file in base64. */
  readonly image: string;
  readonly threshold?: number;
}

/** A shape, as CVAT takes it from a detector. */
export interface CvatShape {
  /** CVAT's own functions give it as text. */
  readonly confidence: string;
  readonly label: string;
  readonly type: 'mask' | 'rectangle';
  readonly points: readonly number[];
  /** 0 and 1 for each pixel of the box, row by row, then `left, top, right, bottom`, the last ones inside. */
  readonly mask?: readonly number[];
}

export function cvatShapes(detections: readonly Detection[], classes: ClassMap | undefined): CvatShape[] {
  return detections.flatMap((detection): CvatShape[] => {
    const about = { confidence: String(detection.score), label: nameOf(detection.label, classes) };
    if (detection.mask === undefined) return [{ ...about, type: 'rectangle', points: detection.box }];
    const mask = croppedMask(detection.mask.bitmap(), detection.mask.size);
    return mask === undefined ? [] : [{ ...about, type: 'mask', points: longestOutline(detection), mask }];
  });
}

/** The smallest rectangle around the pixels of a mask, and its corners; undefined for a mask without pixels. */
function croppedMask(bits: Uint8Array, [height, width]: readonly [number, number]): number[] | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let at = 0; at < bits.length; at++) {
    if (bits[at] === 0) continue;
    const [x, y] = [at % width, Math.floor(at / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  if (right < 0) return undefined;
  const rows: number[] = [];
  for (let y = top; y <= bottom; y++) for (let x = left; x <= right; x++) rows.push(bits[y * width + x]!);
  rows.push(left, top, right, bottom);
  return rows;
}
