import {
  BatchNorm,
  type BatchNormFactory,
  type GradientSums,
  type PartMoments,
  RcnnError,
  type SharedBatch,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { type NormPass, NormRecords, type Passing } from './norm-records.ts';
import type { ProcessGroup } from './process-group.ts';
import { peerFailed } from './share.ts';

/** A meeting of norms ended the work of all ranks on this batch; every one of them knows. */
class Ended extends Error {
  readonly reason: RcnnError;

  constructor(reason: RcnnError) {
    super(reason.message);
    this.reason = reason;
  }
}

/**
 * Batch norms of ranks that train together, whose batches count as one: PyTorch's SyncBatchNorm. {@link make} is what
 * blocks are given in place of their own; then each batch of a rank is computed inside {@link during}, on all ranks as
 * often.
 *
 * Ranks need not have the same norms to go through: one without images, or whose loss does not reach a norm, takes part
 * with nothing. What they do differently in the forward pass beyond leaving out the last ones is refused.
 */
export class SharedNorms implements SharedBatch {
  readonly #group: ProcessGroup;
  #channels = 0;
  #made = 0;
  /** Norms gone through in the forward pass of this batch. */
  #calls = 0;

  constructor(group: ProcessGroup) {
    this.#group = group;
  }

  /** Makes a norm of `channels` channels that shares its batch. */
  readonly make: BatchNormFactory = (channels, options) => {
    this.#channels = Math.max(this.#channels, channels);
    this.#made++;
    return new BatchNorm(channels, { ...options, batch: this });
  };

  /** How many norms were made. */
  get count(): number {
    return this.#made;
  }

  /**
   * Computes the batch of this rank, forward and backward, and waits until all have computed theirs.
   * @param work undefined for a rank that has no images for it
   * @throws what `work` throws; what ended all ranks when another one failed: see {@link endedByOthers}
   */
  async during<T>(work: (() => Promise<T>) | undefined): Promise<T | undefined> {
    if (this.#made === 0) return work?.();
    this.#calls = 0;
    let result: T | undefined;
    try {
      result = await work?.();
    } catch (error) {
      if (!(error instanceof Ended)) this.#tellFailure(); // of what ended all, all know
      throw error;
    }
    this.#meet({ kind: 'idle' });
    return result;
  }

  /** In place of {@link during}, for a rank that cannot even begin: the others would wait for it. */
  fail(): void {
    if (this.#made > 0) this.#tellFailure();
  }

  moments(part: PartMoments): PartMoments & { readonly call: number } {
    const call = this.#calls++;
    const { count, mean, variance } = part;
    const passing: Passing = { kind: 'forward', call, count, values: [mean, variance] };
    return { ...together(this.#meet(passing)), call };
  }

  gradientSums(call: number, { sum, correlation }: GradientSums): GradientSums {
    const parts = this.#meet({ kind: 'backward', call, count: 0, values: [sum, correlation] });
    return { sum: added(parts, 0), correlation: added(parts, 1) };
  }

  /** Comes to meetings until the one that this pass is about; gives what all brought there. */
  #meet(pass: NormPass): readonly Passing[] {
    const records = new NormRecords(this.#group.size, this.#channels);
    for (;;) {
      const told = records.read(this.#reduce(records.write(this.#group.rank, pass)));
      const failed = told.findIndex(({ kind }) => kind === 'failed');
      if (failed >= 0) throw new Ended(peerFailed(failed));
      const served = turnOf(told);
      if (pass.kind === 'idle' ? served.length === 0 : isIn(pass, served)) return served;
    }
  }

  #reduce(record: Float32Array): Float32Array {
    const given = tf.tensor1d(record);
    try {
      const [mean] = this.#group.allReduceMeanSync([given]);
      const values = mean!.dataSync<'float32'>();
      mean!.dispose();
      return values as Float32Array;
    } finally {
      given.dispose();
    }
  }

  #tellFailure(): void {
    try {
      const records = new NormRecords(this.#group.size, this.#channels);
      this.#reduce(records.write(this.#group.rank, { kind: 'failed' }));
    } catch {
      // The group failed, which the next meeting tells.
    }
  }
}

/** Whether an error that {@link SharedNorms.during} threw came from another rank; what it was to this one. */
export function endedByOthers(error: unknown): RcnnError | undefined {
  return error instanceof Ended ? error.reason : undefined;
}

/**
 * Whose turn it is: forward passes before backward ones, which come in the opposite order. The ranks that are elsewhere
 * come again.
 * @throws what ends all when ranks go through different norms
 */
function turnOf(told: readonly NormPass[]): readonly Passing[] {
  const passing = told.filter((pass): pass is Passing => pass.kind === 'forward' || pass.kind === 'backward');
  const forward = passing.filter(({ kind }) => kind === 'forward');
  if (forward.length === 0) {
    const last = Math.max(...passing.map(({ call }) => call));
    return passing.filter(({ call }) => call === last);
  }
  const [first] = forward;
  const other = forward.find(
    ({ call, values }) => call !== first!.call || channelsOf(values) !== channelsOf(first!.values),
  );
  if (other === undefined) return forward;
  const described = ({ call, values }: Passing): string => `norm ${call + 1} of ${channelsOf(values)} channels`;
  throw new Ended(
    new RcnnError('INVALID_ARGUMENT', {
      where: 'SharedNorms',
      problem: 'ranks go through different batch norms, which cannot share a batch',
      found: `${described(other)} beside ${described(first!)}`,
      hint: 'A part of the model may be left out where a batch has no objects: train it without synchronised norms.',
    }),
  );
}

function isIn(pass: NormPass, served: readonly Passing[]): boolean {
  return (
    pass.kind !== 'idle' &&
    pass.kind !== 'failed' &&
    served.some(({ kind, call }) => kind === pass.kind && call === pass.call)
  );
}

function channelsOf([first]: readonly Float32Array[]): number {
  return first!.length;
}

/** Moments of all parts as one: squares are of distances to the common mean, so nothing cancels out (Chan et al. 1979). */
function together(parts: readonly Passing[]): PartMoments {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const channels = channelsOf(parts[0]!.values);
  const [mean, variance] = [new Float32Array(channels), new Float32Array(channels)];
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (const { count, values } of parts) sum += count * values[0]![c]!;
    const middle = sum / Math.max(1, total);
    let squares = 0;
    for (const { count, values } of parts) squares += count * (values[1]![c]! + (values[0]![c]! - middle) ** 2);
    mean[c] = middle;
    variance[c] = squares / Math.max(1, total);
  }
  return { count: total, mean, variance };
}

/** Sums of one of the lists, in the order of the ranks. */
function added(parts: readonly Passing[], which: number): Float32Array {
  const sums = new Float64Array(channelsOf(parts[0]!.values));
  for (const { values } of parts) for (const [c, value] of values[which]!.entries()) sums[c]! += value;
  return Float32Array.from(sums);
}
