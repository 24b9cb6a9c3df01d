import {
  Conv2d,
  ConvNorm,
  type GraphBuilder,
  type GraphValue,
  type Layer,
  Module,
  type NormFactory,
  type Phase,
  type Random,
  type ToGraph,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { hardSigmoid, hardSwish } from './hard-swish.ts';
import type { BlockActivation, BlockShape, MobileNetShape } from './variants.ts';

/** What all layers of a network have in common. */
export interface Making {
  readonly norm: NormFactory;
  readonly random: Random | undefined;
}

interface NormedConvOptions {
  readonly kernelSize: number;
  readonly stride?: number | undefined;
  readonly groups?: number | undefined;
  readonly activation: BlockActivation | 'linear';
  /** Names of the convolution and the norm. Default `0` and `1`. */
  readonly names?: readonly [conv: string, norm: string];
}

/** A convolution, its norm and its activation. `[N, H, W, I]` to `[N, ceil(H / stride), ceil(W / stride), O]`. */
export class NormedConv extends Module implements Layer, ToGraph {
  readonly #fold: ConvNorm;
  readonly #hard: boolean;

  constructor(inChannels: number, outChannels: number, options: NormedConvOptions, { norm, random }: Making) {
    super();
    const { kernelSize, stride = 1, groups = 1, activation, names = ['0', '1'] } = options;
    const conv = new Conv2d(inChannels, outChannels, { kernelSize, stride, groups, bias: false, random });
    this.#hard = activation === 'hardSwish';
    const fused = activation === 'hardSwish' ? 'linear' : activation;
    this.#fold = new ConvNorm(this.register(names[0], conv), this.register(names[1], norm(outChannels)), fused);
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    if (!this.#hard) return this.#fold.forward(x, phase);
    return tf.tidy(() => hardSwish(this.#fold.forward(x, phase)));
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const y = this.#fold.toGraph(graph, x);
    return this.#hard ? graph.hardSwish(y) : y;
  }

  override dispose(): void {
    this.#fold.dispose();
    super.dispose();
  }
}

/**
 * Weighs channels by what they hold on average. `[N, H, W, C]` to the same.
 * @see Hu et al. 2017 (arXiv:1709.01507); with a hard sigmoid: Howard et al. 2019, section 5.3 (arXiv:1905.02244)
 */
class SqueezeExcitation extends Module implements Layer, ToGraph {
  readonly #fc1: Conv2d;
  readonly #fc2: Conv2d;

  constructor(channels: number, squeezed: number, { random }: Making) {
    super();
    this.#fc1 = this.register('fc1', new Conv2d(channels, squeezed, { kernelSize: 1, activation: 'relu', random }));
    this.#fc2 = this.register('fc2', new Conv2d(squeezed, channels, { kernelSize: 1, random }));
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => {
      const means = tf.mean(x, [1, 2], true) as tf.Tensor4D; // [N, 1, 1, C]
      return tf.mul(x, hardSigmoid(this.#fc2.forward(this.#fc1.forward(means))));
    });
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const weights = this.#fc2.toGraph(graph, this.#fc1.toGraph(graph, graph.globalMean(x)));
    return graph.multiply(x, graph.hardSigmoid(weights));
  }
}

/**
 * Widens, filters every channel by itself, narrows; adds its input where the shape stays.
 * `[N, H, W, I]` to `[N, ceil(H / stride), ceil(W / stride), O]`.
 * @see Sandler et al. 2018, section 3.4 (arXiv:1801.04381)
 */
export class InvertedResidual extends Module implements Layer, ToGraph {
  readonly #layers: (Layer & ToGraph)[] = [];
  readonly #adds: boolean;

  constructor(shape: BlockShape, parts: MobileNetShape['parts'], making: Making) {
    super();
    const { kernelSize, inChannels, expanded, outChannels, stride, activation, squeeze } = shape;
    this.#adds = stride === 1 && inChannels === outChannels;
    const add = (layer: Layer & ToGraph): void => {
      this.#layers.push(this.register(`${parts}.${this.#layers.length}`, layer));
    };
    if (expanded !== inChannels) {
      add(new NormedConv(inChannels, expanded, { kernelSize: 1, activation }, making));
    }
    add(new NormedConv(expanded, expanded, { kernelSize, stride, groups: expanded, activation }, making));
    if (squeeze !== undefined) add(new SqueezeExcitation(expanded, squeeze, making));
    const last = this.#layers.length;
    const narrow = { kernelSize: 1, activation: 'linear' } as const;
    if (parts === 'block') add(new NormedConv(expanded, outChannels, narrow, making));
    else {
      // In V2 the last convolution and its norm stand in the block's list themselves.
      const names = [`${last}`, `${last + 1}`] as const;
      this.#layers.push(this.register(parts, new NormedConv(expanded, outChannels, { ...narrow, names }, making)));
    }
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      const y = throughAll(this.#layers, x, phase);
      return this.#adds ? tf.add(y, x) : y;
    });
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const y = this.#layers.reduce((value, layer) => layer.toGraph(graph, value), x);
    return this.#adds ? graph.add(y, x) : y;
  }
}

/** One layer after the other; what only the next one reads is freed on the way. */
function throughAll(layers: readonly Layer[], x: tf.Tensor4D, phase: Phase | undefined): tf.Tensor4D {
  let y = x;
  for (const layer of layers) {
    const next = layer.forward(y, phase);
    if (y !== x) y.dispose(); // a tape keeps what it needs by itself
    y = next;
  }
  return y;
}
