import type * as tf from '@tensorflow/tfjs-core';
import type { FusedActivation } from '../autograd/fused-gradients.ts';
import { RcnnError } from '../errors.ts';
import type { GraphBuilder, GraphValue, GraphWeight } from '../graph.ts';
import { constant, type Initialiser, kaimingNormal } from '../initialisers.ts';
import { type Layer, Module } from '../module.ts';
import { type ConvolutionOptions, convolution } from '../ops/convolution.ts';
import type { Parameter } from '../parameter.ts';
import type { Random } from '../random.ts';
import type { Phase } from '../types.ts';
import { makeParameter } from './make-parameter.ts';

export interface Conv2dOptions {
  readonly kernelSize: number;
  /** Default 1. */
  readonly stride?: number;
  /** Cells of zeros on every side. Default `dilation * (kernelSize - 1) / 2`. */
  readonly padding?: number;
  /** Default 1. */
  readonly dilation?: number;
  /** Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Fused into the kernel. Default `linear`. */
  readonly activation?: FusedActivation;
  /** Default Kaiming normal, fan-out. */
  readonly initialiser?: Initialiser;
  /** Default zeros. */
  readonly biasInitialiser?: Initialiser;
  readonly random?: Random | undefined;
}

/** Convolution with symmetric padding. `[N, H, W, I]` to `[N, H', W', O]`. Parameters `weight`, `bias`. */
export class Conv2d extends Module implements Layer {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly options: Conv2dOptions;

  constructor(inChannels: number, outChannels: number, options: Conv2dOptions) {
    super();
    const { kernelSize: k, groups = 1, bias = true, random } = options;
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'Conv2d',
        problem: 'the groups do not divide the channels',
        found: `${inChannels} in, ${outChannels} out, ${groups} groups`,
      });
    }
    const { initialiser = kaimingNormal('fanOut'), biasInitialiser = constant(0) } = options;
    this.options = options;
    const fans = { fanIn: (k * k * inChannels) / groups, fanOut: (k * k * outChannels) / groups };
    const shape = [k, k, inChannels / groups, outChannels];
    this.weight = this.register('weight', makeParameter(shape, initialiser, fans, { layout: 'conv', random }));
    if (bias) this.bias = this.register('bias', makeParameter([outChannels], biasInitialiser, fans, { random }));
  }

  forward(x: tf.Tensor4D, _phase?: Phase): tf.Tensor4D {
    return this.apply(x, this.weight.value as tf.Tensor4D, this.bias?.value as tf.Tensor1D | undefined);
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return this.applyToGraph(graph, x, { parameter: this.weight }, this.bias && { parameter: this.bias });
  }

  /** As {@link apply}, for a graph. */
  applyToGraph(
    graph: GraphBuilder,
    x: GraphValue,
    weight: GraphWeight,
    bias: GraphWeight | undefined,
    activation: FusedActivation = this.options.activation ?? 'linear',
  ): GraphValue {
    const { kernelSize, stride = 1, dilation = 1, groups = 1 } = this.options;
    const { padding = (dilation * (kernelSize - 1)) / 2 } = this.options;
    return graph.convolution(x, { weight, bias, stride, padding, dilation, groups, activation });
  }

  /** The same convolution with other numbers: how a folded norm is applied. */
  apply(
    x: tf.Tensor4D,
    weight: tf.Tensor4D,
    bias: tf.Tensor1D | undefined,
    activation: FusedActivation = this.options.activation ?? 'linear',
  ): tf.Tensor4D {
    const { stride, padding, dilation, groups } = this.options;
    const options: { -readonly [K in keyof ConvolutionOptions]: ConvolutionOptions[K] } = { activation };
    if (stride !== undefined) options.stride = stride;
    if (padding !== undefined) options.padding = padding;
    if (dilation !== undefined) options.dilation = dilation;
    if (groups !== undefined) options.groups = groups;
    if (bias !== undefined) options.bias = bias;
    return convolution(x, weight, options);
  }
}
