import type { ImageSize, Objects, ParameterOwner, Phase, Pyramid, Target } from '@rcnn/core';
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

/** Losses by torchvision's names, each a scalar. */
export type BranchLosses = Readonly<Record<string, tf.Scalar>>;

/**
 * One question asked of every region: which class and which box, which mask, which keypoints. A detector has a list
 * of branches; the first must be one that finds (names classes and drops what is none).
 */
export interface RoIBranch extends ParameterOwner {
  /** What the branch learns from the regions that were sampled; on the tape where there is one. */
  losses(features: Pyramid, sampled: readonly SampledRoIs[], targets: readonly Target[], phase: Phase): BranchLosses;
  /**
   * Adds what the branch knows, image by image. Reads the device, hence asynchronous.
   * @param sizes of the resized images, without padding
   */
  detect(features: Pyramid, rois: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]>;
}

/** Cuts regions out of a pyramid: `[R, S, S, C]`, the regions of all images one after the other. */
export interface RoIPooler {
  forward(features: Pyramid, boxes: readonly Float32Array[]): tf.Tensor4D;
}

/** How many regions a batch has. */
export function countRoIs(rois: readonly { readonly boxes: Float32Array }[]): number {
  return rois.reduce((sum, { boxes }) => sum + boxes.length / 4, 0);
}
