import * as tf from '@tensorflow/tfjs-core';
import type { GraphBuilder, GraphValue } from '../graph.ts';
import { constant, type Initialiser, kaimingNormal } from '../initialisers.ts';
import { type Layer, Module } from '../module.ts';
import type { Parameter } from '../parameter.ts';
import type { Random } from '../random.ts';
import type { Phase } from '../types.ts';
import { makeParameter } from './make-parameter.ts';

export interface ConvTranspose2dOptions {
  readonly kernelSize: number;
  readonly stride: number;
  /** As PyTorch counts it: cells cut from every side of the full result. Default 0. */
  readonly padding?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default Kaiming normal, fan-out. */
  readonly initialiser?: Initialiser;
  /** Default zeros. */
  readonly biasInitialiser?: Initialiser;
  readonly random?: Random | undefined;
}

/**
 * Transposed convolution. `[N, H, W, I]` to `[N, (H - 1) stride - 2 padding + kernel, …, O]`.
 * Parameters `weight` (`[kh, kw, O, I]`), `bias`.
 */
export class ConvTranspose2d extends Module implements Layer {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly #options: ConvTranspose2dOptions;
  readonly #outChannels: number;

  constructor(inChannels: number, outChannels: number, options: ConvTranspose2dOptions) {
    super();
    this.#options = options;
    this.#outChannels = outChannels;
    const { kernelSize: k, bias = true, random } = options;
    const { initialiser = kaimingNormal('fanOut'), biasInitialiser = constant(0) } = options;
    // PyTorch reads its [I, O, kh, kw] as if it were [O, I, …], so "in" counts the output channels.
    const fans = { fanIn: k * k * outChannels, fanOut: k * k * inChannels };
    const shape = [k, k, outChannels, inChannels];
    this.weight = this.register(
      'weight',
      makeParameter(shape, initialiser, fans, { layout: 'transposedConv', random }),
    );
    if (bias) this.bias = this.register('bias', makeParameter([outChannels], biasInitialiser, fans, { random }));
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const { stride, padding = 0 } = this.#options;
    const bias = this.bias && { parameter: this.bias };
    return graph.transposedConvolution(x, { weight: { parameter: this.weight }, bias, stride, padding });
  }

  forward(x: tf.Tensor4D, _phase?: Phase): tf.Tensor4D {
    const { kernelSize: k, stride, padding = 0 } = this.#options;
    const [n, h, w] = x.shape;
    return tf.tidy(() => {
      const full = [n, (h - 1) * stride + k, (w - 1) * stride + k, this.#outChannels] as const;
      if (n === 0) return tf.zeros([0, full[1] - 2 * padding, full[2] - 2 * padding, this.#outChannels]) as tf.Tensor4D;
      const y = tf.conv2dTranspose(x, this.weight.value as tf.Tensor4D, [...full], stride, 'valid');
      const size: [number, number, number, number] = [n, full[1] - 2 * padding, full[2] - 2 * padding, -1];
      const cut = padding === 0 ? y : tf.slice(y, [0, padding, padding, 0], size);
      return this.bias === undefined ? cut : (tf.add(cut, this.bias.value) as tf.Tensor4D);
    });
  }
}
