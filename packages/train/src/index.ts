export type * from './config/options.ts';
export { defaults, presets } from './config/presets.ts';
export { learningRateOf, parseConfig, resolveConfig } from './config/resolve.ts';
export { jsonSchema } from './config/schema.ts';
export * from './loop.ts';
export { consoleProgress, duration, type ProgressOptions } from './progress.ts';
export { validationSplit } from './run/data.ts';
export { describeEnvironment } from './run/environment.ts';
export { loadBatch, saveBatch } from './run/failed-batch.ts';
export { RunFolder } from './run/folder.ts';
export { acquireLock, type Lock } from './run/lock.ts';
export { Metrics, type MetricsLine, readMetrics } from './run/metrics.ts';
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
