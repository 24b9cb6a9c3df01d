import { RcnnError } from '@rcnn/core/errors';
import type { ResolvedParams } from '../params.ts';

/** thresholds, recalls, categories, areas, maxDetections */
export type Shape = readonly [number, number, number, number, number];

/** The arrays of COCOeval, in its axis order, row-major. -1 stands for "no ground truth". */
export interface EvalArrays {
  /** [thresholds, recalls, categories, areas, maxDetections] */
  readonly shape: Shape;
  /** Precision at each recall threshold, `shape`. */
  readonly precision: Float64Array;
  /** The score at which it is reached, `shape`. */
  readonly scores: Float64Array;
  /** [thresholds, categories, areas, maxDetections] */
  readonly recall: Float64Array;
}

/** Doubles of one array, 1 GiB: more categories with objects than any dataset that we know of has. */
const MAX_NUMBERS = 2 ** 27;

/**
 * The arrays, of which only the categories with ground truth are held: a file names categories at a few bytes each,
 * and each takes 200 kB here. The whole arrays are made when they are asked for.
 */
export class CurveArrays implements EvalArrays {
  readonly shape: Shape;
  /** The arrays over the categories with ground truth alone. In sums and means the others are left out anyway. */
  readonly held: EvalArrays;
  /** Per category its place in `held`, or -1. */
  readonly places: Int32Array;
  readonly #whole: { precision?: Float64Array; scores?: Float64Array; recall?: Float64Array } = {};

  /** @throws BUDGET_EXCEEDED */
  constructor(
    { iouThresholds, recallThresholds, areaRanges, maxDetections }: ResolvedParams,
    held: Uint8Array,
    K: number,
  ) {
    let count = 0;
    this.places = Int32Array.from(held, (kept) => (kept === 0 ? -1 : count++));
    const [T, R, A, M] = [iouThresholds.length, recallThresholds.length, areaRanges.length, maxDetections.length];
    this.shape = [T, R, K, A, M];
    checkLength(T * R * count * A * M);
    this.held = {
      shape: [T, R, count, A, M],
      precision: new Float64Array(T * R * count * A * M), // every number is written
      scores: new Float64Array(T * R * count * A * M),
      recall: new Float64Array(T * count * A * M).fill(-1),
    };
  }

  /** @throws BUDGET_EXCEEDED */
  get precision(): Float64Array {
    this.#whole.precision ??= this.#spread(this.held.precision);
    return this.#whole.precision;
  }

  /** @throws BUDGET_EXCEEDED */
  get scores(): Float64Array {
    this.#whole.scores ??= this.#spread(this.held.scores);
    return this.#whole.scores;
  }

  /** @throws BUDGET_EXCEEDED */
  get recall(): Float64Array {
    this.#whole.recall ??= this.#spread(this.held.recall);
    return this.#whole.recall;
  }

  /** Puts held categories to their places on the whole axis. */
  #spread(held: Float64Array): Float64Array {
    const [, , K, A, M] = this.shape;
    const count = this.held.shape[2];
    if (count === K) return held;
    const row = A * M;
    const blocks = count === 0 ? this.#blocks(held) : held.length / (count * row);
    checkLength(blocks * K * row);
    const whole = new Float64Array(blocks * K * row).fill(-1);
    for (let b = 0; b < blocks; b++) {
      for (let k = 0; k < K; k++) {
        const place = this.places[k]!;
        if (place < 0) continue;
        const from = (b * count + place) * row;
        whole.set(held.subarray(from, from + row), (b * K + k) * row);
      }
    }
    return whole;
  }

  /** How often the category axis is repeated, where nothing is held that would tell. */
  #blocks(held: Float64Array): number {
    const [T, R] = this.shape;
    return held === this.held.recall ? T : T * R;
  }
}

function checkLength(numbers: number): void {
  if (numbers <= MAX_NUMBERS) return;
  throw new RcnnError('BUDGET_EXCEEDED', {
    where: 'evaluate',
    problem: 'the arrays of so many categories would fill the memory',
    found: `${numbers} numbers`,
    expected: `at most ${MAX_NUMBERS}`,
    hint: 'Evaluate part of the categories at a time (categoryIds), or with fewer values of maxDetections.',
  });
}
