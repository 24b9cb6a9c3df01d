import type { ParameterOwner, PixelImage, Random, Target } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';

/** Images of one step with what is on them. */
export interface TrainingBatch {
  readonly images: readonly PixelImage[];
  readonly targets: readonly Target[];
  /** Number of the batch in its epoch. A source that leaves batches out must tell; others need not. */
  readonly index?: number;
  /** Called when the step is done: the images are not looked at again. */
  readonly release?: () => void;
}

/** What the training loop needs of a model: parameters, and losses that can be differentiated. */
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

/** Where batches come from. The same epoch and position always give the same batch: that is what makes resume exact. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  /** The batches of one epoch from number `first` on. Ending the iteration early stops the source's work. */
  batches(epoch: number, first: number): AsyncIterable<TrainingBatch>;
  close?(): Promise<void>;
}
