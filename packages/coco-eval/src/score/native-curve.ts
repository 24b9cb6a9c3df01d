import type { Kernel } from '../kernel.ts';
import type { Outcomes } from '../match/outcomes.ts';
import type { ResolvedParams } from '../params.ts';
import type { EvalArrays, Shape } from './arrays.ts';
import { copyCurves, countNeeded } from './curve.ts';

/** The curves of one category after the other, by WebAssembly: for up to 32 thresholds. */
export class NativeCurve {
  readonly #kernel: Kernel;
  readonly #params: ResolvedParams;
  readonly #shape: Shape;
  readonly #places: Record<'order' | 'scores' | 'rank' | 'matched' | 'ignored', number>;
  readonly #needed: number;
  readonly #recall: number;
  readonly #curves: number;
  readonly #curveScores: number;
  readonly #spare: number;

  constructor(kernel: Kernel, order: Uint32Array, outcomes: Outcomes, params: ResolvedParams, shape: Shape) {
    const [T, R, , A, M] = shape;
    const { count, areas, scores, rank, matched, ignored } = outcomes;
    this.#kernel = kernel;
    this.#params = params;
    this.#shape = shape;
    this.#places = {
      order: kernel.copy(order),
      scores: kernel.copy(scores.subarray(0, count)),
      rank: kernel.copy(rank.subarray(0, count)),
      matched: kernel.copy(matched.subarray(0, count * areas)),
      ignored: kernel.copy(ignored.subarray(0, count * areas)),
    };
    this.#needed = kernel.room(8 * R);
    this.#recall = kernel.room(8 * T);
    this.#curves = kernel.room(8 * T * R * A * M);
    this.#curveScores = kernel.room(8 * T * R * A * M);
    this.#spare = kernel.room(24 * count);
    this.#forget();
  }

  /** Writes the curves of one category, area range and limit: of the rows `[start, end)` of the order. */
  write(
    _: Uint32Array,
    start: number,
    end: number,
    k: number,
    a: number,
    m: number,
    positives: number,
    recall: Float64Array,
  ): void {
    const kernel = this.#kernel;
    const [T, R, K, A, M] = this.#shape;
    const { recallThresholds, maxDetections } = this.#params;
    const { order, scores, rank, matched, ignored } = this.#places;
    countNeeded(kernel.doubles(this.#needed, R), recallThresholds, positives);
    const column = 8 * (a * M + m);
    kernel.run.writeCurves(
      order + 4 * start,
      end - start,
      scores,
      rank,
      matched + 4 * a,
      ignored + 4 * a,
      A,
      Math.min(maxDetections[m]!, 2 ** 31 - 1),
      positives,
      T,
      this.#needed,
      R,
      this.#curves + column,
      this.#curveScores + column,
      8 * A * M,
      this.#recall,
      this.#spare,
    );
    const reached = kernel.doubles(this.#recall, T);
    for (let t = 0; t < T; t++) recall[(t * K + k) * A * M + a * M + m] = reached[t]!;
  }

  /** Copies the curves of category k and forgets them. */
  copyTo(arrays: EvalArrays, k: number): void {
    const kernel = this.#kernel;
    const length = this.#length();
    copyCurves(kernel.doubles(this.#curves, length), kernel.doubles(this.#curveScores, length), arrays, k);
    this.#forget();
  }

  #forget(): void {
    this.#kernel.doubles(this.#curves, this.#length()).fill(-1);
    this.#kernel.doubles(this.#curveScores, this.#length()).fill(-1);
  }

  #length(): number {
    const [T, R, , A, M] = this.#shape;
    return T * R * A * M;
  }
}
