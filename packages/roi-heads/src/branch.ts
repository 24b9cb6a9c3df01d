import type { ImageSize, Losses, ParameterOwner, Pyramid, Target } from '@rcnn/core';
import type { RegionLossOptions, RegionSpec } from './region-heads.ts';
import type { RoIs, SampledRoIs } from './rois.ts';

/** What a branch says of itself: what it adds to what the second stage needs and finds. */
export type BranchSpec = Partial<RegionSpec>;

export interface BranchLossOptions extends Pick<RegionLossOptions, 'phase' | 'random'> {
  /**
   * Told where a branch that moves boxes would move each sampled region for its true class, not clipped: `[R * 4]` of
   * each image, regions of the background unmoved. Only asked for when later branches learn from these boxes.
   */
  readonly onBoxes?: ((boxes: readonly Float32Array[]) => void) | undefined;
}

/**
 * Asks a network about the regions of all images together, and reads its answer back; never called without a region.
 * A branch that is given one detects without tensors: so compiled models do.
 */
export type AskRegions<Answer> = (regions: readonly Pick<RoIs, 'boxes' | 'labels'>[]) => Promise<Answer>;

/**
 * One question asked of every region: which class and which box, which mask, which key points. A detector has a list
 * of branches; the first must be one that finds (names classes and drops what is none).
 */
export interface RoIBranch extends ParameterOwner {
  readonly spec: BranchSpec;
  /**
   * What the branch learns from the regions that were sampled, by names that no other branch has; on the tape where
   * there is one. It may await, and owns what it makes between two awaits, also when it throws.
   * @param targets in pixels of the batch
   */
  losses(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    options: BranchLossOptions,
  ): Losses | Promise<Losses>;
  /**
   * Adds what the branch knows, image by image. Reads the device, hence asynchronous.
   * @param sizes of the part of the batch that each image fills
   */
  detect(features: Pyramid, rois: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]>;
}
