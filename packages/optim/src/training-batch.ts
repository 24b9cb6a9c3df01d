import type { ParameterOwner, PixelImage, Random, Target } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';

/** Images of one step with what is on them. */
export interface TrainingBatch {
  readonly images: readonly PixelImage[];
  readonly targets: readonly Target[];
  /** Number of the batch in its epoch. A source that leaves batches out must say it; others need not. */
  readonly index?: number | undefined;
  /** Called when the step is done: the images are not looked at again. */
  readonly release?: (() => void) | undefined;
}

/** What a training step needs of a model: parameters, and losses that can be differentiated. Every `Detector` is one. */
export interface TrainableModel extends ParameterOwner {
  /**
   * The losses by name, scalars; their sum is what training lowers.
   * @param random decides which anchors and proposals are sampled
   */
  losses(
    images: readonly PixelImage[],
    targets: readonly Target[],
    options: { readonly random: Random; readonly phase: 'train' | 'predict' },
  ): Promise<Readonly<Record<string, tf.Tensor>>>;
}
