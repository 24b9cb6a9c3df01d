import type { Detector } from '@rcnn/core';
import { architectures as builtIn } from '@rcnn/models';
import { freeze } from '@rcnn/optim';
import type { TrainConfig } from '../config/options.ts';
import { architectureOf, resolveConfig } from '../config/resolve.ts';
import { requireStep } from '../loop/trainer.ts';
import { buildModel } from './build-model.ts';
import { openData, type TrainingData } from './data.ts';
import { startEngine } from './engine.ts';
import { type Plan, planOf } from './plan.ts';
import type { TrainOptions } from './session.ts';
import { type ConfigParts, partsOf } from './train-run.ts';

/** A training before its first step: nothing is written, nothing has been learnt. */
export interface DryRun {
  readonly config: TrainConfig;
  readonly data: TrainingData;
  /** With the weights that the training would begin with. */
  readonly model: Detector;
  readonly plan: Plan;
  close(): Promise<void>;
}

/**
 * Opens and builds everything that {@link train} would, and stops there: for programs that want to know what its steps
 * will be, such as a comparison that has another program take the same ones. Close it when done.
 * @throws what `train` throws before its first step
 */
export async function dryRun(config: ConfigParts, options: TrainOptions = {}): Promise<DryRun> {
  const { onEvent = () => undefined, architectures = builtIn, datasets } = options;
  const resolved = resolveConfig(...partsOf(config));
  const architecture = architectureOf(resolved, architectures);
  await startEngine(resolved.engine, options, resolved.threads);
  const data = await openData(resolved, onEvent, datasets);
  requireStep(data.source.batchesPerEpoch, resolved.accumulate, 1);
  const { model } = await buildModel(resolved, architecture, data.train, onEvent);
  const parameters = model.namedParameters();
  freeze(parameters, resolved.freeze);
  const close = async (): Promise<void> => {
    await data.source.close?.();
    model.dispose();
  };
  return { config: resolved, data, model, plan: planOf(resolved, parameters, data.source.batchesPerEpoch), close };
}
