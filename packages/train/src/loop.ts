/**
 * The part of training that runs anywhere, a browser tab included: the loop, its step, optimisers, schedules and
 * evaluation. Everything about files is behind the main entry.
 */
export { type Example, evaluateModel, type ModelEvaluation, type ModelEvaluationOptions } from './loop/evaluate.ts';
export type * from './loop/events.ts';
export { type StepContext, type StepOptions, type StepResult, trainingStep } from './loop/step.ts';
export {
  decisive,
  type Position,
  runTraining,
  START,
  stepsPerEpoch,
  type TrainerHooks,
  type TrainerOptions,
} from './loop/trainer.ts';
export type * from './loop/types.ts';
export { AdamW, type AdamWOptions } from './optim/adamw.ts';
export { WeightAverage } from './optim/ema.ts';
export type { Optimizer, Update, UpdateSettings } from './optim/optimizer.ts';
export {
  freeze,
  type GroupOptions,
  groupParameters,
  type ParameterGroup,
  settingsAt,
} from './optim/parameter-groups.ts';
export * from './optim/schedule.ts';
export { SGD, type SGDOptions } from './optim/sgd.ts';
export type * from './run/records.ts';
