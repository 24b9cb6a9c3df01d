import {
  Conv2d,
  ConvNorm,
  GroupNorm,
  type Initialiser,
  type Layer,
  Module,
  normal,
  type Phase,
  type Random,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** What every layer of the heads begins with. */
export const FIRST_WEIGHTS: Initialiser = normal(0.01);

/** What the layers of a head have in common. */
export interface LayerOptions {
  /** Of the group norms. Default 32. */
  readonly groups?: number | undefined;
  /** First weights of the convolutions before a norm. Default normal with deviation 0.01. */
  readonly initialiser?: Initialiser | undefined;
  readonly random?: Random | undefined;
}

/** A convolution without bias, group norm, ReLU; parameters `conv` and `gn`. */
export class ConvGroupNorm extends Module implements Layer {
  readonly #unit: ConvNorm;

  constructor(inChannels: number, outChannels: number, options: LayerOptions & { readonly kernelSize: number }) {
    super();
    const { groups = 32, initialiser = FIRST_WEIGHTS, kernelSize, random } = options;
    const settings = { kernelSize, bias: false, initialiser, random };
    const conv = this.register('conv', new Conv2d(inChannels, outChannels, settings));
    this.#unit = new ConvNorm(conv, this.register('gn', new GroupNorm(outChannels, { groups })), 'relu');
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return this.#unit.forward(x, phase);
  }

  override dispose(): void {
    this.#unit.dispose();
    super.dispose();
  }
}

export interface TowerOptions extends LayerOptions {
  /** Of the maps that come in, coordinates included. */
  readonly inChannels: number;
  readonly channels: number;
  /** Convolutions of 3x3. */
  readonly depth: number;
}

/** Several {@link ConvGroupNorm} of 3x3 in a row; parameters `0`, `1`, … */
export class ConvTower extends Module implements Layer {
  readonly #layers: readonly ConvGroupNorm[];

  constructor({ inChannels, channels, depth, ...options }: TowerOptions) {
    super();
    this.#layers = Array.from({ length: depth }, (_, i) =>
      this.register(
        `${i}`,
        new ConvGroupNorm(i === 0 ? inChannels : channels, channels, { ...options, kernelSize: 3 }),
      ),
    );
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      let map = x;
      for (const layer of this.#layers) {
        const next = layer.forward(map, phase);
        if (map !== x) map.dispose(); // a tape keeps what it needs by itself
        map = next;
      }
      return map;
    });
  }
}
