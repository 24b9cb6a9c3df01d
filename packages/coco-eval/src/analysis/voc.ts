import type { Detections, GroundTruth } from '../read/columns.ts';
import type { CocoDataset, CocoResult } from '../read/from-json.ts';
import { averagePrecision, type Judged } from './average-precision.ts';
import { type AnalysisOptions, columnsOf, forEachImage } from './pairs.ts';

export interface VOCOptions extends AnalysisOptions {
  /** Default 0.5. */
  readonly iouThreshold?: number;
  /** Area under the curve (VOC 2010 on, the default) or eleven points (VOC 2007). */
  readonly metric?: 'area' | '11point';
}

export interface VOCEvaluation {
  /** Mean over the classes that have objects; NaN without any. */
  readonly meanAP: number;
  /** AP per category in ascending order of id; NaN for a class without objects. */
  readonly ap: readonly number[];
  readonly categoryNames: readonly string[];
}

/**
 * Pascal VOC's average precision. A detection belongs to the object it overlaps most; the first to come at or above
 * the threshold is right and every later one wrong. What COCO calls a crowd is VOC's "difficult": neither right nor
 * wrong.
 * @see Everingham et al. 2010, section 4.2
 */
export function evaluateVOC(
  truth: CocoDataset | GroundTruth,
  detections: readonly CocoResult[] | Detections,
  { iouThreshold = 0.5, metric = 'area', maxDetections = Number.MAX_SAFE_INTEGER, ...options }: VOCOptions = {},
): VOCEvaluation {
  const columns = columnsOf(truth, detections);
  const classes = columns.truth.categoryIds.length;
  const judged: Judged[][] = Array.from({ length: classes }, () => []);
  const positives = new Uint32Array(classes);
  forEachImage(columns, { ...options, maxDetections }, iouThreshold, ({ cell, truthClasses, classes: said }) => {
    for (let g = 0; g < cell.truths; g++) if (!cell.truthCrowd[g]) positives[truthClasses[g]!]!++;
    const taken = new Uint8Array(cell.truths);
    for (let d = 0; d < cell.detections; d++) {
      const own = said[d]!;
      let match = -1;
      let best = 0;
      for (let g = 0; g < cell.truths; g++) {
        const iou = cell.similarity[d * cell.truths + g]!;
        if (truthClasses[g] === own && iou > best) {
          best = iou;
          match = g;
        }
      }
      const hit = match >= 0 && best >= iouThreshold;
      if (hit && cell.truthCrowd[match]) continue;
      judged[own]!.push({ score: cell.scores[d]!, right: hit && taken[match] === 0 });
      if (hit) taken[match] = 1;
    }
  });
  const ap = judged.map((list, k) => averagePrecision(list, positives[k]!, metric));
  const defined = ap.filter((value) => !Number.isNaN(value));
  return {
    meanAP: defined.length === 0 ? Number.NaN : defined.reduce((sum, value) => sum + value, 0) / defined.length,
    ap,
    categoryNames: columns.truth.categoryNames,
  };
}
