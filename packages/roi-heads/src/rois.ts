import type { ImageSize, InstanceMask, ParameterOwner, Phase, Pyramid } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';

/** What is known of the regions of one image. They come in as proposals and leave as detections. Host memory. */
export interface RoIs {
  /** `[R * 4]`: `x1, y1, x2, y2` in pixels of the resized image. */
  readonly boxes: Float32Array;
  /** `[R]`: the objectness of a proposal, the class score of a detection. */
  readonly scores: Float32Array;
  /** `[R]`: 0 until a branch has named the class. */
  readonly labels: Int32Array;
  /** R soft masks, row-major, one side of 28 cells squared each; there when a mask branch ran. */
  readonly masks?: readonly Float32Array[];
}

/** The objects of one image as the branches learn them: in pixels of the resized image. */
export interface RoITarget {
  readonly boxes: Float32Array;
  readonly labels: Int32Array;
  /** One per box, of the resized image's size. */
  readonly masks?: readonly InstanceMask[];
}

/** The regions of one image that the losses look at. */
export interface SampledRoIs {
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
  losses(features: Pyramid, sampled: readonly SampledRoIs[], targets: readonly RoITarget[], phase: Phase): BranchLosses;
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
