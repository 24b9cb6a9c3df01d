import { hostValues, type Random, trainableParameters, valueAndGradients } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { requireFinite, requireFiniteRate } from './finite.ts';
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
  { model, optimizer, groups = new Map(), clipNorm }: StepOptions,
  batches: readonly TrainingBatch[],
  { step, learningRate, random }: StepContext,
): Promise<StepResult> {
  requireFiniteRate(learningRate, step);
  const statistics = keepStatistics(model);
  const gradients = new Map<string, tf.Tensor>();
  try {
    const losses: Record<string, number>[] = [];
    let squares: ReadonlyMap<string, number> = new Map();
    for (const [i, batch] of batches.entries()) {
      const part = await differentiate(model, batch, {
        step,
        random: random.fork('batch', i),
        before: statistics.kept,
      });
      accumulate(gradients, part.gradients);
      losses.push(part.losses);
      squares = part.squares;
    }
    if (batches.length > 1) squares = (await readBack({}, gradients)).squares;
    const gradientNorm = Math.sqrt(sum(squares.values())) / batches.length;
    const clip = clipNorm !== undefined && gradientNorm > clipNorm ? clipNorm / gradientNorm : 1;
    optimizer.update({ gradients, gradientScale: clip / batches.length, settingsOf: settingsAt(groups, learningRate) });
    const means = meanOf(losses);
    return { losses: means, loss: sum(Object.values(means)), gradientNorm };
  } catch (error) {
    statistics.restore();
    throw error;
  } finally {
    statistics.dispose();
    for (const gradient of gradients.values()) gradient.dispose();
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

function meanOf(rows: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = Object.keys(rows[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, sum(rows.map((row) => row[name]!)) / rows.length]));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
