import { RcnnError } from '@rcnn/core/errors';
import type { Evaluation } from '../evaluate.ts';
import type { Id } from '../read/ids.ts';
import { shownValue } from '../read/shown.ts';

/** A precision-recall curve at the recall thresholds of the evaluation. */
export interface PrecisionRecallCurve {
  readonly iouThreshold: number;
  readonly recall: readonly number[];
  readonly precision: readonly number[];
  /** The score at which each recall is reached, mean over categories. */
  readonly scores: readonly number[];
}

/**
 * The curve of one category, or the mean of all that have ground truth; over all areas and the most detections.
 * @param options.iouThreshold one of the evaluation's. Default its first.
 * @param options.categoryId default all
 */
export function precisionRecallCurve(
  evaluation: Evaluation,
  { iouThreshold, categoryId }: { readonly iouThreshold?: number; readonly categoryId?: Id } = {},
): PrecisionRecallCurve {
  const { held, places, params, categoryIds } = evaluation;
  const [, R, K, A, M] = held.shape;
  const t = iouThreshold === undefined ? 0 : params.iouThresholds.indexOf(iouThreshold);
  const k = categoryId === undefined ? -1 : categoryIds.indexOf(categoryId);
  if (t < 0 || (categoryId !== undefined && k < 0)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'precisionRecallCurve',
      problem: t < 0 ? 'the evaluation has no such IoU threshold' : 'the evaluation has no such category',
      found: shownValue(t < 0 ? iouThreshold : categoryId),
    });
  }
  const columns = k < 0 ? Array.from({ length: K }, (_, i) => i) : [places[k]!].filter((place) => place >= 0);
  const mean = (source: Float64Array, r: number): number => {
    const values = columns.map((c) => source[(((t * R + r) * K + c) * A + 0) * M + M - 1]!).filter((v) => v > -1);
    return values.length === 0 ? -1 : values.reduce((sum, v) => sum + v, 0) / values.length;
  };
  return {
    iouThreshold: params.iouThresholds[t]!,
    recall: params.recallThresholds,
    precision: Array.from({ length: R }, (_, r) => mean(held.precision, r)),
    scores: Array.from({ length: R }, (_, r) => mean(held.scores, r)),
  };
}
