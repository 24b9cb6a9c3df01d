import type { ImageSize } from '@rcnn/core';
import { partsOf } from '../../masks.ts';
import type { AnnotationRecord } from '../../records.ts';
import { clippedOutline } from '../outline.ts';

/** Decimals of a fraction: a hundredth of a pixel in an image of 10,000. */
const DECIMALS = 8;

/**
 * The objects of one image as lines of YOLO, `class x y …` in fractions of the image: an outline where there is a mask, else
 * center, width and height of the box, cut off at the edges of the image: YOLO's tools leave out a picture whose labels
 * reach beyond it. The parts of one object are joined by a way there and back, which covers no pixel.
 * @param indexOf the class from 0 by category id
 */
export function yoloLines(
  annotations: readonly AnnotationRecord[],
  size: ImageSize,
  indexOf: ReadonlyMap<number, number>,
): string {
  const [height, width] = size;
  const fraction = (value: number, i: number): string =>
    String(Number((value / (i % 2 === 0 ? width : height)).toFixed(DECIMALS)));
  const lines = annotations.map(({ categoryId, segmentation, box: [x1, y1, x2, y2] }) => {
    const outlines = segmentation === undefined ? [] : partsOf(segmentation);
    const parts = outlines.map((part) => clippedOutline(part, size)).filter((part) => part.length >= 6);
    const [left, top, right, bottom] = [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)];
    const box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top];
    const numbers = parts.length > 0 ? joined(parts) : box;
    return `${indexOf.get(categoryId)} ${numbers.map(fraction).join(' ')}\n`;
  });
  return lines.join('');
}

function joined(parts: readonly ArrayLike<number>[]): readonly number[] {
  if (parts.length === 1) return Array.from(parts[0]!);
  return parts.flatMap((part) => [...Array.from(part), part[0]!, part[1]!]);
}
