export * from '@rcnn/backbone-mobilenet';
export * from '@rcnn/backbone-resnet';
export * from '@rcnn/backbone-vgg';
export * from '@rcnn/boxes';
export * from '@rcnn/core';
export * from '@rcnn/detector';
export * from '@rcnn/fpn';
export * from '@rcnn/masks';
export * from '@rcnn/roi-align';
export * from '@rcnn/roi-heads';
export * from '@rcnn/rpn-anchors';
export { architecture, architectures } from './architectures.ts';
export { type CascadeOptions, cascadeHeads } from './cascade-rcnn.ts';
export { type ExplainedObject, type ExplainedStep, type ExplainOptions, explain } from './explain.ts';
export { FasterRCNN, type FasterRCNNOptions, pyramidRoIAlign } from './faster-rcnn.ts';
export {
  architectureOf,
  classesOf,
  detectorFromCheckpoint,
  type FromCheckpointOptions,
  keypointsOf,
  type LoadedDetector,
  optionsForWeights,
} from './from-checkpoint.ts';
export { GeneralizedRCNN, type ProposalNetwork, type RCNNParts } from './generalized-rcnn.ts';
export { htcHeads } from './htc.ts';
export { KeypointRCNN, type KeypointRCNNOptions } from './keypoint-rcnn.ts';
export { MaskRCNN, type MaskRCNNOptions } from './mask-rcnn.ts';
export {
  fasterRcnnMobileNetV3Large320Fpn,
  fasterRcnnMobileNetV3LargeFpn,
  maskRcnnMobileNetV3Large320Fpn,
  maskRcnnMobileNetV3LargeFpn,
} from './mobile-net-fpn.ts';
export { fasterRcnnVgg16, fasterRcnnVgg16Bn, maskRcnnVgg16, maskRcnnVgg16Bn } from './on-vgg.ts';
export {
  cascadeMaskRcnnResnetFpn,
  cascadeRcnnResnetFpn,
  cascadeSmall,
  fasterRcnnResnet50Fpn,
  fasterRcnnResnet50FpnV2,
  fasterRcnnResnetFpn,
  htcResnetFpn,
  htcSmall,
  keypointRcnnResnet50Fpn,
  keypointRcnnResnetFpn,
  keypointRcnnSmall,
  maskRcnnResnet50Fpn,
  maskRcnnResnet50FpnV2,
  maskRcnnResnetFpn,
  maskRcnnSmall,
  pointRendResnetFpn,
  pointRendSmall,
  type Recipe,
  type RecipeOptions,
} from './recipes.ts';
export { rfcnResnet } from './rfcn.ts';
export {
  fasterRcnnResnetC4,
  fasterRcnnResnetC5,
  fasterRcnnResnetDC5,
  maskRcnnResnetC4,
  maskRcnnResnetC5,
  maskRcnnResnetC5Voc,
  maskRcnnResnetDC5,
} from './single-map.ts';
