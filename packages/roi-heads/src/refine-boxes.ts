import type { BoxCoding } from '@rcnn/boxes';
import type { ImageSize } from '@rcnn/core';
import type { SampledRoIs } from './rois.ts';

/** Boxes moved by one delta each and clipped to the image: `[R * 4]`. */
export function refineBoxes(
  boxes: Float32Array,
  deltas: Float32Array,
  coder: BoxCoding,
  [height, width]: ImageSize,
): Float32Array {
  const moved = new Float32Array(boxes.length);
  for (let at = 0; at < boxes.length; at += 4) coder.decodeOne(deltas, at, boxes, at, moved, at);
  return moved.map((value, at) => Math.min(Math.max(value, 0), at % 2 === 0 ? width : height));
}

/**
 * The regions' boxes, each moved by the deltas of its own class, not clipped; those of the background as they are.
 * @param deltas `[R * K * 4]`, class-major, or `[R * 4]` for all classes alike
 */
export function moveToClass({ boxes, labels }: SampledRoIs, deltas: Float32Array, coder: BoxCoding): Float32Array {
  const moved = boxes.slice();
  const perBox = labels.length === 0 ? 0 : deltas.length / labels.length;
  for (const [r, label] of labels.entries()) {
    if (label === 0) continue;
    coder.decodeOne(deltas, r * perBox + (perBox === 4 ? 0 : 4 * label), boxes, 4 * r, moved, 4 * r);
  }
  return moved;
}

/** The boxes whose sides are both above 0. */
export function withArea(boxes: Float32Array): Float32Array {
  const kept: number[] = [];
  for (let at = 0; at < boxes.length; at += 4) {
    const [x1, y1, x2, y2] = boxes.subarray(at, at + 4) as unknown as [number, number, number, number];
    if (x2 > x1 && y2 > y1) kept.push(x1, y1, x2, y2);
  }
  return Float32Array.from(kept);
}

/** The rows of all regions as those of each image, given the boxes of each. */
export function splitRows(values: Float32Array, boxes: readonly Float32Array[]): Float32Array[] {
  const rows = boxes.reduce((sum, ofImage) => sum + ofImage.length / 4, 0);
  const width = rows === 0 ? 0 : values.length / rows;
  let start = 0;
  return boxes.map((ofImage) => {
    const end = start + (ofImage.length / 4) * width;
    const part = values.subarray(start, end);
    start = end;
    return part;
  });
}
