export { fromFormerNames } from './former-names.ts';
export { giouLoss } from './giou-loss.ts';
export {
  type RetinaNetRecipe,
  type RetinaNetRecipeOptions,
  retinaNetRecipes,
  retinaNetResnet50Fpn,
  retinaNetResnet50FpnV2,
  retinaNetResnetFpn,
  retinaNetSmall,
} from './recipes.ts';
export { retinaNetClassesOf, retinaNetRecipeOf } from './recognise.ts';
export { RetinaNet, type RetinaNetOptions, type RetinaNetParts } from './retinanet.ts';
export { RetinaNetHead, type RetinaNetHeadOptions, type RetinaNetOutputs } from './retinanet-head.ts';
