export { type AssignOptions, assignToGrids, type GridTruth, type LevelTruth } from './assign.ts';
export { type Axes, coordinates, withCoordinates } from './coordinates.ts';
export { diceLoss } from './dice-loss.ts';
export { type CellRange, cellOf, cellsAround } from './grid-cells.ts';
export type { HeadOutputs, LocationHead } from './head.ts';
export { type GridLevel, gridLevels, LEVELS } from './levels.ts';
export { categoryLoss, maskLoss } from './location-losses.ts';
export { MaskFeatureBranch, type MaskFeatureOptions } from './mask-feature-branch.ts';
export { type Bitmap, centerOfMass, shrinkMask } from './mask-targets.ts';
export { type MatrixNmsOptions, matrixNms, type PackedMasks, packMasks } from './matrix-nms.ts';
export { fromOriginNames, ownName } from './origin-names.ts';
export { pointsNms } from './points-nms.ts';
export {
  decoupledSoloResnetFpn,
  type SOLORecipe,
  type SOLORecipeOptions,
  soloRecipes,
  soloResnetFpn,
  soloV2ResnetFpn,
  soloV2Small,
} from './recipes.ts';
export { soloClassesOf, soloRecipeOf } from './recognise.ts';
export { type SelectedObjects, type SelectOptions, selectObjects } from './select-objects.ts';
export { SOLO, type SOLOOptions, type SOLOParts } from './solo.ts';
export { DecoupledSOLOHead, SOLOHead, type SOLOHeadOptions } from './solo-heads.ts';
export { SOLOv2Head, type SOLOv2HeadOptions } from './solov2-head.ts';
