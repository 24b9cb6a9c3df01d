import {
  BatchNorm,
  type BatchNormFactory,
  Conv2d,
  Module,
  type Norm,
  type PixelImage,
  Random,
  type Target,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { TrainableModel } from '../src/index.ts';

const usual: BatchNormFactory = (channels, options) => new BatchNorm(channels, options);

/**
 * Two convolutions with norms that learn, for images of `toyBatch`. Its loss is a mean over images, so the halves of a batch
 * together have its losses and gradients if their norms share the batch.
 */
export class NormedModel extends Module implements TrainableModel {
  /** How many of its layers a forward pass goes through, from which one. */
  layers: readonly [from: number, to: number] = [0, 2];
  /** Thrown in the middle of the forward pass. */
  error: Error | undefined;
  readonly #layers: readonly (readonly [Conv2d, Norm])[];

  /** @param norm makes its norms */
  constructor(norm: BatchNormFactory = usual, seed = 1) {
    super();
    const random = new Random(seed);
    const layer = (i: number, channels: number): readonly [Conv2d, Norm] => [
      this.register(`conv${i}`, new Conv2d(3, channels, { kernelSize: 1, bias: false, random })),
      this.register(`norm${i}`, norm(channels)),
    ];
    this.#layers = [layer(0, 3), layer(1, 4)];
  }

  // eslint-disable-next-line typescript/require-await
  async losses(images: readonly PixelImage[], targets: readonly Target[]): Promise<Record<string, tf.Tensor>> {
    return tf.tidy(() => {
      let map = tf.stack(images.map(({ data }) => tf.tensor3d([...data], [2, 2, 3]))) as tf.Tensor4D;
      for (const [conv, norm] of this.#layers.slice(...this.layers)) {
        map = tf.relu(norm.forward(conv.forward(map), 'train'));
        if (this.error !== undefined) throw this.error;
      }
      const wanted = tf.tensor1d(targets.map(({ boxes }) => boxes[0] ?? 0));
      return { loss_square: tf.mean(tf.square(tf.sub(tf.mean(map, [1, 2, 3]), wanted))) };
    });
  }
}
