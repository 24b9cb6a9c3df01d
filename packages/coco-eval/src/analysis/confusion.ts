import { RcnnError } from '@rcnn/core/errors';
import type { Detections, GroundTruth } from '../read/columns.ts';
import type { CocoDataset, CocoResult } from '../read/from-json.ts';
import { type AnalysisOptions, columnsOf, forEachImage } from './pairs.ts';

export interface ConfusionOptions extends AnalysisOptions {
  /** Detections below it are not looked at. Default 0.25. */
  readonly scoreThreshold?: number;
  /** Default 0.5. */
  readonly iouThreshold?: number;
}

/** A matrix of 256 MiB. */
const MAX_LABELS = 2 ** 13;

export interface ConfusionMatrix {
  /** Names of the classes, the background last. */
  readonly labels: readonly string[];
  /** `[labels, labels]`, row-major: rows are what is there, columns what was said. */
  readonly counts: Uint32Array;
}

/**
 * Counts what each object was taken for. Best scores first, a detection takes the free object it overlaps most, of its
 * own class where two overlap equally. Detections on crowds are not counted.
 */
export function confusionMatrix(
  truth: CocoDataset | GroundTruth,
  detections: readonly CocoResult[] | Detections,
  { scoreThreshold = 0.25, iouThreshold = 0.5, ...options }: ConfusionOptions = {},
): ConfusionMatrix {
  const columns = columnsOf(truth, detections);
  const background = columns.truth.categoryIds.length;
  const side = background + 1;
  if (side > MAX_LABELS) {
    throw new RcnnError('BUDGET_EXCEEDED', {
      where: 'confusionMatrix',
      problem: 'a matrix of so many classes would fill the memory',
      found: `${side - 1} classes`,
      expected: `at most ${MAX_LABELS - 1}`,
    });
  }
  const counts = new Uint32Array(side * side);
  forEachImage(columns, options, iouThreshold, ({ cell, truthClasses, classes }) => {
    const taken = new Uint8Array(cell.truths);
    for (let d = 0; d < cell.detections; d++) {
      if (cell.scores[d]! < scoreThreshold) break;
      let match = -1;
      let best = iouThreshold;
      let onCrowd = false;
      for (let g = 0; g < cell.truths; g++) {
        const iou = cell.similarity[d * cell.truths + g]!;
        if (iou < iouThreshold) continue;
        if (cell.truthCrowd[g]) {
          onCrowd = true;
        } else if (taken[g] === 0 && (iou > best || (iou === best && (match < 0 || truthClasses[g] === classes[d])))) {
          best = iou;
          match = g;
        }
      }
      if (match >= 0) {
        taken[match] = 1;
        counts[truthClasses[match]! * side + classes[d]!]!++;
      } else if (!onCrowd) {
        counts[background * side + classes[d]!]!++;
      }
    }
    for (let g = 0; g < cell.truths; g++) {
      if (taken[g] === 0 && !cell.truthCrowd[g]) counts[truthClasses[g]! * side + background]!++;
    }
  });
  return { labels: [...columns.truth.categoryNames, 'background'], counts };
}
