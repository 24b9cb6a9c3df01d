export {
  type Architecture,
  detectorFromCheckpoint,
  type FromCheckpointOptions,
  type LoadedDetector,
} from '@rcnn/models';
export * from '@rcnn/two-stage';
export type { Load, LoadOptions, MaskWeights, Weights } from './load/load.ts';
export { namedClasses } from './load/named-classes.ts';
export type { CanvasLike, Photo, PixelsRGBA } from './load/photo.ts';
export {
  type DetectPhotoOptions,
  type Found,
  leastScore,
  type MaskPhotoDetector,
  type PhotoDetector,
} from './load/photo-detector.ts';
