import { type Parameter, trainableParameters } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { TrainableModel } from './training-batch.ts';

/** What one rank brings to a step. */
export interface Part {
  /** Sums over its batches, by the parameter's name; absent where no loss reaches a parameter. */
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
  /** Sums over its batches, by name. */
  readonly losses: Readonly<Record<string, number>>;
  /** Batches with images. */
  readonly batches: number;
  /** Running statistics as they were before the step. */
  readonly statistics: ReadonlyMap<string, tf.Tensor>;
  /** Whether it wants the training to end after this step. */
  readonly stop: boolean;
  /** Why it has nothing to bring. */
  readonly error?: unknown;
}

/** What a rank says of itself. */
export interface RankRecord {
  readonly failed: boolean;
  readonly stop: boolean;
  readonly batches: number;
  /** A number that stands for the names of its losses. */
  readonly names: number;
  /** Sums over its batches, in the order of its names, as many as a step may have. */
  readonly losses: readonly number[];
}

/** Losses that a step may have. */
export const MOST_LOSSES = 16;

/** Places of a rank's record in the buffer; its losses follow. */
const FLAGS = 4;
const RECORD = FLAGS + MOST_LOSSES;

/**
 * One flat buffer for all that ranks must know of each other in a step, of which the ranks' mean is taken:
 *
 *     [ a record per rank: failed, stop, batches, names of losses, losses
 *     | a bit per parameter: has a gradient, and per running statistic: has moved
 *     | gradients of all parameters | changes of running statistics ]
 *
 * Its layout follows from the model alone. Each rank leaves zeros in the records of others, so a mean is what a rank wrote
 * over the number of ranks; and zeros where it has no gradient.
 */
export class StepBuffer {
  readonly #size: number;
  readonly #parameters: readonly (readonly [name: string, parameter: Parameter])[];
  readonly #statistics: readonly (readonly [name: string, parameter: Parameter])[];

  constructor(model: TrainableModel, size: number) {
    this.#size = size;
    this.#parameters = [...trainableParameters(model)];
    this.#statistics = [...model.namedParameters()].filter(([, { learnable }]) => !learnable);
  }

  /** A rank's buffer, `[L]`. */
  pack(part: Part, rank: number): tf.Tensor1D {
    const header = new Float32Array(this.#headLength);
    const { losses, batches, stop, error } = part;
    const flags = [error === undefined ? 0 : 1, stop ? 1 : 0, batches, numberOf(Object.keys(losses))];
    header.set([...flags, ...Object.values(losses)], rank * RECORD);
    const counts = error === undefined && batches > 0;
    for (const [i, [name]] of this.#parameters.entries()) {
      if (counts && part.gradients.has(name)) header[this.#size * RECORD + i] = 1;
    }
    const bits = this.#size * RECORD + this.#parameters.length;
    for (const [i, [name, { value }]] of this.#statistics.entries()) {
      if (counts && value.dataId !== part.statistics.get(name)!.dataId) header[bits + i] = 1;
    }
    return tf.tidy(() => {
      const zeros = ({ size }: Parameter): tf.Tensor1D => tf.zeros([size]);
      const gradients = this.#parameters.map(([name, parameter]) => {
        const gradient = counts ? part.gradients.get(name) : undefined;
        return gradient === undefined ? zeros(parameter) : tf.reshape<tf.Rank.R1>(gradient, [-1]);
      });
      const changes = this.#statistics.map(([name, parameter]) => {
        if (!counts) return zeros(parameter);
        return tf.reshape<tf.Rank.R1>(tf.sub(parameter.value, part.statistics.get(name)!), [-1]);
      });
      return tf.concat([tf.tensor1d(header), ...gradients, ...changes]);
    });
  }

  /**
   * What the ranks said of themselves, which parameters have a gradient on any of them, and on how many each running
   * statistic has moved, where on any.
   */
  async readHead(mean: tf.Tensor): Promise<{
    records: RankRecord[];
    present: ReadonlySet<string>;
    moved: ReadonlyMap<string, number>;
  }> {
    const head = tf.tidy(() => tf.slice(mean, 0, this.#headLength));
    const values = await head.data();
    head.dispose();
    const told = (rank: number, place: number): number => values[rank * RECORD + place]! * this.#size;
    const records = Array.from({ length: this.#size }, (_, rank) => ({
      failed: told(rank, 0) > 0.5,
      stop: told(rank, 1) > 0.5,
      batches: Math.round(told(rank, 2)),
      names: Math.round(told(rank, 3)),
      losses: Array.from({ length: MOST_LOSSES }, (_loss, i) => Math.fround(told(rank, FLAGS + i))),
    }));
    const present = this.#parameters.filter((_, i) => values[this.#size * RECORD + i]! > 0).map(([name]) => name);
    const bits = this.#size * RECORD + this.#parameters.length;
    const moved = this.#statistics.map(([name], i) => [name, Math.round(values[bits + i]! * this.#size)] as const);
    return { records, present: new Set(present), moved: new Map(moved.filter(([, ranks]) => ranks > 0)) };
  }

  /** The gradients of a mean by name, of those parameters that have one. The caller owns them. */
  gradients(mean: tf.Tensor, present: ReadonlySet<string>): Map<string, tf.Tensor> {
    const gradients = new Map<string, tf.Tensor>();
    let at = this.#headLength;
    for (const [name, { shape, size }] of this.#parameters) {
      const begin = at;
      if (present.has(name)) {
        gradients.set(
          name,
          tf.tidy(() => tf.reshape(tf.slice(mean, begin, size), [...shape])),
        );
      }
      at += size;
    }
    return gradients;
  }

  /**
   * Sets the running statistics to what they were before the step and the mean change of the ranks that moved them: a rank
   * without images, or without the objects that a head looks at, moves none.
   * @param moved on how many ranks; those that did not move anywhere are frozen
   */
  applyStatistics(mean: tf.Tensor, before: ReadonlyMap<string, tf.Tensor>, moved: ReadonlyMap<string, number>): void {
    let at = this.#headLength + this.#parameters.reduce((sum, [, { size }]) => sum + size, 0);
    for (const [name, parameter] of this.#statistics) {
      const begin = at;
      const old = before.get(name)!;
      at += parameter.size;
      const ranks = moved.get(name);
      if (ranks === undefined) continue;
      tf.tidy(() => {
        const change = tf.reshape(tf.slice(mean, begin, parameter.size), [...parameter.shape]);
        parameter.assign(tf.add(old, ranks === this.#size ? change : tf.div(change, ranks / this.#size)));
      });
    }
  }

  get #headLength(): number {
    return this.#size * RECORD + this.#parameters.length + this.#statistics.length;
  }
}

/** A number below 65536 that tells lists of names apart (FNV-1a), and that float32 can hold. */
export function numberOf(names: readonly string[]): number {
  let hash = 0x811c9dc5;
  for (const code of new TextEncoder().encode(names.join('\n'))) hash = Math.imul(hash ^ code, 0x01000193);
  return (hash ^ (hash >>> 16)) & 0xffff;
}
