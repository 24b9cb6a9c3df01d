import { type BoxCoding, type Boxes, clipBoxes, nms, removeSmallBoxes, takeBoxes, topK } from '@rcnn/boxes';
import type { ImageSize } from '@rcnn/core';

/** Boxes of one image where the RPN suspects an object, best first. */
export interface Proposals {
  /** `[P * 4]`, pixels of the resized image. */
  readonly boxes: Boxes;
  /** Objectness in [0, 1]: `[P]`. */
  readonly scores: Float32Array;
}

/** How many boxes go on, and which. */
export interface ProposalRules {
  /** Kept per level before NMS. */
  readonly preNmsTopN: number;
  /** Kept per image after NMS, over all levels. */
  readonly postNmsTopN: number;
  /** Suppress above this IoU, within a level. */
  readonly nmsThreshold: number;
  /** Drop below this score. */
  readonly scoreThreshold: number;
  /** Drop boxes with a shorter side, in pixels. */
  readonly minSize: number;
}

/** What the head said about one level of one image, on the host. */
export interface LevelPredictions {
  /** `[H * W * A]` */
  readonly logits: Float32Array;
  /** `[H * W * A * 4]` */
  readonly deltas: Float32Array;
  /** `[H * W * A * 4]` */
  readonly anchors: Float32Array;
}

/** Chooses the proposals of one image. Only the best of each level are ever decoded. */
export function selectProposals(
  levels: readonly LevelPredictions[],
  coder: BoxCoding,
  size: ImageSize,
  { preNmsTopN, postNmsTopN, nmsThreshold, scoreThreshold, minSize }: ProposalRules,
): Proposals {
  const best = levels.map(({ logits }) => topK(logits, preNmsTopN));
  const count = best.reduce((sum, indices) => sum + indices.length, 0);
  const decoded = new Float32Array(count * 4);
  const scores = new Float32Array(count);
  const groups = new Int32Array(count);
  let k = 0;
  levels.forEach(({ logits, deltas, anchors }, level) => {
    for (const i of best[level]!) {
      coder.decodeOne(deltas, i * 4, anchors, i * 4, decoded, k * 4);
      scores[k] = 1 / (1 + Math.exp(-logits[i]!));
      groups[k++] = level;
    }
  });
  const boxes = clipBoxes(decoded, size);
  const threshold = Math.fround(scoreThreshold);
  const candidates = removeSmallBoxes(boxes, minSize).filter((i) => scores[i]! >= threshold);
  const candidateScores = takeScores(scores, candidates);
  const kept = nms(takeBoxes(boxes, candidates), candidateScores, nmsThreshold, {
    groups: candidates.map((i) => groups[i]!),
    limit: postNmsTopN,
  });
  const chosen = kept.map((i) => candidates[i]!);
  return { boxes: takeBoxes(boxes, chosen), scores: takeScores(scores, chosen) };
}

function takeScores(scores: Float32Array, indices: Int32Array): Float32Array {
  return Float32Array.from(indices, (i) => scores[i]!);
}
