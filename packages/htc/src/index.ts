export { BestBoxMatcher } from './best-box-matcher.ts';
export { type BoxStageParts, HTCHeads, type HTCHeadsOptions, type HTCParts } from './htc-heads.ts';
export { MaskCascade, type MaskStageParts } from './mask-cascade.ts';
export { SemanticBranch, type SemanticBranchOptions, type SemanticMaps } from './semantic-branch.ts';
export { IGNORED, labelsOfMasks, type SemanticGrid, type SemanticLabels, semanticLoss } from './semantic-labels.ts';
