import type { Outcomes } from '../match/outcomes.ts';
import { EPSILON } from '../match/similarity.ts';
import type { ResolvedParams } from '../params.ts';
import type { EvalArrays, Shape } from './arrays.ts';

/**
 * One precision-recall curve after the other, computed at true positives only: between two of them precision cannot
 * rise, so neither the envelope nor the first place of a recall can lie anywhere else.
 */
export class Curve {
  readonly #outcomes: Outcomes;
  readonly #params: ResolvedParams;
  readonly #rows: Uint32Array; // detections that any threshold treats unlike a plain false positive
  readonly #before: Uint32Array; // plain false positives before each of them
  readonly #precision: Float64Array;
  readonly #score: Float64Array;
  readonly #needed: Float64Array; // true positives that reach each recall threshold
  // The curves of one category, [thresholds, recalls, areas, maxDetections]: copied in rows to their far-apart places.
  readonly #curves: Float64Array;
  readonly #curveScores: Float64Array;
  readonly #shape: Shape;

  constructor(outcomes: Outcomes, params: ResolvedParams, shape: Shape) {
    this.#outcomes = outcomes;
    this.#params = params;
    this.#shape = shape;
    const [T, R, , A, M] = shape;
    this.#curves = new Float64Array(T * R * A * M).fill(-1);
    this.#curveScores = new Float64Array(T * R * A * M).fill(-1);
    const largest = outcomes.count;
    this.#rows = new Uint32Array(largest);
    this.#before = new Uint32Array(largest);
    this.#precision = new Float64Array(largest);
    this.#score = new Float64Array(largest);
    this.#needed = new Float64Array(params.recallThresholds.length);
  }

  /** Copies the curves of category k and forgets them. */
  copyTo(arrays: EvalArrays, k: number): void {
    copyCurves(this.#curves, this.#curveScores, arrays, k);
    this.#curves.fill(-1);
    this.#curveScores.fill(-1);
  }

  write(
    order: Uint32Array,
    start: number,
    end: number,
    k: number,
    a: number,
    m: number,
    positives: number,
    recall: Float64Array,
  ): void {
    const { scores, rank, matched, ignored, areas, words } = this.#outcomes;
    const limit = this.#params.maxDetections[m]!;
    const [T, R, K, A, M] = this.#shape;
    let rows = 0;
    let plain = 0;
    let first = -1;
    for (let i = start; i < end; i++) {
      const row = order[i]!;
      if (rank[row]! >= limit) continue;
      if (first < 0) first = row;
      const at = (row * areas + a) * words;
      let special = false;
      for (let w = 0; w < words; w++) special ||= (matched[at + w]! | ignored[at + w]!) !== 0;
      if (special) {
        this.#rows[rows] = row;
        this.#before[rows++] = plain;
      } else {
        plain++;
      }
    }
    this.#countNeeded(positives);
    const stride = A * M;
    const column = a * M + m;
    for (let t = 0; t < T; t++) {
      const truePositives = this.#atTruePositives(rows, a, t);
      recall[(t * K + k) * stride + column] = first < 0 ? 0 : truePositives / positives;
      for (let i = truePositives - 1; i > 0; i--) {
        if (this.#precision[i]! > this.#precision[i - 1]!) this.#precision[i - 1] = this.#precision[i]!;
      }
      let reached = first >= 0;
      for (let r = 0; r < R; r++) {
        const needed = this.#needed[r]!;
        reached &&= needed <= truePositives;
        const at = (t * R + r) * stride + column;
        if (!reached) {
          this.#curves[at] = 0; // the original stops at the first recall it cannot reach
          this.#curveScores[at] = 0;
        } else if (needed === 0) {
          this.#curves[at] = truePositives > 0 ? this.#precision[0]! : 0;
          this.#curveScores[at] = scores[first]!;
        } else {
          this.#curves[at] = this.#precision[needed - 1]!;
          this.#curveScores[at] = this.#score[needed - 1]!;
        }
      }
    }
  }

  /** Precision and score at each true positive of threshold t. Gives their number. */
  #atTruePositives(rows: number, a: number, t: number): number {
    const { scores, matched, ignored, areas, words } = this.#outcomes;
    const word = t >> 5;
    const bit = 1 << (t & 31);
    let truePositives = 0;
    let falsePositives = 0;
    for (let i = 0; i < rows; i++) {
      const row = this.#rows[i]!;
      const at = (row * areas + a) * words + word;
      if ((ignored[at]! & bit) !== 0) continue;
      if ((matched[at]! & bit) === 0) {
        falsePositives++;
        continue;
      }
      const tp = truePositives + 1;
      this.#precision[truePositives] = tp / (this.#before[i]! + falsePositives + tp + EPSILON);
      this.#score[truePositives] = scores[row]!;
      truePositives = tp;
    }
    return truePositives;
  }

  #countNeeded(positives: number): void {
    countNeeded(this.#needed, this.#params.recallThresholds, positives);
  }
}

/** Per threshold the smallest count whose recall, as a double, is at or above it. */
export function countNeeded(needed: Float64Array, thresholds: readonly number[], positives: number): void {
  thresholds.forEach((threshold, r) => {
    let count = Math.max(0, Math.ceil(threshold * positives));
    while (count > 0 && (count - 1) / positives >= threshold) count--;
    while (count / positives < threshold) count++;
    needed[r] = count;
  });
}

/** Copies `[thresholds, recalls, areas, maxDetections]` of category k to their places in rows, which are far apart. */
export function copyCurves(curves: Float64Array, scores: Float64Array, arrays: EvalArrays, k: number): void {
  const [T, R, K, A, M] = arrays.shape;
  const row = A * M;
  for (let i = 0; i < T * R; i++) {
    const to = (i * K + k) * row;
    for (let j = 0; j < row; j++) {
      arrays.precision[to + j] = curves[i * row + j]!;
      arrays.scores[to + j] = scores[i * row + j]!;
    }
  }
}
