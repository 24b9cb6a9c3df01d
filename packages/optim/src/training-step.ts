import { hostValues, type Random, type RcnnError, trainableParameters, valueAndGradients } from '@rcnn/core';
import { endedByOthers, localGroups, type ProcessGroup, type SharedNorms } from '@rcnn/distributed';
import * as tf from '@tensorflow/tfjs-core';
import { exchange, type Whole } from './exchange.ts';
import { requireFinite, requireFiniteNorm, requireFiniteRate } from './finite.ts';
import { kernelFor, sumOfSquares } from './host-pass.ts';
import type { Optimizer } from './optimizer.ts';
import { type ParameterGroup, settingsAt } from './parameter-groups.ts';
import type { TrainableModel, TrainingBatch } from './training-batch.ts';

/** What one training step did. */
export interface StepResult {
  /** Mean over the accumulated batches of each loss, and of their sum. */
  readonly losses: Readonly<Record<string, number>>;
  readonly loss: number;
  /** Length of the whole gradient before clipping. */
  readonly gradientNorm: number;
}

export interface StepOptions {
  readonly model: TrainableModel;
  readonly optimizer: Optimizer;
  /** Rates and weight decay by parameter, of `groupParameters`. Default: one rate for all, no decay. */
  readonly groups?: ReadonlyMap<string, ParameterGroup> | undefined;
  /** Longest gradient allowed; longer ones are scaled down to it. Default: no limit. */
  readonly clipNorm?: number | undefined;
}

/** When and how one step is taken. */
export interface StepContext {
  /** Named in errors. */
  readonly step: number;
  readonly learningRate: number;
  readonly random: Random;
}

/**
 * One update of the weights from one or more batches, whose gradients are averaged. It owns its memory: whatever
 * happens, no tensor is left over and no tape stays open. Nothing is updated unless every loss and every gradient is
 * finite; when a step fails, weights, running statistics and optimizer are as before it.
 *
 * @throws NON_FINITE naming the loss or the tensor, and the images
 */
export async function trainingStep(
  options: StepOptions,
  batches: readonly TrainingBatch[],
  context: StepContext,
): Promise<StepResult> {
  const { result } = await sharedStep({ ...options, group: localGroups(1)[0]! }, { batches }, context);
  return result ?? { losses: {}, loss: 0, gradientNorm: 0 };
}

/** A step that many processes take together. */
export interface SharedStepOptions extends StepOptions {
  readonly group: ProcessGroup;
  /** The batch norms of the model that count the batches of all ranks as one, where it has such. */
  readonly norms?: SharedNorms | undefined;
}

/** What this rank has for a step. */
export interface Share {
  /** Its batches; those without images count for nothing. */
  readonly batches: readonly TrainingBatch[];
  /** Number of the first of them among those of all ranks: each draws its own random numbers. Default 0. */
  readonly first?: number | undefined;
  /** Whether this rank wants the training to end after the step. Default false. */
  readonly stop?: boolean | undefined;
  /** Why it has no batches: the failure is told to all ranks. */
  readonly error?: unknown;
}

/** What a step of all ranks did. */
export interface SharedStepResult {
  /** Undefined when no rank had an image: then nothing was updated. */
  readonly result: StepResult | undefined;
  /** Whether any rank wants the training to end now. */
  readonly stop: boolean;
}

/**
 * {@link trainingStep} of all ranks together: the mean over the batches of all of them, with the same bits on each. The
 * gradient is clipped after the mean is taken. When one rank fails, all do, and nothing is updated anywhere.
 * @throws NON_FINITE and the like on the rank that failed; PEER_FAILED on the others; PEER_LOST, TIMEOUT
 */
export async function sharedStep(
  { model, optimizer, groups = new Map(), clipNorm, group, norms }: SharedStepOptions,
  share: Share,
  { step, learningRate, random }: StepContext,
): Promise<SharedStepResult> {
  const statistics = keepStatistics(model);
  let gradients = new Map<string, tf.Tensor>();
  try {
    const own = await compute({ model, norms }, share, { step, learningRate, random, before: statistics.kept });
    gradients = own.gradients;
    let { squares } = own;
    let whole: Omit<Whole, 'gradients'>;
    if (group.size === 1) {
      if (own.failed !== undefined) throw own.failed.error;
      whole = { losses: dividedBy(own.batches, own.losses), batches: own.batches, stop: share.stop === true };
    } else {
      const { losses, batches } = own;
      const error = own.failed?.error;
      const part = { gradients, losses, batches, statistics: statistics.kept, stop: share.stop === true, error };
      const { gradients: means, ...rest } = await exchange(group, model, part);
      tf.dispose([...gradients.values()]);
      gradients = means;
      if (own.ended !== undefined) throw own.ended; // the rank that is to blame has said so just now, unless all are
      whole = rest;
    }
    if (whole.batches === 0) return { result: undefined, stop: whole.stop };
    if (group.size > 1 || whole.batches > 1) squares = (await readBack({}, gradients)).squares;
    // Gradients are sums over batches, and means over ranks.
    const mean = (value: number): number => (value * group.size) / whole.batches;
    const gradientNorm = mean(Math.sqrt(sum(squares.values())));
    requireFiniteNorm(gradientNorm, step);
    const clip = clipNorm !== undefined && gradientNorm > clipNorm ? clipNorm / gradientNorm : 1;
    optimizer.update({ gradients, gradientScale: mean(clip), settingsOf: settingsAt(groups, learningRate) });
    const loss = sum(Object.values(whole.losses));
    return { result: { losses: whole.losses, loss, gradientNorm }, stop: whole.stop };
  } catch (error) {
    statistics.restore();
    throw error;
  } finally {
    statistics.dispose();
    for (const gradient of gradients.values()) gradient.dispose();
  }
}

