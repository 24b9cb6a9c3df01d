import { RcnnError } from '@rcnn/core/errors';
import type * as tf from '@tensorflow/tfjs-core';
import type { TrainingBatch } from './types.ts';

/**
 * Stops a step whose losses or gradients hold NaN or infinity, before anything is updated.
 * @throws NON_FINITE naming the first such loss, else the first such gradient, and the images of the batch
 */
export function requireFinite(
  losses: Readonly<Record<string, number>>,
  squares: ReadonlyMap<string, number>,
  gradients: ReadonlyMap<string, tf.Tensor>,
  { step, batch }: { readonly step: number; readonly batch: TrainingBatch },
): void {
  const images = `Images of this batch: ${batch.targets.map(({ imageId }, i) => imageId ?? `number ${i + 1}`).join(', ')}.`;
  const table = Object.entries(losses)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
  const loss = Object.entries(losses).find(([, value]) => !Number.isFinite(value));
  if (loss !== undefined) {
    throw new RcnnError('NON_FINITE', {
      where: `training step ${step}`,
      place: loss[0],
      problem: 'a loss is not finite, so nothing was updated',
      found: table,
      hint: `${images} Check them with 'mask-rcnn doctor'; a lower learning rate or a longer warm-up may help too.`,
    });
  }
  const gradient = [...squares].find(([, value]) => !Number.isFinite(value));
  if (gradient === undefined) return;
  const [name] = gradient;
  throw new RcnnError('NON_FINITE', {
    where: `training step ${step}`,
    place: `gradient of ${name}`,
    problem: 'a gradient is not finite, so nothing was updated',
    found: describe(gradients.get(name)!),
    hint: `${images} The losses were ${table}. Try a lower learning rate, a longer warm-up or 'clipNorm'.`,
  });
}

/** Read only when a step has failed already, so the wait does not matter. */
function describe(gradient: tf.Tensor): string {
  const values = gradient.dataSync();
  const bad = values.filter((value) => !Number.isFinite(value)).length;
  const first = values.findIndex((value) => !Number.isFinite(value));
  if (bad === 0) return 'finite values whose squares are beyond float32: the gradient explodes';
  return `${bad} of ${values.length} values, the first ${values[first]} at index ${first}`;
}
