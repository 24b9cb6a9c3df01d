export type * from './config/options.ts';
export { defaults, presets } from './config/presets.ts';
export { learningRateOf, parseConfig, resolveConfig } from './config/resolve.ts';
export { jsonSchema } from './config/schema.ts';
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
export { consoleProgress, duration, type ProgressOptions } from './progress.ts';
export { validationSplit } from './run/data.ts';
export { describeEnvironment } from './run/environment.ts';
export { type Example, evaluateModel, type ModelEvaluation, type ModelEvaluationOptions } from './run/evaluate.ts';
export { loadBatch, saveBatch } from './run/failed-batch.ts';
export { RunFolder } from './run/folder.ts';
export { acquireLock, type Lock } from './run/lock.ts';
export { Metrics, type MetricsLine, readMetrics } from './run/metrics.ts';
export type * from './run/records.ts';
export { type Replay, type ReplayedBatch, type ReplayOptions, replay } from './run/replay.ts';
export { StopSignals } from './run/stop-signals.ts';
export { resume, type TrainOptions, type TrainResult, train } from './run/train-run.ts';
export {
  loadTrainingState,
  type SaveStateOptions,
  saveTrainingState,
  type TrainingState,
} from './run/training-state.ts';
export { EventWriter, type EventWriterOptions } from './tensorboard/events.ts';
