import { type BoxCoding, nms, takeBoxes } from '@rcnn/boxes';
import { type ImageSize, RcnnError } from '@rcnn/core';
import type { RoIs } from './rois.ts';

/** What the box branch said of the regions of one image, on the host. */
export interface RegionPredictions {
  /** `[R * 4]` */
  readonly boxes: Float32Array;
  /** Class probabilities: `[R * K]`, background first. */
  readonly scores: Float32Array;
  /** `[R * K * 4]`, class-major, or `[R * 4]` for all classes together. */
  readonly deltas: Float32Array;
}

/** Which detections stay. */
export interface SelectionRules {
  readonly coder: BoxCoding;
  /** A detection scores above this. */
  readonly scoreThreshold: number;
  /** Of two of one class whose IoU is above this, the better stays. */
  readonly nmsThreshold: number;
  /** Kept per image, best first. */
  readonly limit: number;
  /** Detections with a shorter side are dropped, in pixels of the batch. Default 0.01, torchvision's. */
  readonly minSize?: number | undefined;
}

/**
 * The detections of one image: decodes what scores enough, clips it, drops slivers, suppresses class by class.
 * @param size boxes are clipped to it, in pixels of the batch
 * @throws SHAPE_MISMATCH
 */
export function selectDetections(
  { boxes: regions, scores, deltas }: RegionPredictions,
  [height, width]: ImageSize,
  { coder, scoreThreshold, nmsThreshold, limit, minSize = 1e-2 }: SelectionRules,
): RoIs {
  const count = regions.length / 4;
  const numClasses = count === 0 ? 0 : scores.length / count;
  const agnostic = deltas.length === regions.length;
  if (!Number.isInteger(numClasses) || !(agnostic || deltas.length === scores.length * 4)) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'selectDetections',
      problem: 'scores and deltas do not fit the regions',
      found: `${scores.length} scores and ${deltas.length} deltas for ${count} regions`,
      expected: 'K scores, and 4 or 4 * K deltas, for each region',
    });
  }
  const above = Math.fround(scoreThreshold); // scores and sides are float32: compare like with like
  const smallest = Math.fround(minSize);
  const boxes: number[] = [];
  const kept: number[] = [];
  const labels: number[] = [];
  const box = new Float32Array(4);
  const clip = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
  for (let row = 0, at = 0; row < count; row++) {
    for (let label = 0; label < numClasses; label++, at++) {
      if (label === 0 || !(scores[at]! > above)) continue;
      coder.decodeOne(deltas, (agnostic ? row : at) * 4, regions, row * 4, box, 0);
      const x1 = clip(box[0]!, width);
      const y1 = clip(box[1]!, height);
      const x2 = clip(box[2]!, width);
      const y2 = clip(box[3]!, height);
      if (!(Math.fround(x2 - x1) >= smallest && Math.fround(y2 - y1) >= smallest)) continue;
      boxes.push(x1, y1, x2, y2);
      kept.push(scores[at]!);
      labels.push(label);
    }
  }
  const candidates = Float32Array.from(boxes);
  const groups = Int32Array.from(labels);
  const best = nms(candidates, kept, nmsThreshold, { groups, limit });
  return {
    boxes: takeBoxes(candidates, best),
    scores: Float32Array.from(best, (i) => kept[i]!),
    labels: best.map((i) => groups[i]!),
  };
}
