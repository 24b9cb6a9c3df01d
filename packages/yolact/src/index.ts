export { assembleMask, type PrototypeMaps } from './assemble-mask.ts';
export { fromAuthorsNames, hasAuthorsNames } from './authors-names.ts';
export { type CropWindow, cropWindow } from './crop.ts';
export { crossClassNms, type FastNmsOptions, fastNms, type NmsResult } from './fast-nms.ts';
export { maskIoULoss, type RatedMasks } from './mask-iou-loss.ts';
export { MaskIoUNet, type MaskIoUNetOptions } from './mask-iou-net.ts';
export { type MaskTruth, maskLoss } from './mask-loss.ts';
export {
  BACKGROUND,
  type MatchOptions,
  matchPriors,
  NEUTRAL,
  type PriorMatch,
  type PriorTruth,
} from './match-priors.ts';
export { mineNegatives } from './mine-negatives.ts';
export { PredictionHead, type PredictionHeadOptions, type Predictions } from './prediction-head.ts';
export { decodeBoxes, encodeBoxes } from './prior-coder.ts';
export { makePriors, type PriorOptions, type Priors, priorBoxes } from './priors.ts';
export { ProtoNet, type ProtoNetOptions } from './proto-net.ts';
export {
  type YOLACTRecipe,
  type YOLACTRecipeOptions,
  yolactPlusResnetFpn,
  yolactPlusSmall,
  yolactRecipes,
  yolactResnet50Fpn,
  yolactResnet101Fpn,
  yolactResnetFpn,
  yolactSmall,
} from './recipes.ts';
export { yolactClassesOf, yolactRecipeOf } from './recognise.ts';
export { YOLACT, type YOLACTOptions } from './yolact.ts';
