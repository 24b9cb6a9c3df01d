import type { ClassMap } from '@rcnn/coco-data';
import type { Detection } from '@rcnn/core';

/** How masks are given. */
export type MaskFormat = 'polygons' | 'rle';

/** One object, as JSON has it. */
export interface FoundObject {
  /** `x1, y1, x2, y2` in pixels of the image that was sent. */
  readonly box: readonly [number, number, number, number];
  readonly label: number;
  readonly name: string;
  /** Of the data that the model was trained on; absent when the weights name no classes. */
  readonly categoryId?: number;
  readonly score: number;
  /** Flat lists `x0, y0, x1, y1, …`, one per outline. */
  readonly polygons?: readonly (readonly number[])[];
  /** COCO's compressed run lengths. */
  readonly rle?: { readonly size: readonly [number, number]; readonly counts: string };
  readonly keypoints?: readonly (readonly [number, number, number])[];
}

/** Detections as plain data. */
export function objectsOf(
  detections: readonly Detection[],
  classes: ClassMap | undefined,
  format: MaskFormat,
): FoundObject[] {
  return detections.map(({ box, label, score, mask, keypoints }) => {
    const categoryId = classes?.entryOf(label)?.categoryId;
    return {
      box,
      label,
      name: nameOf(label, classes),
      ...(categoryId !== undefined && { categoryId }),
      score,
      ...(mask && format === 'polygons' && { polygons: mask.polygons() }),
      ...(mask && format === 'rle' && { rle: mask.rle() }),
      ...(keypoints && { keypoints }),
    };
  });
}

/** What a label is called. */
export function nameOf(label: number, classes: ClassMap | undefined): string {
  return classes?.entryOf(label)?.name ?? `class ${label}`;
}

/** The longest outline of an object: tools for annotation know one polygon per object. */
export function longestOutline({ mask, box: [x1, y1, x2, y2] }: Detection): readonly number[] {
  const [first, ...others] = mask?.polygons() ?? [];
  if (first === undefined) return [x1, y1, x2, y1, x2, y2, x1, y2];
  return others.reduce((longest, outline) => (areaOf(outline) > areaOf(longest) ? outline : longest), first);
}

/** By the shoelace formula. */
function areaOf(points: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i]!, points[i + 1]!];
    const [nextX, nextY] = [points[(i + 2) % points.length]!, points[(i + 3) % points.length]!];
    sum += x * nextY - nextX * y;
  }
  return Math.abs(sum) / 2;
}
