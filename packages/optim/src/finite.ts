import type { Parameter } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type * as tf from '@tensorflow/tfjs-core';
import type { TrainingBatch } from './training-batch.ts';

/** What a step was given, for its errors. */
export interface StepInputs {
  readonly step: number;
  readonly batch: TrainingBatch;
  readonly parameters: ReadonlyMap<string, Pick<Parameter, 'value'>>;
}

/**
 * Stops a step whose losses or gradients hold NaN or infinity, before anything is updated.
 * @throws NON_FINITE naming the first such loss, else the first such gradient, where it came from if that is an image or
 *   a weight, and the images of the batch
 */
export async function requireFinite(
  losses: Readonly<Record<string, number>>,
  squares: ReadonlyMap<string, number>,
  gradients: ReadonlyMap<string, tf.Tensor>,
  { step, batch, parameters }: StepInputs,
): Promise<void> {
  const loss = Object.entries(losses).find(([, value]) => !Number.isFinite(value));
  const gradient = [...squares].find(([, value]) => !Number.isFinite(value));
  if (loss === undefined && gradient === undefined) return;
  const where = `training step ${step}`;
  const images = `Images of this batch: ${imageNames(batch).join(', ')}.`;
  const table = Object.entries(losses)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
  const source = await firstNonFinite(batch, parameters);
  const origin = source === undefined ? '' : ` It comes from ${source}.`;
  if (loss !== undefined) {
    throw new RcnnError('NON_FINITE', {
      where,
      place: loss[0],
      problem: 'a loss is not finite, so nothing was updated',
      found: table,
      hint: `${images}${origin} Check them with 'mask-rcnn doctor'; a lower learning rate or a longer warm-up may help too.`,
    });
  }
  const [name] = gradient!;
  const bad = notFinite(await gradients.get(name)!.data());
  throw new RcnnError('NON_FINITE', {
    where,
    place: `gradient of ${name}`,
    problem: 'a gradient is not finite, so nothing was updated',
    found: bad ?? 'finite values whose squares are beyond float32: the gradient explodes',
    hint: `${images}${origin} The losses were ${table}. Try a lower learning rate, a longer warm-up or 'clipNorm'.`,
  });
}

/** @throws NON_FINITE before a schedule that went wrong reaches the weights */
export function requireFiniteRate(learningRate: number, step: number): void {
  if (Number.isFinite(learningRate)) return;
  throw new RcnnError('NON_FINITE', {
    where: `training step ${step}`,
    place: 'learning rate',
    problem: 'the learning rate is not finite, so nothing was updated',
    found: String(learningRate),
    hint: "Check 'learningRate', 'learningRates' and the schedule.",
  });
}

/** @throws NON_FINITE when gradients are finite one by one, and together are not */
export function requireFiniteNorm(norm: number, step: number): void {
  if (Number.isFinite(norm)) return;
  throw new RcnnError('NON_FINITE', {
    where: `training step ${step}`,
    place: 'gradient',
    problem: 'the sum of the gradients of several batches is not finite, so nothing was updated',
    found: `length ${norm}`,
    hint: "Try a lower learning rate, a longer warm-up or 'clipNorm'.",
  });
}

/** What the images of a batch are called, or their numbers from 1. */
export function imageNames({ targets }: TrainingBatch): string[] {
  return targets.map(({ imageId }, i) => String(imageId ?? `number ${i + 1}`));
}

/** The first image, else the first weight, that holds NaN or infinity. Read only when a step has failed already. */
export async function firstNonFinite(
  batch: TrainingBatch,
  parameters: StepInputs['parameters'],
): Promise<string | undefined> {
  const names = imageNames(batch);
  for (const [i, { data }] of batch.images.entries()) {
    const bad = data instanceof Float32Array ? notFinite(data) : undefined;
    if (bad !== undefined) return `image ${names[i]}: ${bad}`;
  }
  for (const [name, { value }] of parameters) {
    const bad = notFinite(await value.data());
    if (bad !== undefined) return `the weight ${name}: ${bad}`;
  }
  return undefined;
}

/** How many values are NaN or infinite, and the first of them; undefined when none is. */
export function notFinite(values: ArrayLike<number>): string | undefined {
  let count = 0;
  let first = -1;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    if (count++ === 0) first = i;
  }
  return count === 0 ? undefined : `${count} of ${values.length} values, the first ${values[first]} at index ${first}`;
}
