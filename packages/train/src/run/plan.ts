import type { Dataset } from '@rcnn/coco-data';
import type { Parameter } from '@rcnn/core';
import { counted } from '@rcnn/core/errors';
import { AdamW, createSchedule, groupParameters, type Optimizer, SGD, WeightAverage } from '@rcnn/optim';
import type { TrainConfig } from '../config/options.ts';
import { learningRateOf } from '../config/resolve.ts';
import { stepsPerEpoch, type TrainerOptions } from '../loop/trainer.ts';

type Parameters = ReadonlyMap<string, Parameter>;

/** All that a config decides of a training before its first step. */
export type Plan = Omit<TrainerOptions, 'model' | 'data' | 'optimizer' | 'average' | 'hooks' | 'group' | 'norms'>;

/**
 * The options of the trainer that a config stands for. Looks at the parameters' names only.
 * @param processes that train together
 */
export function planOf(config: TrainConfig, parameters: Parameters, batchesPerEpoch: number, processes = 1): Plan {
  const perEpoch = stepsPerEpoch(batchesPerEpoch, config.accumulate * processes);
  const totalSteps = config.steps ?? config.epochs * perEpoch;
  const warmupSteps = config.warmupSteps === 'auto' ? Math.min(1000, perEpoch - 1) : config.warmupSteps;
  const { accumulate, clipNorm, seed, evaluateEvery, patience, saveEvery } = config;
  return {
    groups: groupParameters(parameters, config),
    schedule: createSchedule({ ...config, warmupSteps }, { stepsPerEpoch: perEpoch, totalSteps }),
    learningRate: learningRateOf(config, processes),
    totalSteps,
    accumulate,
    clipNorm,
    seed,
    evaluateEvery,
    patience,
    saveEvery,
  };
}

/** The plan in two sentences, for whoever watches. */
export function describePlan(
  config: TrainConfig,
  { totalSteps, learningRate }: Plan,
  parameters: Parameters,
  data: Dataset,
  processes = 1,
): string[] {
  const images = imagesPerStep(config, processes);
  const count = (chosen: readonly Parameter[]): string =>
    chosen.reduce((sum, { size }) => sum + size, 0).toLocaleString('en');
  const all = [...parameters.values()];
  const trained = all.filter(({ trainable }) => trainable);
  const rate = config.learningRate === 'auto' ? ` (torchvision's 0.02 for 16 images, scaled to ${images})` : '';
  return [
    `${counted(data.length, 'image')} of ${counted(data.classes.classes.length, 'class', 'classes')}; ${config.arch} with ${count(all)} weights, ${count(trained)} of them learning.`,
    `${counted(totalSteps, 'step')} of ${counted(images, 'image')}${processes > 1 ? `, ${images / processes} in each of ${counted(processes, 'process', 'processes')}` : ''}; ${config.optimizer} at ${learningRate}${rate}.`,
  ];
}

/** Images whose gradients go into one step. */
export function imagesPerStep({ batchSize, accumulate }: TrainConfig, processes: number): number {
  return batchSize * accumulate * processes;
}

export function optimizerOf({ optimizer, momentum }: TrainConfig, parameters: Parameters): Optimizer {
  if (optimizer === 'adamw') return new AdamW(parameters);
  return new SGD(parameters, { momentum, nesterov: optimizer === 'sgdNesterov' });
}

export function averageOf({ ema }: TrainConfig, parameters: Parameters): WeightAverage | undefined {
  return ema === undefined ? undefined : new WeightAverage(parameters, ema);
}

/** Numbers that a config keeps beside each learning weight. */
export function slotsOf({ optimizer, ema }: Pick<TrainConfig, 'optimizer' | 'ema'>): number {
  return (optimizer === 'adamw' ? 2 : 1) + (ema === undefined ? 0 : 1);
}
