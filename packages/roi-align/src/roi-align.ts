import { requireNumbers } from '@rcnn/boxes';
import { RcnnError } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';
import { alignRoIs } from './align-rois.ts';
import type { PlacedRoIs } from './placed-rois.ts';

export interface RoIAlignOptions {
  /** Height and width of the result, or one number for both. */
  readonly outputSize: number | readonly [height: number, width: number];
  /** Pixels times this are cells of the map. Default 1. */
  readonly spatialScale?: number;
  /** Sample points per bin and axis; 0 (adaptive) takes `ceil(RoI size / output size)`. Default 0. */
  readonly samplingRatio?: number;
  /** Shift by half a cell, and allow RoIs below one cell. Default false, as torchvision's models. */
  readonly aligned?: boolean;
}

/**
 * RoIAlign: reads each RoI off a map by bilinear interpolation, without rounding. `[R, h, w, C]`. The gradient goes to
 * the features only, never to the boxes.
 * @param features `[N, H, W, C]`
 * @param rois `[R * 5]`: index of the image, `x1, y1, x2, y2` in pixels; none is a normal value
 * @see He et al. 2017, section 3 (arXiv:1703.06870)
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT
 */
export function roiAlign(
  features: tf.Tensor4D,
  rois: Float32Array,
  { outputSize, spatialScale = 1, samplingRatio = 0, aligned = false }: RoIAlignOptions,
): tf.Tensor4D {
  const [height, width] = sizeOf(outputSize);
  const placed = placeOnOneMap('roiAlign', rois, features.shape[0]);
  return alignRoIs([features], [spatialScale], placed, { height, width, samplingRatio, aligned });
}

/** One number means a square. */
export function sizeOf(size: number | readonly [number, number]): readonly [number, number] {
  return typeof size === 'number' ? [size, size] : size;
}

/** As C's `round`: `Math.round` takes halves upwards, so it differs below zero. */
export function roundHalfAway(x: number): number {
  return Math.sign(x) * Math.round(Math.abs(x));
}

/** Splits `[R * 5]` RoIs into boxes and images. @throws SHAPE_MISMATCH, INVALID_ARGUMENT */
export function placeOnOneMap(where: string, rois: Float32Array, images: number): PlacedRoIs {
  requireNumbers(rois, where, 'rois');
  if (rois.length % 5 !== 0) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where,
      problem: 'RoIs are five numbers each: the index of the image, then x1, y1, x2, y2',
      found: `${rois.length} numbers`,
    });
  }
  const count = rois.length / 5;
  const boxes = new Float32Array(count * 4);
  const ofImage = new Int32Array(count);
  for (let r = 0; r < count; r++) {
    const image = rois[r * 5]!;
    if (!(Number.isInteger(image) && image >= 0 && image < images)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where,
        place: `RoI ${r}`,
        problem: 'the batch has no such image',
        found: String(image),
        expected: `0 to ${images - 1}`,
      });
    }
    ofImage[r] = image;
    boxes.set(rois.subarray(r * 5 + 1, r * 5 + 5), r * 4);
  }
  return { count, boxes, images: ofImage, levels: new Int32Array(count) };
}
