import type { ImageSize, InstanceMask } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import type { Segmentation } from './records.ts';

/** The mask that a segmentation describes, in an image of this size. Polygons are filled when the mask is first used. */
export function maskOf(segmentation: Segmentation, size: ImageSize): InstanceMask {
  if (segmentation.kind === 'polygons') return Mask.fromPolygons(segmentation.parts, size);
  if (segmentation.kind === 'runs') return Mask.fromRuns(segmentation.runs);
  return Mask.fromRLE({ size: segmentation.size, counts: segmentation.counts });
}

/** The outlines of a segmentation, flat `x, y, …` lists in pixels: as annotated, or along the edges of a mask's pixels. */
export function partsOf(segmentation: Segmentation): readonly ArrayLike<number>[] {
  if (segmentation.kind === 'polygons') return segmentation.parts;
  const { size } = segmentation.kind === 'runs' ? segmentation.runs : segmentation;
  return Mask.fromRuns(maskOf(segmentation, size).runLengths()).polygons();
}
