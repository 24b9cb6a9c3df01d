import { Conv2d, type Layer, Module, type Random, resizeBilinear, xavierUniform } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export interface ProtoNetOptions {
  readonly inChannels: number;
  /** Channels inside. Default 256. */
  readonly channels?: number | undefined;
  /** Prototypes of an image. Default 32. */
  readonly numPrototypes?: number | undefined;
  readonly random?: Random | undefined;
}

/**
 * The prototypes of an image: maps out of which every mask is mixed. `[N, H, W, C]`, the finest level of a pyramid, to
 * `[N, 2H, 2W, k]`, none negative. Parameters carry the authors' numbers: 0, 2, 4 before the resize, 8 and 10 after it.
 * @see Bolya et al. 2019, section 3.1 and figure 3 (arXiv:1904.02689)
 */
export class ProtoNet extends Module implements Layer {
  readonly numPrototypes: number;
  readonly #before: readonly Conv2d[];
  readonly #after: readonly Conv2d[];

  constructor({ inChannels, channels = 256, numPrototypes = 32, random }: ProtoNetOptions) {
    super();
    const conv = (name: number, from: number, to: number, kernelSize: number): Conv2d => {
      const options = { kernelSize, activation: 'relu', initialiser: xavierUniform(), random } as const;
      return this.register(`${name}`, new Conv2d(from, to, options));
    };
    this.numPrototypes = numPrototypes;
    this.#before = [0, 2, 4].map((name, i) => conv(name, i === 0 ? inChannels : channels, channels, 3));
    this.#after = [conv(8, channels, channels, 3), conv(10, channels, numPrototypes, 1)];
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    const [, height, width] = x.shape;
    return tf.tidy(() => {
      const small = through(this.#before, x);
      return through(this.#after, resizeBilinear(small, [2 * height, 2 * width]));
    });
  }
}

function through(layers: readonly Conv2d[], x: tf.Tensor4D): tf.Tensor4D {
  return layers.reduce((map, layer) => layer.forward(map), x);
}
