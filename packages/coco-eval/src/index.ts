export type { EvalArrays } from './accumulate.ts';
export { type ConfusionMatrix, type ConfusionOptions, confusionMatrix } from './analysis/confusion.ts';
export { type PrecisionRecallCurve, precisionRecallCurve } from './analysis/curves.ts';
export {
  ERROR_KINDS,
  type ErrorBreakdown,
  type ErrorKind,
  type ErrorOptions,
  errorBreakdown,
} from './analysis/errors.ts';
export type { AnalysisOptions } from './analysis/pairs.ts';
export { type ClassScore, perClass, perClassTable } from './analysis/per-class.ts';
export { evaluateVOC, type VOCEvaluation, type VOCOptions } from './analysis/voc.ts';
export type { DetectionReading } from './builders.ts';
export type { Detections, GroundTruth, Keypoints } from './columns.ts';
export { type ArrayDigests, arrayDigests, littleEndian } from './digests.ts';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export {
  type CocoAnnotation,
  type CocoDataset,
  type CocoResult,
  detectionsFrom,
  groundTruthFrom,
} from './from-json.ts';
export type { AreaRange, EvalParams, IoUType, ResolvedParams } from './params.ts';
export { parseDetections, parseGroundTruth } from './parse.ts';
export { errorPlot } from './plots/error-bars.ts';
export { precisionRecallPlot } from './plots/precision-recall.ts';
export type { Segmentation, Segmentations } from './segmentations.ts';
export { type ImageResult, StreamingEvaluator } from './streaming.ts';
