export type * from './config/options.ts';
export { defaults, presets } from './config/presets.ts';
export {
  architectureOf,
  checkConfig,
  formerNote,
  learningRateOf,
  parseConfig,
  resolveConfig,
} from './config/resolve.ts';
export { jsonSchema } from './config/schema.ts';
export { loadBatch, saveBatch } from './files/failed-batch.ts';
export { RunFolder } from './files/folder.ts';
export { acquireLock, type Lock, lockHolder } from './files/lock.ts';
export { Metrics, type MetricsLine, readMetrics } from './files/metrics.ts';
export {
  loadTrainingState,
  type SaveStateOptions,
  type StepShape,
  saveTrainingState,
  type TrainingState,
} from './files/training-state.ts';
export * from './loop.ts';
export { consoleProgress, duration, type ProgressOptions } from './progress.ts';
export { isTrainingSplit, type TrainingData, validationSplits } from './run/data.ts';
export { type DryRun, dryRun } from './run/dry-run.ts';
export { describeEnvironment } from './run/environment.ts';
export type { Plan } from './run/plan.ts';
export { type Replay, type ReplayedBatch, type ReplayOptions, replay } from './run/replay.ts';
export type { Membership, TrainOptions, TrainResult } from './run/session.ts';
export { StopSignals } from './run/stop-signals.ts';
export { type ConfigParts, resume, train } from './run/train-run.ts';
export { EventWriter, type EventWriterOptions } from './tensorboard/events.ts';
