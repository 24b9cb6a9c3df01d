import './autograd/register.ts';

export { isRecording, withoutGradients } from './autograd/engine-internals.ts';
export type { FusedActivation } from './autograd/fused-gradients.ts';
export { gradientsRegistered } from './autograd/register.ts';
export { type ValueAndGradients, valueAndGradients } from './autograd/tape.ts';
export type * from './detector.ts';
export * from './engine/index.ts';
export {
  type ErrorCode,
  type ErrorDetails,
  isRcnnError,
  printable,
  printableLines,
  quoteName,
  RcnnError,
  shortened,
} from './errors.ts';
export * from './graph.ts';
export { concatFloats, hostTensors, hostValues, tensorsAreOnHost } from './host-memory.ts';
export { idleLoss, zeroOf } from './idle-loss.ts';
export * from './initialisers.ts';
export { type BackboneStep, forwardThrough, graphThrough } from './layers/backbone-steps.ts';
export { ConvNorm } from './layers/conv-norm.ts';
export { ConvTranspose2d, type ConvTranspose2dOptions } from './layers/conv-transpose2d.ts';
export { Conv2d, type Conv2dOptions } from './layers/conv2d.ts';
export { DeformConv2d, type DeformConv2dOptions } from './layers/deform-conv2d.ts';
export { Linear, type LinearOptions } from './layers/linear.ts';
export { makeParameter, seedLayers, withoutInitialising } from './layers/make-parameter.ts';
export {
  type Affine,
  BatchNorm,
  type BatchNormFactory,
  type BatchNormOptions,
  FrozenBatchNorm,
  GroupNorm,
  type Norm,
  type NormFactory,
} from './layers/norms.ts';
export * from './module.ts';
export { mergeLosses, mergeNamed } from './named.ts';
export { type Objects, rowsWhere, takeObjects } from './objects.ts';
export { addRelu } from './ops/add-relu.ts';
export { type ConvolutionOptions, convolution, padMap } from './ops/convolution.ts';
export { type DeformGeometry, deformColumns } from './ops/deform-columns.ts';
export { linear } from './ops/linear.ts';
export { maxPool2d } from './ops/max-pool.ts';
export { type ResizeBilinearOptions, resizeBilinear } from './ops/resize-bilinear.ts';
export type { GradientSums, PartMoments, SharedBatch } from './ops/shared-batch-norm.ts';
export { takeRows } from './ops/take-rows.ts';
export * from './parameter.ts';
export * from './random.ts';
export type * from './types.ts';
