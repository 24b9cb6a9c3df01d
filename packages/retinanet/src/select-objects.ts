import { BoxCoder, nms, takeBoxes, topK } from '@rcnn/boxes';
import type { ImageSize } from '@rcnn/core';
import type { FoundObjects } from '@rcnn/detector';

export interface SelectOptions {
  /** A detection scores above this. Default 0.05. */
  readonly scoreThresh?: number | undefined;
  /** Of two of one class whose IoU is above this, the better stays. Default 0.5. */
  readonly nmsThresh?: number | undefined;
  /** Pairs of anchor and class that are looked at on each level, best first. Default 1000. */
  readonly topkCandidates?: number | undefined;
  /** Default 300. */
  readonly detectionsPerImg?: number | undefined;
}

/** What the network says of one image, on the host. */
export interface ImagePredictions {
  /** `[A * numClasses]`, probabilities. */
  readonly scores: Float32Array;
  /** `[A * 4]` */
  readonly deltas: Float32Array;
}

/**
 * The objects of one image: on each level the best pairs of anchor and class, decoded, clipped, without those that are
 * covered by better ones of their class. The background is no object, whatever its score.
 * @param anchors level by level, finest first: `[A * 4]`
 * @param size of the part of the batch that the image fills
 */
export function selectObjects(
  { scores, deltas }: ImagePredictions,
  anchors: readonly Float32Array[],
  [height, width]: ImageSize,
  options: SelectOptions,
): FoundObjects {
  const { scoreThresh = 0.05, nmsThresh = 0.5, topkCandidates = 1000, detectionsPerImg = 300 } = options;
  const count = anchors.reduce((sum, level) => sum + level.length / 4, 0);
  const numClasses = scores.length / count;
  const coder = new BoxCoder();
  const above = Math.fround(scoreThresh); // scores are float32: compare like with like
  const boxes: number[] = [];
  const kept: number[] = [];
  const labels: number[] = [];
  const box = new Float32Array(4);
  let first = 0; // anchor of the level
  for (const level of anchors) {
    const last = first + level.length / 4;
    const pairs: number[] = [];
    for (let at = first * numClasses; at < last * numClasses; at++) {
      if (scores[at]! > above && at % numClasses !== 0) pairs.push(at);
    }
    for (const best of topK(
      Float32Array.from(pairs, (at) => scores[at]!),
      topkCandidates,
    )) {
      // biome-ignore format: one line
      const pair = pairs[best]!;
      const anchor = Math.floor(pair / numClasses);
      coder.decodeOne(deltas, 4 * anchor, level, 4 * (anchor - first), box, 0);
      box.forEach((value, c) => boxes.push(Math.min(Math.max(value, 0), c % 2 === 0 ? width : height)));
      kept.push(scores[pair]!);
      labels.push(pair % numClasses);
    }
    first = last;
  }
  const candidates = Float32Array.from(boxes);
  const groups = Int32Array.from(labels);
  const best = nms(candidates, kept, nmsThresh, { groups, limit: detectionsPerImg });
  return {
    boxes: takeBoxes(candidates, best),
    scores: Float32Array.from(best, (i) => kept[i]!),
    labels: best.map((i) => groups[i]!),
  };
}
