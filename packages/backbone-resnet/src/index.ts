export { BasicBlock, type BlockOptions, Bottleneck, type ResidualBlock } from './blocks.ts';
export { type NormChoice, normFactory, ResNet, type ResNetOptions } from './resnet.ts';
export { ResNetStage, type ResNetStageOptions } from './resnet-stage.ts';
export {
  type ResNetDepth,
  type ResNetName,
  type ResNetShape,
  resnetNameOf,
  resnetOfDepth,
  resnets,
  smallBody,
} from './variants.ts';
