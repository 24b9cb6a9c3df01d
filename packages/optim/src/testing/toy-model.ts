import { Linear, Module, type PixelImage, Random, type Target } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { TrainableModel, TrainingBatch } from '../training-batch.ts';

/**
 * A model small enough for any engine, to test training with: two dense layers that guess the mean of an image of 2 x 2
 * pixels, with a random dropout, so that a run repeats only if its random stream does.
 */
export class ToyModel extends Module implements TrainableModel {
  readonly first: Linear;
  readonly second: Linear;

  constructor(seed = 1) {
    super();
    const random = new Random(seed);
    this.first = this.register('first', new Linear(12, 8, { random }));
    this.second = this.register('second', new Linear(8, 1, { random }));
  }

  // eslint-disable-next-line typescript/require-await
  async losses(
    images: readonly PixelImage[],
    targets: readonly Target[],
    { random }: { readonly random: Random },
  ): Promise<Record<string, tf.Tensor>> {
    return tf.tidy(() => {
      const x = tf.tensor2d(images.map(({ data }) => [...data])); // [N, 12]
      const keep = tf.tensor2d([Array.from({ length: 8 }, () => (random.chance(0.8) ? 1 : 0))]);
      const hidden = tf.mul(tf.relu(this.first.forward(x)), keep) as tf.Tensor2D;
      const wanted = tf.tensor2d(targets.map(({ boxes }) => [boxes[0] ?? 0]));
      const error = tf.sub(this.second.forward(hidden), wanted);
      return { loss_square: tf.mean(tf.square(error)), loss_small: tf.mul(tf.mean(tf.abs(error)), 0.1) };
    });
  }
}

/** A batch for {@link ToyModel}: a function of epoch and number, as batches of real data are. */
export function toyBatch(epoch: number, index: number, batchSize = 2): TrainingBatch {
  const random = new Random(5).fork('data', epoch, index);
  const images = Array.from({ length: batchSize }, (): PixelImage => {
    const data = Float32Array.from({ length: 12 }, () => random.uniform());
    return { data, height: 2, width: 2, channels: 3 };
  });
  const targets = images.map(({ data }, i) => ({
    boxes: Float32Array.of([...data].reduce((sum, value) => sum + value, 0) / 12, 0, 1, 1),
    labels: Int32Array.of(1),
    imageId: `${epoch}-${index}-${i}`,
  }));
  return { images, targets };
}
