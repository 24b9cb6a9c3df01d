import { type Random, RcnnError } from '@rcnn/core';

/** Indices into the candidates, each list ascending. */
export interface Sample {
  readonly positives: Int32Array;
  readonly negatives: Int32Array;
}

/** Chooses the boxes that a loss looks at. `labels`: 1 and up positive, 0 negative, below 0 ignored. */
export interface Sampler {
  sample(labels: ArrayLike<number>, random: Random): Sample;
}

export interface BalancedSamplerOptions {
  /** How many to choose from one image. */
  readonly batchSize: number;
  /** At most this share of them is positive; negatives fill the rest. */
  readonly positiveFraction: number;
}

type Choose = (candidates: Int32Array, count: number, random: Random) => Int32Array;

/** Positives up to their share, the rest negatives, both uniformly at random without replacement. */
export class BalancedSampler implements Sampler {
  readonly #batchSize: number;
  readonly #maxPositives: number;
  readonly #choose: Choose;

  constructor({ batchSize, positiveFraction }: BalancedSamplerOptions, choose: Choose = chooseAtRandom) {
    if (!(batchSize >= 0) || !(positiveFraction >= 0 && positiveFraction <= 1)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'BalancedSampler',
        problem: 'the batch size must be at least 0 and the positive fraction from 0 to 1',
        found: `${batchSize}, ${positiveFraction}`,
      });
    }
    this.#batchSize = batchSize;
    this.#maxPositives = Math.floor(batchSize * positiveFraction);
    this.#choose = choose;
  }

  sample(labels: ArrayLike<number>, random: Random): Sample {
    const positive: number[] = [];
    const negative: number[] = [];
    for (let i = 0; i < labels.length; i++) {
      if (labels[i]! >= 1) positive.push(i);
      else if (labels[i] === 0) negative.push(i);
    }
    const numPositives = Math.min(positive.length, this.#maxPositives);
    const numNegatives = Math.min(negative.length, this.#batchSize - numPositives);
    return {
      positives: this.#choose(Int32Array.from(positive), numPositives, random),
      negatives: this.#choose(Int32Array.from(negative), numNegatives, random),
    };
  }
}

/** A {@link BalancedSampler} that draws nothing: it takes the first candidates in index order. For fixtures. */
export function firstInOrderSampler(options: BalancedSamplerOptions): Sampler {
  return new BalancedSampler(options, (candidates, count) => candidates.slice(0, count));
}

function chooseAtRandom(candidates: Int32Array, count: number, random: Random): Int32Array {
  // The first `count` steps of a Fisher-Yates shuffle.
  for (let i = 0; i < count; i++) {
    const j = i + random.integer(candidates.length - i);
    const swapped = candidates[i]!;
    candidates[i] = candidates[j]!;
    candidates[j] = swapped;
  }
  return candidates.slice(0, count).sort();
}
