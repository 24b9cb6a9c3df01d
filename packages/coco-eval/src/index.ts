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
export {
  type ClassificationReport,
  type ClassRates,
  classificationReport,
  classificationReportTable,
  type ReportOptions,
} from './analysis/report.ts';
export type { BestThreshold, Rates } from './analysis/thresholds.ts';
export { evaluateVOC, type VOCEvaluation, type VOCOptions } from './analysis/voc.ts';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export type { AreaRange, EvalParams, IoUType, ResolvedParams } from './params.ts';
export { confusionPlot } from './plots/confusion-matrix.ts';
export { errorPlot } from './plots/error-bars.ts';
export { precisionRecallPlot } from './plots/precision-recall.ts';
export type { DetectionReading } from './read/builders.ts';
export type { Detections, GroundTruth, Keypoints } from './read/columns.ts';
export {
  type CocoAnnotation,
  type CocoDataset,
  type CocoResult,
  detectionsFrom,
  groundTruthFrom,
} from './read/from-json.ts';
export type { Id, Ids } from './read/ids.ts';
export { parseDetections, parseGroundTruth } from './read/parse.ts';
export type { Segmentation, Segmentations } from './read/segmentations.ts';
export type { EvalArrays } from './score/arrays.ts';
export { type ArrayDigests, arrayDigests, littleEndian } from './score/digests.ts';
export { statNames } from './score/summary.ts';
export { type ImageResult, StreamingEvaluator } from './streaming.ts';
