import { RcnnError } from '@rcnn/core';
import { broadcastValue, errorText, type ProcessGroup, peerFailed } from '@rcnn/distributed';
import type * as tf from '@tensorflow/tfjs-core';
import { MOST_LOSSES, type Part, type RankRecord, StepBuffer } from './step-buffer.ts';
import type { TrainableModel } from './training-batch.ts';

/** What all ranks brought to a step together, the same bits on every rank. */
export interface Whole {
  /** By the parameter's name; means over the ranks. The caller owns them. */
  readonly gradients: Map<string, tf.Tensor>;
  /** Means over all batches, by name. */
  readonly losses: Readonly<Record<string, number>>;
  /** Batches with images, of all ranks. */
  readonly batches: number;
  /** Whether any rank wants the training to end after this step. */
  readonly stop: boolean;
}

/**
 * The one meeting of a step. The running statistics of the model become the mean of the ranks'. When a rank failed, all
 * throw: it would be missed in the meeting, so its failure comes along instead.
 * @throws on the rank that failed, its error; on the others PEER_FAILED naming it; and what the group throws
 */
export async function exchange(group: ProcessGroup, model: TrainableModel, part: Part): Promise<Whole> {
  const buffer = new StepBuffer(model, group.size);
  const mean = await meanOf(group, buffer.pack(checked(part), group.rank));
  try {
    const { records, present, moved } = await buffer.readHead(mean);
    const failed = records.findIndex((record) => record.failed);
    if (failed >= 0) throw await failureOf(group, failed, part.error);
    const losses = await lossesOf(group, records, Object.keys(part.losses));
    buffer.applyStatistics(mean, part.statistics, moved);
    return {
      gradients: buffer.gradients(mean, present),
      losses,
      batches: records.reduce((sum, { batches }) => sum + batches, 0),
      stop: records.some(({ stop }) => stop),
    };
  } finally {
    mean.dispose();
  }
}

/** A rank with more losses than fit fails, as any other. */
function checked(part: Part): Part {
  const count = Object.keys(part.losses).length;
  if (count <= MOST_LOSSES) return part;
  const error = new RcnnError('INVALID_ARGUMENT', {
    where: 'training step',
    problem: 'a step of several ranks has too many losses',
    found: String(count),
    expected: `at most ${MOST_LOSSES}`,
  });
  return { ...part, losses: {}, error };
}

async function meanOf(group: ProcessGroup, buffer: tf.Tensor): Promise<tf.Tensor> {
  try {
    const [mean] = await group.allReduceMean([buffer]);
    return mean!;
  } finally {
    buffer.dispose();
  }
}

/** The error of this rank: its own, or that another one failed, with the words of that one. */
async function failureOf(group: ProcessGroup, failed: number, own: unknown): Promise<unknown> {
  const told = await broadcastValue(group, errorText(own), failed).catch(() => undefined);
  return own ?? peerFailed(failed, told);
}

/** Means over all batches, added in the order of the ranks. */
async function lossesOf(
  group: ProcessGroup,
  records: readonly RankRecord[],
  own: readonly string[],
): Promise<Record<string, number>> {
  const first = records.findIndex(({ batches }) => batches > 0);
  if (first < 0) return {};
  const other = records.findIndex(({ batches, names }) => batches > 0 && names !== records[first]!.names);
  if (other >= 0) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'training step',
      problem: `ranks ${first} and ${other} computed other losses`,
      hint: 'All ranks must train one model with one config.',
    });
  }
  const someIdle = records.some(({ batches }) => batches === 0);
  const names = someIdle ? await broadcastValue(group, own, first) : own;
  const total = records.reduce((sum, { batches }) => sum + batches, 0);
  const ofAll = (i: number): number => records.reduce((sum, { losses }) => sum + losses[i]!, 0) / total;
  return Object.fromEntries(names.map((name, i) => [name, ofAll(i)]));
}
