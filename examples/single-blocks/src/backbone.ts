import { type Backbone, Conv2d, type FeatureSpec, Module, type Pyramid, type Random } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** Five convolutions: enough for rectangles and discs. Anything with these `outputs` and this `forward` would do. */
export class TinyBackbone extends Module implements Backbone {
  readonly outputs: readonly FeatureSpec[] = [
    { stride: 8, channels: 24 },
    { stride: 16, channels: 32 },
  ];
  readonly #convs: readonly Conv2d[];

  constructor(random: Random) {
    super();
    const channels = [3, 12, 16, 24, 32];
    this.#convs = channels.slice(1).map((outChannels, i) => {
      const options = { kernelSize: 3, stride: 2, activation: 'relu', random } as const;
      return this.register(`conv${i}`, new Conv2d(channels[i]!, outChannels, options));
    });
  }

  forward(images: tf.Tensor4D): Pyramid {
    return tf.tidy(() => {
      const maps: tf.Tensor4D[] = [];
      for (const conv of this.#convs) maps.push(conv.forward(maps.at(-1) ?? images)); // strides 2, 4, 8, 16
      return maps.slice(2);
    });
  }
}
