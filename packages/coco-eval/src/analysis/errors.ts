import type { Detections, GroundTruth } from '../read/columns.ts';
import type { CocoDataset, CocoResult } from '../read/from-json.ts';
import { averagePrecision } from './average-precision.ts';
import { type AnalysisOptions, columnsOf, forEachImage, type ImagePairs } from './pairs.ts';

/** What can be wrong with a detection, or with an object that has none. */
export type ErrorKind = 'classification' | 'localisation' | 'both' | 'duplicate' | 'background' | 'missed';

export const ERROR_KINDS: readonly ErrorKind[] = [
  'classification',
  'localisation',
  'both',
  'duplicate',
  'background',
  'missed',
];

export interface ErrorOptions extends AnalysisOptions {
  /** At or above it an object is found. Default 0.5. */
  readonly foreground?: number;
  /** Below it a detection has nothing to do with an object. Default 0.1. */
  readonly background?: number;
}

export interface ErrorBreakdown {
  /** Mean AP over classes at the foreground threshold, 0 to 1. */
  readonly ap: number;
  /** How many errors of each kind there are. */
  readonly counts: Readonly<Record<ErrorKind, number>>;
  /** What the AP would gain if all errors of one kind, and no others, were put right. */
  readonly gain: Readonly<Record<ErrorKind, number>>;
}

/** One detection that counts, or with `kind` undefined a right one. */
interface Verdict {
  readonly score: number;
  readonly category: number;
  readonly kind: ErrorKind | undefined;
  /** The object that it would have found but for the error. */
  readonly object: number;
}

interface Found {
  readonly verdicts: Verdict[];
  /** Class of every object that counts. */
  readonly objects: number[];
  readonly matched: Set<number>;
}

/**
 * Says where the AP is lost, in the spirit of TIDE: every false detection has exactly one error, each kind of error is
 * put right alone, and the AP is computed anew.
 * @see Bolya et al. 2020, section 2 (arXiv:2008.08115)
 */
export function errorBreakdown(
  truth: CocoDataset | GroundTruth,
  detections: readonly CocoResult[] | Detections,
  { foreground = 0.5, background = 0.1, ...options }: ErrorOptions = {},
): ErrorBreakdown {
  const columns = columnsOf(truth, detections);
  const found: Found = { verdicts: [], objects: [], matched: new Set() };
  forEachImage(columns, options, background, (pairs) => judgeImage(pairs, found, foreground, background));
  const classes = columns.truth.categoryIds.length;
  const missed = missedObjects(found);
  const counts = Object.fromEntries(
    ERROR_KINDS.map((kind) => [
      kind,
      kind === 'missed' ? missed.size : found.verdicts.filter((verdict) => verdict.kind === kind).length,
    ]),
  ) as Record<ErrorKind, number>;
  const ap = meanAP(found, classes);
  const gain = Object.fromEntries(
    ERROR_KINDS.map((kind) => [kind, meanAP(found, classes, kind, missed) - ap]),
  ) as Record<ErrorKind, number>;
  return { ap, counts, gain };
}

/** Gives every detection of an image its verdict, best score first. */
function judgeImage({ cell, truthClasses, classes }: ImagePairs, found: Found, high: number, low: number): void {
  const object: number[] = [];
  for (let g = 0; g < cell.truths; g++) {
    object[g] = cell.truthCrowd[g] ? -1 : found.objects.push(truthClasses[g]!) - 1;
  }
  for (let d = 0; d < cell.detections; d++) {
    const row = d * cell.truths;
    let match = -1; // the best free object of the class
    let same = -1; // the best of the class, free or not
    let other = -1; // the best of another class
    let onCrowd = false;
    const iou = (g: number): number => (g < 0 ? 0 : cell.similarity[row + g]!);
    for (let g = 0; g < cell.truths; g++) {
      const own = truthClasses[g] === classes[d];
      if (cell.truthCrowd[g]) {
        onCrowd ||= own && iou(g) >= high;
        continue;
      }
      if (own && iou(g) >= high && !found.matched.has(object[g]!) && iou(g) > iou(match)) match = g;
      if (own && iou(g) > iou(same)) same = g;
      if (!own && iou(g) > iou(other)) other = g;
    }
    if (match < 0 && onCrowd) continue;
    const [kind, target] = verdictOf(match, same, other, iou, high, low);
    if (match >= 0) found.matched.add(object[match]!);
    found.verdicts.push({
      score: cell.scores[d]!,
      category: classes[d]!,
      kind,
      object: target < 0 ? -1 : object[target]!,
    });
  }
}

function verdictOf(
  match: number,
  same: number,
  other: number,
  iou: (g: number) => number,
  high: number,
  low: number,
): [ErrorKind | undefined, number] {
  if (match >= 0) return [undefined, match];
  if (iou(same) >= high) return ['duplicate', -1];
  if (iou(other) >= high) return ['classification', other];
  if (iou(same) >= low) return ['localisation', same];
  if (iou(other) >= low) return ['both', -1];
  return ['background', -1];
}

/** Objects that nothing found and that no detection would find if its class or place were right. */
function missedObjects({ verdicts, objects, matched }: Found): Set<number> {
  const missed = new Set(objects.keys());
  for (const object of matched) missed.delete(object);
  for (const { object } of verdicts) missed.delete(object);
  return missed;
}

/** Mean AP over classes, with the errors of one kind put right. */
function meanAP(
  { verdicts, objects, matched }: Found,
  classes: number,
  fixed?: ErrorKind,
  missed?: Set<number>,
): number {
  const judged = Array.from({ length: classes }, (): { score: number; right: boolean }[] => []);
  const positives = new Uint32Array(classes);
  objects.forEach((category, object) => {
    if (fixed !== 'missed' || !missed!.has(object)) positives[category]!++;
  });
  const taken = new Set(matched);
  const byScore = fixed === undefined ? verdicts : [...verdicts].sort((a, b) => b.score - a.score);
  for (const { score, category, kind, object } of byScore) {
    if (kind === undefined) judged[category]!.push({ score, right: true });
    else if (kind !== fixed) judged[category]!.push({ score, right: false });
    else if (object >= 0 && !taken.has(object)) {
      taken.add(object); // the error is put right: the best such detection finds the object, the others are dropped
      judged[objects[object]!]!.push({ score, right: true });
    }
  }
  const aps = judged
    .map((list, k) => averagePrecision(list, positives[k]!, '101point'))
    .filter((ap) => !Number.isNaN(ap));
  return aps.length === 0 ? 0 : aps.reduce((sum, ap) => sum + ap, 0) / aps.length;
}
