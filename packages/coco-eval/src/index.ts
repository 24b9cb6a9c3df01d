export type { EvalArrays } from './accumulate.ts';
export type { Detections, GroundTruth, Keypoints } from './columns.ts';
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
export type { Segmentation, Segmentations } from './segmentations.ts';
