export { type EvaluateFilesOptions, evaluateFiles, readDetections, readGroundTruth } from './files.ts';
export { evaluateWithWorkers, type WorkersOptions } from './workers.ts';
