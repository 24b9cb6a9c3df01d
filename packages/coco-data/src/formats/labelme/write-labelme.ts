import type { ImageSize } from '@rcnn/core';
import { partsOf } from '../../masks.ts';
import type { AnnotationRecord, Category } from '../../records.ts';

/** One image as labelme keeps it: plain data for `JSON.stringify`. The parts of one object share a `group_id`. */
export function labelmeOf(
  file: string,
  [height, width]: ImageSize,
  annotations: readonly AnnotationRecord[],
  categories: readonly Category[],
): Readonly<Record<string, unknown>> {
  const nameOf = new Map(categories.map(({ id, name }) => [id, name]));
  const shapes = annotations.flatMap(({ categoryId, segmentation, box: [x1, y1, x2, y2] }, i) => {
    const label = nameOf.get(categoryId)!;
    const parts = segmentation === undefined ? [] : partsOf(segmentation);
    const common = { label, group_id: parts.length > 1 ? i + 1 : null, description: '', flags: {} };
    if (parts.length === 0)
      return [
        {
          ...common,
          points: [
            [x1, y1],
            [x2, y2],
          ],
          shape_type: 'rectangle',
        },
      ];
    return parts.map((part) => ({ ...common, points: pairs(part), shape_type: 'polygon' }));
  });
  return {
    version: '5.5.0',
    flags: {},
    shapes,
    imagePath: file,
    imageData: null,
    imageHeight: height,
    imageWidth: width,
  };
}

function pairs(part: ArrayLike<number>): number[][] {
  return Array.from({ length: part.length / 2 }, (_, i) => [part[2 * i]!, part[2 * i + 1]!]);
}
