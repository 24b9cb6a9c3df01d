import * as tf from '@tensorflow/tfjs-core';
import { constant, type Initialiser, kaimingNormal } from '../initialisers.ts';
import { type Layer, Module } from '../module.ts';
import { deformColumns } from '../ops/deform-columns.ts';
import type { Parameter } from '../parameter.ts';
import type { Random } from '../random.ts';
import { Conv2d } from './conv2d.ts';
import { makeParameter } from './make-parameter.ts';

export interface DeformConv2dOptions {
  readonly kernelSize: number;
  /** Default 1. */
  readonly stride?: number | undefined;
  /** Default true. */
  readonly bias?: boolean | undefined;
  /** Default Kaiming normal, fan-out. */
  readonly initialiser?: Initialiser | undefined;
  readonly random?: Random | undefined;
}

/**
 * Modulated deformable convolution, "DCNv2": every tap is moved and weighed as another convolution of the same map says.
 * `[N, H, W, I]` to `[N, H', W', O]`, padded to keep the size at stride 1. That other one begins at 0: taps where they
 * are, each weighed by a half. Parameters `weight`, `bias`, `conv_offset_mask.weight` and `.bias`: of its channels the
 * first are offsets (y and x of each tap), the last weights before a sigmoid.
 * @see Zhu et al. 2018 (arXiv:1811.11168)
 */
export class DeformConv2d extends Module implements Layer {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly #places: Conv2d;
  readonly #size: number;
  readonly #stride: number;

  constructor(inChannels: number, outChannels: number, options: DeformConv2dOptions) {
    super();
    const { kernelSize: k, stride = 1, bias = true, random } = options;
    const { initialiser = kaimingNormal('fanOut') } = options;
    const fans = { fanIn: k * k * inChannels, fanOut: k * k * outChannels };
    const shape = [k, k, inChannels, outChannels];
    this.#size = k;
    this.#stride = stride;
    this.weight = this.register('weight', makeParameter(shape, initialiser, fans, { layout: 'conv', random }));
    if (bias) this.bias = this.register('bias', makeParameter([outChannels], constant(0), fans, { random }));
    const places = { kernelSize: k, stride, initialiser: constant(0), random };
    this.#places = this.register('conv_offset_mask', new Conv2d(inChannels, 3 * k * k, places));
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    const taps = this.#size ** 2;
    return tf.tidy(() => {
      const places = this.#places.forward(x);
      const [count, rows, columns] = places.shape;
      const offsets = tf.slice(places, [0, 0, 0, 0], [count, rows, columns, 2 * taps]);
      const weights = tf.sigmoid(tf.slice(places, [0, 0, 0, 2 * taps], [count, rows, columns, taps]));
      const geometry = { kernelSize: this.#size, stride: this.#stride, padding: (this.#size - 1) / 2 };
      const read = deformColumns(x, offsets, weights, geometry);
      const [outChannels] = this.weight.shape.slice(-1) as [number];
      const filter = tf.reshape(this.weight.value, [taps * x.shape[3], outChannels]);
      const cells = tf.reshape(read, [count * rows * columns, taps * x.shape[3]]);
      const result = tf.reshape(tf.matMul(cells, filter), [count, rows, columns, outChannels]) as tf.Tensor4D;
      return this.bias === undefined ? result : tf.add(result, this.bias.value);
    });
  }
}
