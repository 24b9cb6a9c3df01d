import type { DetectorSpec, ImageSize, Losses, ParameterOwner, Phase, Pyramid, Random, Target } from '@rcnn/core';
import type { RoIs } from './rois.ts';

/** What the second stage says of itself; the detector's own spec has it too. Names without the stage's prefix. */
export type RegionSpec = Omit<DetectorSpec, 'input' | 'bytesOfStep'>;

export interface RegionLossOptions {
  /** Of the part of the batch that each image fills: boxes are clipped to it. */
  readonly sizes: readonly ImageSize[];
  readonly phase: Phase;
  /** Draws the sample. */
  readonly random: Random;
}

/**
 * The second stage: says what is where proposals are. {@link RoIHeads} is one. Both methods are asynchronous, so a
 * stage may read what another has refined back from the device, and both are called outside of `tf.tidy`: they own what
 * they make between two awaits, also when they throw.
 */
export interface RegionHeads extends ParameterOwner {
  readonly spec: RegionSpec;
  /** Turns the proposals of each image into detections, in pixels of the batch. */
  detect(features: Pyramid, proposals: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]>;
  /**
   * What the stage learns; on the tape where there is one. The caller disposes the scalars.
   * @param proposals `[P * 4]` of each image
   * @param targets in pixels of the batch
   */
  losses(
    features: Pyramid,
    proposals: readonly Float32Array[],
    targets: readonly Target[],
    options: RegionLossOptions,
  ): Promise<Losses>;
}
