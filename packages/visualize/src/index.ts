export { type Annotator, defaultLineWidth } from './annotators/annotator.ts';
export { type BoxAnnotatorOptions, boxAnnotator } from './annotators/box.ts';
export { type ContourAnnotatorOptions, contourAnnotator } from './annotators/contour.ts';
export {
  cocoSkeleton,
  type KeypointAnnotatorOptions,
  keypointAnnotator,
} from './annotators/keypoint.ts';
export { type LabelAnnotatorOptions, labelAnnotator } from './annotators/label.ts';
export { type MaskAnnotatorOptions, maskAnnotator } from './annotators/mask.ts';
export * from './canvas.ts';
export { drawImage } from './image.ts';
export { type Color, type ColorBy, colorDistance, cssColor, paletteColor, readableOn } from './palette.ts';
export * from './scene.ts';
export * from './sheet.ts';
export * from './six-panels.ts';
