import { sharedPixels } from '@rcnn/masks';
import type { MaskArena } from '../read/segmentations.ts';

/** What `np.spacing(1)` is. */
export const EPSILON: number = 2 ** -52;

/**
 * IoU of two boxes `x, y, width, height` at offsets into arrays, in the order of operations of pycocotools. A crowd
 * divides by the detection's area.
 */
export function boxIoU(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, crowd: boolean): number {
  const width = Math.min(a[i + 2]! + a[i]!, b[j + 2]! + b[j]!) - Math.max(a[i]!, b[j]!);
  if (width <= 0) return 0;
  const height = Math.min(a[i + 3]! + a[i + 1]!, b[j + 3]! + b[j + 1]!) - Math.max(a[i + 1]!, b[j + 1]!);
  if (height <= 0) return 0;
  const shared = width * height;
  const areaA = a[i + 2]! * a[i + 3]!;
  return shared / (crowd ? areaA : areaA + b[j + 2]! * b[j + 3]! - shared);
}

/**
 * IoU of two decoded masks. Pairs that cannot reach `least` are answered with 0 without walking their runs: areas and
 * boxes bound what they can share. With `least` at or below 0 every pair is computed.
 */
export function maskIoU(
  detections: MaskArena,
  d: number,
  truths: MaskArena,
  g: number,
  crowd: boolean,
  least: number,
): number {
  const a = detections.boxes;
  const b = truths.boxes;
  const i = 4 * d;
  const j = 4 * g;
  const width = Math.min(a[i + 2]! + a[i]!, b[j + 2]! + b[j]!) - Math.max(a[i]!, b[j]!);
  if (width <= 0) return 0;
  const height = Math.min(a[i + 3]! + a[i + 1]!, b[j + 3]! + b[j + 1]!) - Math.max(a[i + 1]!, b[j + 1]!);
  if (height <= 0) return 0;
  if (detections.heights[d] !== truths.heights[g] || detections.widths[d] !== truths.widths[g]) return -1;
  const areaA = detections.areas[d]!;
  const areaB = truths.areas[g]!;
  const most = Math.min(areaA, areaB, width * height);
  if (least > 0 && most / (crowd ? areaA : areaA + areaB - most) < least) return 0;
  const shared = sharedPixels(
    detections.ends,
    detections.starts[d]!,
    detections.starts[d + 1]!,
    truths.ends,
    truths.starts[g]!,
    truths.starts[g + 1]!,
  );
  return shared === 0 ? 0 : shared / (crowd ? areaA : areaA + areaB - shared);
}

/** Keypoints of one truth, prepared once for all detections. */
export interface KeypointTruth {
  readonly values: Float64Array;
  readonly offset: number;
  /** x, y, width, height. */
  readonly boxes: Float64Array;
  readonly boxOffset: number;
  readonly area: number;
}

/**
 * Object keypoint similarity, in the order of operations of pycocotools. Where no keypoint is labelled, distances are
 * to the truth's box grown by its own size on each side, over all points.
 * @param variances `(2 sigma)²` per keypoint
 * @see https://cocodataset.org/#keypoints-eval
 */
export function keypointSimilarity(
  detection: Float64Array,
  offset: number,
  truth: KeypointTruth,
  variances: readonly number[],
): number {
  const { values, offset: start, boxes, boxOffset, area } = truth;
  let labelled = 0;
  for (let k = 0; k < variances.length; k++) if (values[start + 3 * k + 2]! > 0) labelled++;
  const terms: number[] = [];
  for (let k = 0; k < variances.length; k++) {
    if (labelled > 0 && !(values[start + 3 * k + 2]! > 0)) continue;
    const x = detection[offset + 3 * k]!;
    const y = detection[offset + 3 * k + 1]!;
    let dx: number;
    let dy: number;
    if (labelled > 0) {
      dx = x - values[start + 3 * k]!;
      dy = y - values[start + 3 * k + 1]!;
    } else {
      dx = outside(x, boxes[boxOffset]!, boxes[boxOffset + 2]!);
      dy = outside(y, boxes[boxOffset + 1]!, boxes[boxOffset + 3]!);
    }
    terms.push(Math.exp(-((dx * dx + dy * dy) / variances[k]! / (area + EPSILON) / 2)));
  }
  return pairwiseSum(terms, 0, terms.length) / terms.length;
}

function outside(value: number, start: number, size: number): number {
  return Math.max(0, start - size - value) + Math.max(0, value - (start + size * 2));
}

/** Sums as numpy does: eight partial sums, halves of longer arrays apart. Another order gives other last bits. */
export function pairwiseSum(values: ArrayLike<number>, start: number, count: number): number {
  if (count < 8) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[start + i]!;
    return sum;
  }
  if (count <= 128) {
    const r = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => values[start + i]!);
    let i = 8;
    for (; i < count - (count % 8); i += 8) for (let k = 0; k < 8; k++) r[k]! += values[start + i + k]!;
    let sum = r[0]! + r[1]! + (r[2]! + r[3]!) + (r[4]! + r[5]! + (r[6]! + r[7]!));
    for (; i < count; i++) sum += values[start + i]!;
    return sum;
  }
  let half = Math.floor(count / 2);
  half -= half % 8;
  return pairwiseSum(values, start, half) + pairwiseSum(values, start + half, count - half);
}
