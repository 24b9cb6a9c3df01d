export { bicubicResize, bicubicTaps, type Taps } from './bicubic.ts';
export type { BoxAnswers } from './box-answers.ts';
export { BoxBranch, type BoxBranchOptions, type BoxParts } from './box-branch.ts';
export {
  type BoxHead,
  type BoxHeadOptions,
  type BoxPredictions,
  type BoxPredictor,
  type BoxPredictorOptions,
  ConvFCHead,
  FastRCNNPredictor,
  TwoFCHead,
  type WritableBoxPredictor,
} from './box-heads.ts';
export type { AskRegions, BranchLossOptions, BranchSpec, RoIBranch } from './branch.ts';
export { CascadeHeads, type CascadeHeadsOptions, type CascadeParts, type CascadeStageParts } from './cascade-heads.ts';
export { KeypointBranch, type KeypointBranchOptions, type KeypointParts } from './keypoint-branch.ts';
export { decodeKeypoints, type KeypointScore } from './keypoint-decode.ts';
export {
  type KeypointHead,
  type KeypointHeadOptions,
  type KeypointPredictor,
  KeypointRCNNHeads,
  KeypointRCNNPredictor,
} from './keypoint-heads.ts';
export { keypointLoss } from './keypoint-loss.ts';
export { encodeKeypoints, type KeypointTargets, matchedKeypoints } from './keypoint-targets.ts';
export { MaskBranch, type MaskBranchOptions, type MaskParts } from './mask-branch.ts';
export {
  type MaskHead,
  type MaskHeadOptions,
  type MaskPredictor,
  MaskRCNNHeads,
  MaskRCNNPredictor,
  type WritableMaskPredictor,
} from './mask-heads.ts';
export {
  hardest,
  PositionSensitiveHeads,
  type PositionSensitiveOptions,
  type RegionTruth,
  regionLosses,
} from './position-sensitive-heads.ts';
export { masksFor, onlyPositives } from './positives.ts';
export { refineBoxes, splitRows } from './refine-boxes.ts';
export type { RegionHeads, RegionLossOptions, RegionSpec } from './region-heads.ts';
export { boxRegressionLoss, type RegressionLossOptions } from './regression-loss.ts';
export { Res5Heads, type Res5HeadsOptions, type Res5Parts } from './res5-heads.ts';
export { RoIHeads, type RoIHeadsOptions } from './roi-heads.ts';
export { countRoIs, labelsOf, type RoIPooler, type RoIs, type SampledRoIs } from './rois.ts';
export { matchedBoxes, matchRegions, type SampleRegionsOptions, sampleRegions } from './sample-regions.ts';
export { scaleGradient } from './scale-gradient.ts';
export { type RegionPredictions, type SelectionRules, selectDetections } from './select-detections.ts';
