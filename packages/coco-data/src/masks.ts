import type { ImageSize, InstanceMask } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import type { Segmentation } from './records.ts';

/** The mask that a segmentation describes, in an image of this size. Polygons are filled when the mask is first used. */
export function maskOf(segmentation: Segmentation, size: ImageSize): InstanceMask {
  switch (segmentation.kind) {
    case 'polygons':
      return Mask.fromPolygons(segmentation.parts, size);
    case 'runs':
      return Mask.fromRuns(segmentation.runs);
    case 'rle':
      return Mask.fromRLE({ size: segmentation.size, counts: segmentation.counts });
  }
}
