export { AdamW, type AdamWOptions } from './adamw.ts';
export { firstNonFinite, imageNames, notFinite } from './finite.ts';
export type { Optimizer, Update, UpdateSettings } from './optimizer.ts';
export { Slots } from './optimizer.ts';
export {
  freeze,
  type GroupOptions,
  groupParameters,
  type ParameterGroup,
  settingsAt,
} from './parameter-groups.ts';
export { createSchedule, type Schedule, type ScheduleLength, type ScheduleOptions } from './schedule.ts';
export { SGD, type SGDOptions } from './sgd.ts';
export type { TrainableModel, TrainingBatch } from './training-batch.ts';
export {
  type Share,
  type SharedStepOptions,
  type SharedStepResult,
  type StepContext,
  type StepOptions,
  type StepResult,
  sharedStep,
  trainingStep,
} from './training-step.ts';
export { WeightAverage } from './weight-average.ts';
