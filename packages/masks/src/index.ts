export { decodeColumns, decodeRows, encodeColumns, encodeRows } from './bitmap.ts';
export { maskIoU, mergeRuns, runEnds, sharedPixels } from './combine.ts';
export { type Contour, contours, polygonsFromRuns } from './contours.ts';
export { type CocoMask, Mask } from './mask.ts';
export { mergeCompressed } from './merge-strings.ts';
export { type PasteMode, type PasteOptions, pasteMask } from './paste.ts';
export { runsFromBox, runsFromPolygons } from './polygon.ts';
export { cropRuns, flipRuns, resizeRuns } from './reshape.ts';
export {
  type CompressedMask,
  checkMaskSize,
  MAX_PIXELS,
  malformedCounts,
  parseCounts,
  runsArea,
  runsBox,
  runsFromCounts,
  runsFromString,
  runsToString,
} from './runs.ts';
