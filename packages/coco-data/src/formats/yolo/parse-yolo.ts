import type { ImageSize } from '@rcnn/core';
import type { Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord } from '../../records.ts';
import { boxAround, polygonArea } from '../outline.ts';

/** An object of a label file, its class by number from 0. */
export interface YoloObject extends Pick<AnnotationRecord, 'box' | 'segmentation' | 'area' | 'place'> {
  readonly index: number;
}

/**
 * One label file of YOLO: a line per object, `class x y …` as fractions of the image. Four numbers are the center, width and
 * height of a box; six and more an outline.
 * @param place of the file, in problems
 * @param keypoints numbers that come after each box: key points of YOLO's pose files. Default 0
 */
export function parseYoloLabels(
  text: string,
  [height, width]: ImageSize,
  place: string,
  source: string,
  problems: Pick<Problems, 'add'>,
  keypoints: number = 0,
): readonly YoloObject[] {
  const objects: YoloObject[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const at = `${place}:${i + 1}`;
    const report = (kind: 'field-type' | 'polygon-odd' | 'polygon-not-finite', found: string): void =>
      problems.add({ kind, source, place: at, found });
    const [index, ...numbers] = line.trim().split(/\s+/).map(Number);
    if (!Number.isSafeInteger(index) || index! < 0)
      report('field-type', `${line.slice(0, 40)}, expected a class from 0`);
    else if (!numbers.every(Number.isFinite)) report('polygon-not-finite', line.slice(0, 40));
    else if (numbers.length === 4 + keypoints)
      objects.push({ index: index!, box: boxOf(numbers, height, width), place: at });
    else if (keypoints > 0) report('field-type', `${numbers.length} numbers, expected ${4 + keypoints} (kpt_shape)`);
    else if (numbers.length < 6 || numbers.length % 2 === 1) report('polygon-odd', `${numbers.length} numbers`);
    else {
      const points = Float64Array.from(numbers, (value, k) => value * (k % 2 === 0 ? width : height));
      objects.push({
        index: index!,
        box: boxAround(points, [height, width]),
        segmentation: { kind: 'polygons', parts: [points] },
        area: polygonArea(points),
        place: at,
      });
    }
  }
  return objects;
}

function boxOf(numbers: readonly number[], height: number, width: number): AnnotationRecord['box'] {
  const [x, y, w, h] = numbers as [number, number, number, number];
  return [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height];
}
