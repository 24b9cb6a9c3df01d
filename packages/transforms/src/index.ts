export * from './copy-paste.ts';
export * from './crops.ts';
export * from './geometric.ts';
export {
  boxesFromMasks,
  COCO_KEYPOINT_FLIP,
  clipBox,
  cropScene,
  flipScene,
  invert,
  isVisible,
  MIN_SIDE,
  resizeScene,
  sceneProblem,
  warpScene,
  withObjects,
} from './geometry.ts';
export { PatchMask, type Projection, project, type Window } from './patch-mask.ts';
export * from './photometric.ts';
export { type Color, MEAN_COLOR, type ResizeOptions, resizePixels, toFloats } from './pixels.ts';
export * from './presets.ts';
export * from './scene.ts';
