import type { ImageSize } from '@rcnn/core';
import { type CropWindow, forEachInside } from './crop.ts';

/** The prototypes of one image. */
export interface PrototypeMaps {
  /** `[height * width * k]`, row-major, the k values of a cell together. */
  readonly values: Float32Array;
  /** `[height, width]` in cells. */
  readonly size: ImageSize;
}

/**
 * The mask of one object: how probable each cell is, from its prototypes weighed by the object's coefficients; 0 outside
 * of the window. `[height * width]`.
 * @see Bolya et al. 2019, equation 1 (arXiv:1904.02689)
 */
export function assembleMask(
  { values, size: [height, width] }: PrototypeMaps,
  coefficients: Float32Array,
  window: CropWindow,
): Float32Array {
  const count = coefficients.length;
  const mask = new Float32Array(height * width);
  forEachInside(window, width, (cell) => {
    let sum = 0;
    for (let k = 0, at = cell * count; k < count; k++, at++) sum += values[at]! * coefficients[k]!;
    mask[cell] = 1 / (1 + Math.exp(-sum));
  });
  return mask;
}
