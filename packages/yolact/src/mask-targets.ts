import type { ImageSize, InstanceMask } from '@rcnn/core';
import { resizeAxis, resizeMap } from '@rcnn/detector';

/** A mask on a coarser map: bilinear, 1 where it is above a half, else 0. `[height * width]`, row-major. */
export function maskTarget(mask: InstanceMask, [height, width]: ImageSize): Float32Array {
  const [oldHeight, oldWidth] = mask.size;
  const values = Float32Array.from(mask.bitmap());
  const rows = resizeAxis(oldHeight, height);
  return resizeMap(values, oldWidth, rows, resizeAxis(oldWidth, width)).map((value) => (value > 0.5 ? 1 : 0));
}

/**
 * Where each class is, for the semantic loss: `[height * width * (numClasses - 1)]`, row-major, the classes of a cell
 * together.
 */
export function semanticTarget(
  masks: readonly InstanceMask[],
  labels: Int32Array,
  size: ImageSize,
  numClasses: number,
): Float32Array {
  const classes = numClasses - 1;
  const target = new Float32Array(size[0] * size[1] * classes);
  for (const [object, mask] of masks.entries()) {
    for (const [cell, value] of maskTarget(mask, size).entries()) {
      if (value === 1) target[cell * classes + labels[object]! - 1] = 1;
    }
  }
  return target;
}
