import * as tf from '@tensorflow/tfjs-core';
import { RcnnError } from './errors.ts';

/**
 * How PyTorch stores a tensor that we keep channels-last. Axes are named as in the papers: O out, I in, H, W.
 * - `same`: vectors and scalars.
 * - `conv`: ours `[H, W, I, O]`, theirs `[O, I, H, W]`.
 * - `transposedConv`: ours `[H, W, O, I]`, theirs `[I, O, H, W]`; no spatial flip.
 * - `linear`: ours `[I, O]`, theirs `[O, I]`.
 * - a map shape: the first dense layer after RoIAlign. Ours `[H*W*C, O]`, theirs `[O, C*H*W]`.
 */
export type ParameterLayout =
  | 'same'
  | 'conv'
  | 'transposedConv'
  | 'linear'
  | { readonly height: number; readonly width: number; readonly channels: number };

export interface ParameterOptions {
  /** Default `same`. */
  readonly layout?: ParameterLayout;
  /** False for running statistics and frozen norms: never given to an optimiser, always saved. Default true. */
  readonly learnable?: boolean;
}

/**
 * A named tensor of a module: a learned weight or a kept statistic.
 * `learnable` says what it is, `trainable` whether it is being trained now.
 */
export class Parameter {
  readonly variable: tf.Variable;
  readonly layout: ParameterLayout;
  readonly learnable: boolean;
  #trainable: boolean;

  /** Takes over `initial`: it is disposed when the variable has its value. */
  constructor(initial: tf.Tensor, { layout = 'same', learnable = true }: ParameterOptions = {}) {
    // tfjs' own `trainable` stays true for learnable ones: gradients are asked for by an explicit list.
    this.variable = tf.variable(initial, learnable);
    initial.dispose();
    this.layout = layout;
    this.learnable = learnable;
    this.#trainable = learnable;
  }

  /** @throws DISPOSED: whatever a disposed model is asked for, it asks its parameters first */
  get value(): tf.Tensor {
    if (this.variable.isDisposed) {
      throw new RcnnError('DISPOSED', {
        where: 'Parameter.value',
        problem: 'the model was disposed, or is being disposed while a call of it still runs',
        hint: 'Dispose a model when its last call has ended, and make a new one for further calls.',
      });
    }
    return this.variable;
  }

  get shape(): readonly number[] {
    return this.variable.shape;
  }

  get size(): number {
    return this.variable.size;
  }

  /** Whether an optimiser may change it. A statistic never is. */
  get trainable(): boolean {
    return this.#trainable;
  }

  set trainable(value: boolean) {
    this.#trainable = value && this.learnable;
  }

  /** Takes the numbers of `value`. The caller keeps its tensor. @throws SHAPE_MISMATCH */
  assign(value: tf.Tensor): void {
    if (value.shape.join() !== this.variable.shape.join()) {
      throw new RcnnError('SHAPE_MISMATCH', {
        where: 'Parameter.assign',
        problem: 'the new value has another shape',
        found: `[${value.shape.join(',')}]`,
        expected: `[${this.variable.shape.join(',')}]`,
      });
    }
    this.variable.assign(value); // shares the data by reference count: a new dataId, no copy
  }

  dispose(): void {
    if (!this.variable.isDisposed) this.variable.dispose();
  }
}
