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

/** A convolution without bias, group norm of 32 groups, ReLU; parameters `conv` and `gn`. */
export class ConvGroupNorm extends Module implements Layer {
  readonly #unit: ConvNorm;

  constructor(inChannels: number, outChannels: number, options: { kernelSize: number; random: Random | undefined }) {
    super();
    const settings = { ...options, bias: false, initialiser: FIRST_WEIGHTS };
    const conv = this.register('conv', new Conv2d(inChannels, outChannels, settings));
    this.#unit = new ConvNorm(conv, this.register('gn', new GroupNorm(outChannels, { groups: 32 })), 'relu');
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return this.#unit.forward(x, phase);
  }

  override dispose(): void {
    this.#unit.dispose();
    super.dispose();
  }
}

export interface TowerOptions {
  /** Of the maps that come in, coordinates included. */
  readonly inChannels: number;
  readonly channels: number;
  /** Convolutions of 3x3. */
  readonly depth: number;
  readonly random?: Random | undefined;
}

/** Several {@link ConvGroupNorm} of 3x3 in a row; parameters `0`, `1`, … */
export class ConvTower extends Module implements Layer {
  readonly #layers: readonly ConvGroupNorm[];

  constructor({ inChannels, channels, depth, random }: TowerOptions) {
    super();
    this.#layers = Array.from({ length: depth }, (_, i) =>
      this.register(`${i}`, new ConvGroupNorm(i === 0 ? inChannels : channels, channels, { kernelSize: 3, random })),
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
