import * as tf from '@tensorflow/tfjs-core';
import { withoutGradients } from '../autograd/engine-internals.ts';
import type { FusedActivation } from '../autograd/fused-gradients.ts';
import { RcnnError } from '../errors.ts';
import type { GraphBuilder, GraphValue } from '../graph.ts';
import { activate } from '../ops/convolution.ts';
import type { Parameter } from '../parameter.ts';
import type { Phase } from '../types.ts';
import type { Conv2d } from './conv2d.ts';
import { mayLearn, type Norm } from './norms.ts';

interface Folded {
  /** The data that the fold was computed from; a parameter that changes gets new data. */
  readonly from: readonly object[];
  readonly weight: tf.Tensor4D;
  readonly bias: tf.Tensor1D;
}

/**
 * A convolution, its norm and its activation as one kernel. Where the norm is a scale and a shift (frozen, or any batch
 * norm when predicting) both are folded into the filter: `(x ∗ w) · k + b = x ∗ (w · k) + b`. Otherwise the three run
 * one after the other.
 *
 * The folded filter of a frozen part is computed once and kept, so that an engine sees the same constant every time.
 * This is not a module: the convolution and the norm are registered by whoever names them. Dispose it too.
 */
export class ConvNorm {
  readonly #conv: Conv2d;
  readonly #norm: Norm;
  readonly #activation: FusedActivation;
  #folded: Folded | undefined;

  constructor(conv: Conv2d, norm: Norm, activation: FusedActivation = 'linear') {
    this.#conv = conv;
    this.#norm = norm;
    this.#activation = activation;
  }

  /** `[N, H, W, I]` to `[N, H', W', O]`. */
  forward(x: tf.Tensor4D, phase: Phase = 'predict'): tf.Tensor4D {
    const conv = this.#conv;
    if (mayLearn(this.#parameters())) {
      return tf.tidy(() => {
        const folded = this.#fold(phase);
        if (folded !== undefined) return conv.apply(x, folded.weight, folded.bias, this.#activation);
        return this.#unfolded(x, phase);
      });
    }
    const folded = withoutGradients(() => this.#constant(phase));
    if (folded !== undefined) return conv.apply(x, folded.weight, folded.bias, this.#activation);
    return tf.tidy(() => this.#unfolded(x, phase));
  }

  /** @throws EXPORT_UNSUPPORTED for a norm that looks at the map, as group norm does: it cannot be folded */
  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const folded = withoutGradients(() => tf.tidy(() => this.#folding('predict')));
    if (folded === undefined) {
      throw new RcnnError('EXPORT_UNSUPPORTED', {
        where: 'ConvNorm.toGraph',
        place: this.#norm.constructor.name,
        problem: 'a norm that depends on the map cannot be folded into its convolution',
        expected: 'a batch norm, frozen or not',
      });
    }
    try {
      const weight = { parameter: this.#conv.weight, scale: folded.scale };
      // The norm's shift takes the place of the bias that the convolution lacks, under the norm's name.
      const shift = this.#norm.namedParameters().get('bias') ?? this.#conv.weight;
      const bias = { parameter: shift, value: folded.bias, layout: 'same' } as const;
      return this.#conv.applyToGraph(graph, x, weight, bias, this.#activation);
    } finally {
      tf.dispose(folded);
    }
  }

  /** Frees the kept filter; the next forward pass makes it again. */
  dispose(): void {
    this.#folded?.weight.dispose();
    this.#folded?.bias.dispose();
    this.#folded = undefined;
  }

  #unfolded(x: tf.Tensor4D, phase: Phase): tf.Tensor4D {
    const y = this.#norm.forward(this.#conv.forward(x, phase), phase);
    return activate(y, this.#activation);
  }

  #fold(phase: Phase): { weight: tf.Tensor4D; bias: tf.Tensor1D } | undefined {
    const folding = this.#folding(phase);
    if (folding === undefined) return undefined;
    return { weight: tf.mul(this.#conv.weight.value, folding.scale) as tf.Tensor4D, bias: folding.bias };
  }

  /** What the filter is multiplied by, and the bias that comes of it. */
  #folding(phase: Phase): { scale: tf.Tensor; bias: tf.Tensor1D } | undefined {
    const affine = this.#norm.affine(phase);
    if (affine === undefined) return undefined;
    const { scale, shift } = affine;
    const { bias } = this.#conv;
    return { scale, bias: (bias === undefined ? shift : tf.add(tf.mul(bias.value, scale), shift)) as tf.Tensor1D };
  }

  #constant(phase: Phase): Folded | undefined {
    const from = [...this.#parameters()].map(({ variable }) => variable.dataId);
    const kept = this.#folded;
    if (kept?.from.every((id, i) => id === from[i])) return kept;
    const folded = tf.tidy(() => {
      const fresh = this.#fold(phase);
      return fresh === undefined ? undefined : { weight: tf.keep(fresh.weight), bias: tf.keep(fresh.bias) };
    });
    if (folded === undefined) return undefined;
    this.dispose();
    this.#folded = { from, ...folded };
    return this.#folded;
  }

  *#parameters(): Iterable<Parameter> {
    yield* this.#conv.namedParameters().values();
    yield* this.#norm.namedParameters().values();
  }
}
