import { boxArea, overlap, takeBoxes, topK } from '@rcnn/boxes';

export interface FastNmsOptions {
  /** A box goes when its IoU with a better one of its class is above it. Default 0.5. */
  readonly iouThreshold?: number | undefined;
  /** Boxes of each class that are looked at, best first. Default 200. */
  readonly topK?: number | undefined;
  /** Most boxes in the end, over all classes. Default 100. */
  readonly limit?: number | undefined;
  /** Least score of what is kept. Default none: a box is kept under every class in which it survives. */
  readonly scoreThreshold?: number | undefined;
}

/** What survives, best score first. */
export interface NmsResult {
  /** Which box. One box may come under several classes. */
  readonly rows: Int32Array;
  /** Of the scores' rows: 0 is the first class. */
  readonly classes: Int32Array;
  readonly scores: Float32Array;
}

interface Candidate {
  readonly row: number;
  readonly ofClass: number;
  readonly score: number;
}

/**
 * Fast NMS: a box goes when **any** better box of its class overlaps it too much, also one that goes itself. Greedy NMS
 * would let such a box stay. IoUs exactly at the threshold stay.
 * @param boxes `[R * 4]`
 * @param scores `[K * R]`, class by class, without the background
 * @see Bolya et al. 2019, section 5 (arXiv:1904.02689)
 */
export function fastNms(boxes: Float32Array, scores: Float32Array, options: FastNmsOptions = {}): NmsResult {
  const { limit = 100, scoreThreshold = Number.NEGATIVE_INFINITY } = options;
  const count = boxes.length / 4;
  const kept: Candidate[] = [];
  for (let ofClass = 0; ofClass * count < scores.length; ofClass++) {
    const own = scores.subarray(ofClass * count, (ofClass + 1) * count);
    for (const row of survivors(boxes, own, options)) {
      if (own[row]! > scoreThreshold) kept.push({ row, ofClass, score: own[row]! });
    }
  }
  return resultOf(kept, limit);
}

/**
 * The same with all classes in one list: each box has its best class alone, and competes with every other. The result is
 * not limited unless asked for.
 * @see {@link fastNms} for the parameters
 */
export function crossClassNms(boxes: Float32Array, scores: Float32Array, options: FastNmsOptions = {}): NmsResult {
  const { limit = Number.POSITIVE_INFINITY, scoreThreshold = Number.NEGATIVE_INFINITY } = options;
  const count = boxes.length / 4;
  const classes = new Int32Array(count);
  const best = Float32Array.from(scores.subarray(0, count));
  for (let i = count; i < scores.length; i++) {
    if (!(scores[i]! > best[i % count]!)) continue;
    best[i % count] = scores[i]!;
    classes[i % count] = Math.floor(i / count);
  }
  const rows = survivors(boxes, best, options).filter((row) => best[row]! > scoreThreshold);
  return resultOf(
    rows.map((row) => ({ row, ofClass: classes[row]!, score: best[row]! })),
    limit,
  );
}

/** The rows of one list that no better one overlaps too much, best first. */
function survivors(
  boxes: Float32Array,
  scores: Float32Array,
  { iouThreshold = 0.5, topK: looked = 200 }: FastNmsOptions,
): number[] {
  const rows = topK(scores, looked);
  const sorted = takeBoxes(boxes, rows);
  const areas = boxArea(sorted);
  return [...rows].filter((_, i) => {
    for (let better = 0; better < i; better++) {
      if (overlap(sorted, better, areas[better]!, sorted, i, areas[i]!) > iouThreshold) return false;
    }
    return true;
  });
}

function resultOf(kept: readonly Candidate[], limit: number): NmsResult {
  const scores = Float32Array.from(kept, ({ score }) => score);
  const best = [...topK(scores, Math.min(limit, kept.length))].map((i) => kept[i]!);
  return {
    rows: Int32Array.from(best, ({ row }) => row),
    classes: Int32Array.from(best, ({ ofClass }) => ofClass),
    scores: Float32Array.from(best, ({ score }) => score),
  };
}
