import { printable } from '@rcnn/core/errors';
import { axesOf, matchImages } from '../match/cells.ts';
import type { Outcomes } from '../match/outcomes.ts';
import { identity, sortByFallingScore } from '../match/sort.ts';
import { type EvalParams, type IoUType, resolveParams } from '../params.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import type { CocoDataset, CocoResult } from '../read/from-json.ts';
import type { Id } from '../read/ids.ts';
import { columnsOf } from './pairs.ts';
import {
  type BestThreshold,
  bestThresholds,
  count,
  isPresent,
  type Judged,
  type Rates,
  ratesOf,
  talliesOf,
} from './thresholds.ts';

export interface ReportOptions extends Pick<EvalParams, 'imageIds' | 'categoryIds' | 'oksSigmas'> {
  /** Default `bbox`. */
  readonly iouType?: IoUType | undefined;
  /** A detection is right from this IoU (or keypoint similarity) on. Default 0.5. */
  readonly iouThreshold?: number | undefined;
  /** Detections below it are not looked at. Default 0.5. */
  readonly scoreThreshold?: number | undefined;
  /** Detections per image and class that are looked at, best first. Default 100. */
  readonly maxDetections?: number | undefined;
}

export interface ClassRates extends Rates {
  readonly categoryId: Id;
  readonly name: string;
  /** Objects that count. */
  readonly support: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly best: BestThreshold;
}

export interface ClassificationReport {
  readonly iouThreshold: number;
  readonly scoreThreshold: number;
  /** In the order of the category axis. */
  readonly classes: readonly ClassRates[];
  /** Mean over the classes that have objects or detections. */
  readonly macro: Rates;
  /** Mean over the classes, weighted by their objects. */
  readonly weighted: Rates;
  /** Where the macro F1 is highest. */
  readonly best: BestThreshold;
}

/**
 * Precision, recall and F1 of each class at a score threshold, and the thresholds that are best. Detections are matched
 * as COCO does it, class by class and best first, so a detection of low score changes nothing for those above it, and
 * one matching serves all thresholds. Detections on crowds are not counted. Averages are those of scikit-learn's
 * `classification_report`.
 */
export function classificationReport(
  truth: CocoDataset | GroundTruth,
  detections: readonly CocoResult[] | Detections,
  { iouType = 'bbox', iouThreshold = 0.5, scoreThreshold = 0.5, maxDetections = 100, ...rest }: ReportOptions = {},
): ClassificationReport {
  const columns = columnsOf(truth, detections);
  const params = resolveParams(iouType, {
    ...rest,
    iouThresholds: [iouThreshold],
    areaRanges: [{ name: 'all', min: 0, max: 1e10 }],
    maxDetections: [maxDetections],
  });
  const axes = axesOf(columns.truth, params);
  const outcomes = matchImages(columns.truth, columns.detections, params, axes);
  const judged = judgedByScore(outcomes);
  const tallies = talliesOf(outcomes.positives);
  for (const { category, score, right } of judged) {
    if (score < scoreThreshold) break;
    count(tallies[category]!, right);
  }
  const best = bestThresholds(judged, outcomes.positives);
  const names = new Map<Id, string>(
    Array.from<Id, [Id, string]>(columns.truth.categoryIds, (id, i) => [id, columns.truth.categoryNames[i]!]),
  );
  const classes = tallies.map((tally, k): ClassRates => {
    const categoryId = axes.categoryIds[k]!;
    return {
      categoryId,
      name: names.get(categoryId) ?? String(categoryId),
      support: tally.support,
      truePositives: tally.right,
      falsePositives: tally.wrong,
      ...ratesOf(tally),
      best: best.classes[k]!,
    };
  });
  return {
    iouThreshold,
    scoreThreshold,
    classes,
    macro: mean(classes, (_, k) => (isPresent(tallies[k]!) ? 1 : 0)),
    weighted: mean(classes, ({ support }) => support),
    best: best.macro,
  };
}

/** Detections that count, best first. */
function judgedByScore({ count: rows, scores, category, matched, ignored }: Outcomes): Judged[] {
  const looked = identity(rows).filter((row) => ignored[row] === 0);
  return Array.from(sortByFallingScore(looked, scores.subarray(0, rows)), (row) => ({
    category: category[row]!,
    score: scores[row]!,
    right: matched[row] !== 0,
  }));
}

function mean(classes: readonly ClassRates[], weight: (rates: ClassRates, k: number) => number): Rates {
  const weights = classes.map(weight);
  const total = weights.reduce((sum, w) => sum + w, 0);
  const of = (rate: keyof Rates): number =>
    total === 0 ? 0 : classes.reduce((sum, rates, k) => sum + weights[k]! * rates[rate], 0) / total;
  return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
}

/** The report as text, aligned, one class per line. */
export function classificationReportTable(report: ClassificationReport): string {
  const number = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(3));
  const { classes, macro, weighted, best, iouThreshold, scoreThreshold } = report;
  const objects = classes.reduce((sum, { support }) => sum + support, 0);
  const line = (name: string, rates: Rates, support: number, own?: BestThreshold): string[] => [
    name,
    ...[rates.precision, rates.recall, rates.f1].map(number),
    String(support),
    ...(own === undefined ? ['', ''] : [number(own.f1), number(own.scoreThreshold)]),
  ];
  const rows = [
    ['category', 'precision', 'recall', 'F1', 'objects', 'best F1', 'from score'],
    ...classes.map((rates) => line(printable(rates.name), rates, rates.support, rates.best)),
    line('macro average', macro, objects, best),
    line('weighted average', weighted, objects),
  ];
  const widths = rows[0]!.map((_, i) => rows.reduce((most, row) => Math.max(most, row[i]!.length), 0));
  const text = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
  return `Detections with a score from ${number(scoreThreshold)}, right from IoU ${number(iouThreshold)}\n${text.join('\n')}\n`;
}
