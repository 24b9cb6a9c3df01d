export { type EvaluateFilesOptions, evaluateFiles, readDetections, readGroundTruth } from './files.ts';
