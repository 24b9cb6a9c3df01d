import type { ImageSize, InstanceMask } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import type { Segmentation } from './records.ts';

/** The mask that a segmentation describes, in an image of this size. Polygons are filled when the mask is first used. */
export function maskOf(segmentation: Segmentation, size: ImageSize): InstanceMask {
  if (segmentation.kind === 'polygons') return Mask.fromPolygons(segmentation.parts, size);
  if (segmentation.kind === 'runs') return Mask.fromRuns(segmentation.runs);
  return Mask.fromRLE({ size: segmentation.size, counts: segmentation.counts });
}