/** What this rank computes by itself: sums over its batches, or why there are none. */
interface Own {
  readonly gradients: Map<string, tf.Tensor>;
  readonly losses: Record<string, number>;
  readonly batches: number;
  /** Of the last batch. */
  readonly squares: ReadonlyMap<string, number>;
  readonly failed?: { readonly error: {} };
  /** Another rank ended the batch in the middle. */
  readonly ended?: RcnnError | undefined;
}

async function compute(
  { model, norms }: Pick<SharedStepOptions, 'model' | 'norms'>,
  { batches, first = 0, error: before }: Share,
  { step, learningRate, random, before: kept }: StepContext & { readonly before: Statistics },
): Promise<Own> {
  const gradients = new Map<string, tf.Tensor>();
  const rows: Record<string, number>[] = [];
  let squares: ReadonlyMap<string, number> = new Map();
  const computeOne = async (batch: TrainingBatch, i: number): Promise<void> => {
    const part = await differentiate(model, batch, { step, random: random.fork('batch', first + i), before: kept });
    accumulate(gradients, part.gradients);
    rows.push(part.losses);
    squares = part.squares;
  };
  try {
    try {
      if (before !== undefined) throw before;
      requireFiniteRate(learningRate, step);
    } catch (error) {
      norms?.fail();
      throw error;
    }
    for (const [i, batch] of batches.entries()) {
      const work = batch.images.length === 0 ? undefined : () => computeOne(batch, i);
      await (norms === undefined ? work?.() : norms.during(work));
    }
    return { gradients, losses: sumOf(rows), batches: rows.length, squares };
  } catch (error) {
    tf.dispose([...gradients.values()]);
    const ended = endedByOthers(error);
    const nothing = { gradients: new Map<string, tf.Tensor>(), losses: {}, batches: 0, squares };
    return ended === undefined
      ? { ...nothing, failed: { error: error ?? new Error('no reason was given') } }
      : { ...nothing, ended };
  }
}

/** Losses and finite gradients of one batch. The caller disposes the gradients. */
async function differentiate(
  model: TrainableModel,
  batch: TrainingBatch,
  { step, random, before }: { readonly step: number; readonly random: Random; readonly before: Statistics },
): Promise<{ losses: Record<string, number>; gradients: Map<string, tf.Tensor>; squares: Map<string, number> }> {
  const { loss, gradients, extra } = await valueAndGradients(async () => {
    const losses = await model.losses(batch.images, batch.targets, { random, phase: 'train' });
    return { loss: tf.addN(Object.values(losses)), extra: { ...losses } };
  }, trainableParameters(model));
  try {
    const { losses, squares } = await readBack(extra, gradients);
    await requireFinite(losses, squares, gradients, { step, batch, parameters: asBefore(model, before) });
    return { losses, gradients, squares };
  } catch (error) {
    for (const gradient of gradients.values()) gradient.dispose();
    throw error;
  } finally {
    for (const tensor of [loss, ...Object.values(extra)]) tensor.dispose();
  }
}

/** The losses and the squared length of every gradient, with a single wait for the device. */
async function readBack(
  losses: Readonly<Record<string, tf.Tensor>>,
  gradients: ReadonlyMap<string, tf.Tensor>,
): Promise<{ losses: Record<string, number>; squares: Map<string, number> }> {
  const names = Object.keys(losses);
  const kernel = kernelFor('none');
  const onDevice = kernel === undefined ? [...gradients] : [];
  const all = tf.tidy(() =>
    tf.stack([
      ...names.map((name) => tf.reshape(losses[name]!, [])),
      ...onDevice.map(([, gradient]) => tf.sum(tf.square(gradient))),
      tf.scalar(0), // a stack of nothing is refused
    ]),
  );
  const values = await all.data();
  all.dispose();
  return {
    losses: Object.fromEntries(names.map((name, i) => [name, values[i]!])),
    squares: new Map(
      kernel === undefined
        ? onDevice.map(([name], i) => [name, values[names.length + i]!])
        : [...gradients].map(([name, gradient]) => [name, sumOfSquares(kernel, hostValues(gradient))]),
    ),
  };
}

/** Adds the gradients of another batch and takes them over. */
function accumulate(total: Map<string, tf.Tensor>, part: ReadonlyMap<string, tf.Tensor>): void {
  for (const [name, gradient] of part) {
    const before = total.get(name);
    total.set(name, before === undefined ? gradient : tf.add(before, gradient));
    if (before === undefined) continue;
    before.dispose();
    gradient.dispose();
  }
}

/** Running statistics by name, as they were before the step. */
type Statistics = ReadonlyMap<string, tf.Tensor>;

/** What the forward pass was given: a statistic that it spoilt itself is not where the fault came from. */
function asBefore(model: TrainableModel, before: Statistics): Map<string, { value: tf.Tensor }> {
  return new Map([...model.namedParameters()].map(([name, { value }]) => [name, { value: before.get(name) ?? value }]));
}

/** Running statistics change in the forward pass, before anything is known to be finite. A clone copies no data. */
function keepStatistics(model: TrainableModel): { kept: Statistics; restore(): void; dispose(): void } {
  const kept = new Map<string, tf.Tensor>();
  const parameters = model.namedParameters();
  for (const [name, { learnable, value }] of parameters) if (!learnable) kept.set(name, tf.keep(tf.clone(value)));
  return {
    kept,
    restore: () => kept.forEach((value, name) => parameters.get(name)!.assign(value)),
    dispose: () => kept.forEach((value) => value.dispose()),
  };
}

function sumOf(rows: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = Object.keys(rows[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, sum(rows.map((row) => row[name]!))]));
}

function dividedBy(count: number, sums: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([name, total]) => [name, total / count]));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
