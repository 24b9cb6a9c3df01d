export { decodeColumns, decodeRows, encodeColumns, encodeRows } from './forms/bitmap.ts';
export { type Contour, contours, polygonsFromRuns } from './forms/contours.ts';
export { runsFromBox, runsFromPolygons } from './forms/polygon.ts';
export { cropRuns, flipRuns, resizeRuns } from './forms/reshape.ts';
export { type CocoMask, Mask } from './mask.ts';
export { type PasteMode, type PasteOptions, pasteMask } from './paste/paste.ts';
export { maskIoU, mergeRuns, runEnds, sharedPixels } from './runs/combine.ts';
export { mergeCompressed } from './runs/merge-strings.ts';
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
} from './runs/runs.ts';
