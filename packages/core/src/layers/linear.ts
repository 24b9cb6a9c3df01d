import type * as tf from '@tensorflow/tfjs-core';
import type { FusedActivation } from '../autograd/fused-gradients.ts';
import type { GraphBuilder, GraphValue } from '../graph.ts';
import { fanInUniform, type Initialiser } from '../initialisers.ts';
import { type Layer, Module } from '../module.ts';
import { linear } from '../ops/linear.ts';
import type { Parameter, ParameterLayout } from '../parameter.ts';
import type { Random } from '../random.ts';
import type { Phase } from '../types.ts';
import { makeParameter } from './make-parameter.ts';

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Fused into the kernel. Default `linear`. */
  readonly activation?: FusedActivation;
  /** Default uniform within `1 / sqrt(fanIn)`, as in PyTorch. */
  readonly initialiser?: Initialiser;
  /** Default uniform within `1 / sqrt(fanIn)`, as in PyTorch. */
  readonly biasInitialiser?: Initialiser;
  /** A map shape when this is the first dense layer after a flattened map. Default `linear`. */
  readonly layout?: ParameterLayout;
  readonly random?: Random | undefined;
}

/** Dense layer. `[R, I]` to `[R, O]`. Parameters `weight` (`[I, O]`), `bias`. */
export class Linear extends Module implements Layer<tf.Tensor2D> {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly #activation: FusedActivation;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    const { bias = true, activation = 'linear', layout = 'linear', random } = options;
    const { initialiser = fanInUniform(), biasInitialiser = fanInUniform() } = options;
    const fans = { fanIn: inFeatures, fanOut: outFeatures };
    this.#activation = activation;
    this.weight = this.register(
      'weight',
      makeParameter([inFeatures, outFeatures], initialiser, fans, { layout, random }),
    );
    if (bias) this.bias = this.register('bias', makeParameter([outFeatures], biasInitialiser, fans, { random }));
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const bias = this.bias && { parameter: this.bias };
    return graph.dense(x, { weight: { parameter: this.weight }, bias, activation: this.#activation });
  }

  forward(x: tf.Tensor2D, _phase?: Phase): tf.Tensor2D {
    const bias = this.bias?.value as tf.Tensor1D | undefined;
    return linear(x, this.weight.value as tf.Tensor2D, bias, this.#activation);
  }
}
