import type { Objects, Pyramid } from '@rcnn/core';
import type { FoundObjects } from '@rcnn/detector';
import type * as tf from '@tensorflow/tfjs-core';

/**
 * What is known of the regions of one image, column by column. They come in as proposals, whose scores are objectness
 * and whose labels are 0, and leave as detections.
 */
export type RoIs = FoundObjects;

/** The regions of one image that the losses look at. */
export interface SampledRoIs extends Objects {
  /** `[R * 4]` */
  readonly boxes: Float32Array;
  /** `[R]`: the class of the matched object; 0 is background. */
  readonly labels: Int32Array;
  /** `[R]`: row of the target; -1 for background. */
  readonly matchedIndices: Int32Array;
}

/** Cuts regions out of a pyramid: `[R, S, S, C]`, the regions of all images one after the other. */
export interface RoIPooler {
  forward(features: Pyramid, boxes: readonly Float32Array[]): tf.Tensor4D;
}

/** The labels of the regions of all images, one after the other: `[R]`. */
export function labelsOf(rois: readonly { readonly labels: Int32Array }[]): Int32Array {
  return Int32Array.from(rois.flatMap(({ labels }) => [...labels]));
}

/** How many regions a batch has. */
export function countRoIs(rois: readonly { readonly boxes: Float32Array }[]): number {
  return rois.reduce((sum, { boxes }) => sum + boxes.length / 4, 0);
}
