export { BoxBranch, type BoxBranchOptions, type BoxParts } from './box-branch.ts';
export {
  type BoxHead,
  type BoxHeadOptions,
  type BoxPredictions,
  type BoxPredictor,
  ConvFCHead,
  FastRCNNPredictor,
  TwoFCHead,
} from './box-heads.ts';
export { MaskBranch, type MaskBranchOptions, type MaskParts } from './mask-branch.ts';
export {
  type MaskHead,
  type MaskHeadOptions,
  type MaskPredictor,
  MaskRCNNHeads,
  MaskRCNNPredictor,
} from './mask-heads.ts';
export { RoIHeads, type RoIHeadsOptions } from './roi-heads.ts';
export type { BranchLosses, RoIBranch, RoIPooler, RoIs, SampledRoIs } from './rois.ts';
