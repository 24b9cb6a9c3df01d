import {
  type Backbone,
  BatchNorm,
  Conv2d,
  type FeatureSpec,
  kaimingNormal,
  type Layer,
  Module,
  makeParameter,
  type Parameter,
  type Phase,
  type Pyramid,
  padMap,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * A small MobileNet: a stem, then depthwise-separable blocks that halve the map and widen it. It knows nothing of
 * detection; declaring its `outputs` is all that a detector needs of it.
 * @see Howard et al. 2017 (arXiv:1704.04861)
 */
export class TinyMobileNet extends Module implements Backbone {
  readonly outputs: readonly FeatureSpec[];
  readonly #stem: Layer;
  readonly #blocks: readonly Layer[];

  /** @param widths channels at strides 2, 4, 8, 16 and 32 */
  constructor(widths: readonly [number, number, number, number, number] = [8, 16, 24, 32, 48]) {
    super();
    this.#stem = this.register('stem', new ConvNormRelu(3, widths[0], 3, 2));
    this.#blocks = widths
      .slice(1)
      .map((width, i) => this.register(`blocks.${i}`, new SeparableBlock(widths[i]!, width, 2)));
    this.outputs = widths.slice(1).map((channels, i) => ({ channels, stride: 4 * 2 ** i }));
  }

  forward(images: tf.Tensor4D, phase: Phase = 'predict'): Pyramid {
    return tf.tidy(() => {
      const maps: tf.Tensor4D[] = [];
      let x = this.#stem.forward(images, phase);
      for (const block of this.#blocks) maps.push((x = block.forward(x, phase)));
      return maps;
    });
  }
}

/** One filter per channel, then a 1x1 that mixes the channels. */
class SeparableBlock extends Module implements Layer {
  readonly #filter: Parameter;
  readonly #norm: BatchNorm;
  readonly #mix: ConvNormRelu;
  readonly #stride: number;

  constructor(inChannels: number, outChannels: number, stride: number) {
    super();
    const fans = { fanIn: 9, fanOut: 9 };
    this.#filter = this.register('depthwise', makeParameter([3, 3, inChannels, 1], kaimingNormal(), fans));
    this.#norm = this.register('norm', new BatchNorm(inChannels));
    this.#mix = this.register('mix', new ConvNormRelu(inChannels, outChannels, 1, 1));
    this.#stride = stride;
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      // Padded by hand: TensorFlow's `same` would shift the map when the stride is 2.
      const filtered = tf.depthwiseConv2d(padMap(x, 1), this.#filter.value as tf.Tensor4D, this.#stride, 'valid');
      return this.#mix.forward(tf.relu(this.#norm.forward(filtered, phase)), phase);
    });
  }
}

class ConvNormRelu extends Module implements Layer {
  readonly #conv: Conv2d;
  readonly #norm: BatchNorm;

  constructor(inChannels: number, outChannels: number, kernelSize: number, stride: number) {
    super();
    this.#conv = this.register('conv', new Conv2d(inChannels, outChannels, { kernelSize, stride, bias: false }));
    this.#norm = this.register('norm', new BatchNorm(outChannels));
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => tf.relu(this.#norm.forward(this.#conv.forward(x, phase), phase)));
  }
}
