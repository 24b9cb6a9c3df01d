import type { ImageSize } from '@rcnn/core';
import { counted } from '@rcnn/core/errors';
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
    const report = (kind: 'field-type' | 'polygon-odd' | 'polygon-not-finite' | 'box-turned', found: string): void =>
      problems.add({ kind, source, place: at, found });
    const [index, ...numbers] = line.trim().split(/\s+/).map(Number);
    if (!Number.isSafeInteger(index) || index! < 0)
      report('field-type', `${line.slice(0, 40)}, expected a class from 0`);
    else if (!numbers.every(Number.isFinite)) report('polygon-not-finite', line.slice(0, 40));
    else if (beyond(numbers, keypoints) !== undefined)
      report('field-type', `${beyond(numbers, keypoints)} is no fraction of the image: places count from 0 to 1`);
    else if (numbers.length === 4 + keypoints) {
      if (Math.min(numbers[2]!, numbers[3]!) < 0) report('box-turned', line.slice(0, 60));
      objects.push({ index: index!, box: boxOf(numbers, height, width), place: at });
    } else if (hasVisibilities(numbers))
      report(
        'field-type',
        `${counted(numbers.length, 'number')}, a box and key points: kpt_shape in data.yaml says how many`,
      );
    else if (numbers.length === 5 && keypoints === 0)
      report('field-type', '5 numbers: a box and a score, as predictions have, is no label');
    else if (keypoints > 0)
      report('field-type', `${counted(numbers.length, 'number')}, expected ${4 + keypoints} (kpt_shape)`);
    else if (numbers.length < 6 || numbers.length % 2 === 1) report('polygon-odd', counted(numbers.length, 'number'));
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
  const [halfWidth, halfHeight] = [Math.abs(w) / 2, Math.abs(h) / 2];
  return [(x - halfWidth) * width, (y - halfHeight) * height, (x + halfWidth) * width, (y + halfHeight) * height];
}

/**
 * A number that is no place in the picture and none that somebody dragged over its edge: a pixel, or what trackers write
 * behind a box. Key points have numbers of another kind among them.
 */
function beyond(numbers: readonly number[], keypoints: number): number | undefined {
  const places = keypoints > 0 || hasVisibilities(numbers) ? numbers.slice(0, 4) : numbers;
  return places.find((value) => value < -1 || value > 2);
}

/** Whether every third number after a box is 0, 1 or 2, and one of them 2, which is no fraction of an image: key points. */
function hasVisibilities(numbers: readonly number[]): boolean {
  if (numbers.length < 7 || (numbers.length - 4) % 3 !== 0) return false;
  const visible = numbers.filter((_, i) => i >= 6 && (i - 4) % 3 === 2);
  return visible.includes(2) && visible.every((value) => value === 0 || value === 1 || value === 2);
}
