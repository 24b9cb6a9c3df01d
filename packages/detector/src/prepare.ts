import type { DetectorSpec, ImageInput, Target } from '@rcnn/core';
import { readImages } from './images.ts';
import { checkTargets, withoutCrowds } from './targets.ts';
import type { ImageBatch, ModelTransform, TransformOptions } from './transform.ts';

/** What {@link prepareToLearn} needs of a detector. */
export interface Learner {
  readonly transform: ModelTransform;
  readonly spec: Pick<DetectorSpec, 'numClasses' | 'learnsFrom' | 'numKeypoints'>;
}

export interface LearnOptions extends TransformOptions {
  /** Whether crowd regions stay among the targets, for methods that leave out what lies in them. Default false. */
  readonly keepCrowds?: boolean | undefined;
}

/** Images as the backbone sees them, with what is on them. */
export interface LearningBatch extends ImageBatch {
  /** One per image, in pixels of the batch. */
  readonly targets: readonly Target[];
}

/**
 * Images on their way into a detector: read, checked, resized, laid out. The caller disposes `images`.
 * @param where the method, for errors
 * @throws IMAGE_INVALID naming image and pixel
 */
export async function prepare(
  where: string,
  transform: ModelTransform,
  images: readonly ImageInput[],
  options: TransformOptions = {},
): Promise<ImageBatch> {
  return transform.forward(await readImages(where, images), options);
}

/**
 * The same with targets: checked against the detector's `spec` before any arithmetic, then moved with their images.
 * @throws IMAGE_INVALID, TARGET_INVALID, NON_FINITE, BOX_DEGENERATE, LABEL_OUT_OF_RANGE, MASK_SIZE_MISMATCH
 */
export async function prepareToLearn(
  where: string,
  { transform, spec }: Learner,
  images: readonly ImageInput[],
  targets: readonly Target[],
  { keepCrowds = false, ...options }: LearnOptions = {},
): Promise<LearningBatch> {
  const hosts = await readImages(where, images);
  const sizes = hosts.map(({ size }) => size);
  checkTargets(where, targets, sizes, spec);
  const batch = transform.forward(hosts, options);
  const moved = targets.map((target, i) => batch.placements[i]!.toModel(keepCrowds ? target : withoutCrowds(target)));
  return { ...batch, targets: moved };
}
