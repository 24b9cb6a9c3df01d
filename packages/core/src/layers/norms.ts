import * as tf from '@tensorflow/tfjs-core';
import { isRecording, withoutGradients } from '../autograd/engine-internals.ts';
import { RcnnError } from '../errors.ts';
import { constant } from '../initialisers.ts';
import { type Layer, Module } from '../module.ts';
import { batchNorm } from '../ops/batch-norm.ts';
import { groupNorm } from '../ops/group-norm.ts';
import { type SharedBatch, sharedBatchNorm } from '../ops/shared-batch-norm.ts';
import type { Parameter } from '../parameter.ts';
import type { Phase } from '../types.ts';
import { makeParameter } from './make-parameter.ts';

/** `y = x · scale + shift` per channel, `[C]` each. */
export interface Affine {
  readonly scale: tf.Tensor1D;
  readonly shift: tf.Tensor1D;
}

/** A normalisation over channels-last maps. */
export interface Norm extends Layer {
  /**
   * The norm as a scale and a shift, where it is one in this phase; undefined where it depends on the batch.
   * With it a norm is folded into the convolution before it and costs nothing. The caller owns both tensors.
   */
  affine(phase: Phase): Affine | undefined;
}

/** Makes the norm of `channels` channels: how blocks are given another norm. */
export type NormFactory = (channels: number) => Norm;

export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Weight of the newest batch in the running statistics. Default 0.1, as PyTorch counts it. */
  readonly momentum?: number;
  /**
   * The other processes that train together, whose batches and this one's count as one: PyTorch's SyncBatchNorm,
   * detectron2's SyncBN. Default: the batch of this process is all there is.
   */
  readonly batch?: SharedBatch | undefined;
}

/** Makes the norms that learn from batches, {@link BatchNorm} or others: how a whole detector is given shared ones. */
export type BatchNormFactory = (channels: number, options?: Pick<BatchNormOptions, 'epsilon' | 'momentum'>) => Norm;

/** The four vectors that every batch norm keeps, under PyTorch's names. */
class BatchStatistics extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Parameter;
  readonly runningVariance: Parameter;
  readonly epsilon: number;

  constructor(channels: number, learnable: boolean, epsilon: number) {
    super();
    const make = (name: string, value: number, learns: boolean): Parameter =>
      this.register(name, makeParameter([channels], constant(value), { fanIn: 1, fanOut: 1 }, { learnable: learns }));
    this.weight = make('weight', 1, learnable);
    this.bias = make('bias', 0, learnable);
    this.runningMean = make('running_mean', 0, false);
    this.runningVariance = make('running_var', 1, false);
    this.epsilon = epsilon;
  }

  /** From the running statistics: `scale = w / sqrt(var + eps)`, `shift = b - mean · scale`. */
  runningAffine(): Affine {
    return tf.tidy(() => {
      const deviation = tf.sqrt(tf.add(this.runningVariance.value, this.epsilon));
      const scale = tf.div(this.weight.value, deviation) as tf.Tensor1D;
      const shift = tf.sub(this.bias.value, tf.mul(this.runningMean.value, scale)) as tf.Tensor1D;
      return { scale, shift };
    });
  }

  protected applyAffine(x: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => {
      const { scale, shift } = this.runningAffine();
      return tf.add(tf.mul(x, scale), shift) as tf.Tensor4D;
    });
  }
}

/**
 * Batch norm whose four vectors are constants: what detectors fine-tune with, because their batches are too small to
 * estimate statistics from. The published COCO weights of torchvision's first models want an epsilon of 0.
 */
export class FrozenBatchNorm extends BatchStatistics implements Norm {
  constructor(channels: number, { epsilon = 1e-5 }: Pick<BatchNormOptions, 'epsilon'> = {}) {
    super(channels, false, epsilon);
  }

  affine(_phase: Phase): Affine {
    return this.runningAffine();
  }

  forward(x: tf.Tensor4D, _phase?: Phase): tf.Tensor4D {
    return this.applyAffine(x);
  }
}

/** Batch norm with learnt scale and shift. @see Ioffe and Szegedy 2015 (arXiv:1502.03167) */
export class BatchNorm extends BatchStatistics implements Norm {
  readonly #momentum: number;
  readonly #batch: SharedBatch | undefined;

  constructor(channels: number, { epsilon = 1e-5, momentum = 0.1, batch }: BatchNormOptions = {}) {
    super(channels, true, epsilon);
    this.#momentum = momentum;
    this.#batch = batch;
  }

  affine(phase: Phase): Affine | undefined {
    return phase === 'train' && this.#learns() ? undefined : this.runningAffine();
  }

  forward(x: tf.Tensor4D, phase: Phase = 'predict'): tf.Tensor4D {
    if (phase === 'predict' || !this.#learns()) return this.applyAffine(x);
    const [weight, bias, epsilon, batch] = [this.weight.value, this.bias.value, this.epsilon, this.#batch];
    if (batch === undefined && x.size === 0) return tf.clone(x);
    return tf.tidy(() => {
      const { y, moments, count } =
        batch === undefined
          ? { ...batchNorm(x, weight, bias, epsilon), count: x.size / x.shape[3] }
          : sharedBatchNorm(x, weight, bias, { epsilon, batch });
      if (count > 0) this.#follow(moments.mean, moments.variance, count);
      return y;
    });
  }

  /** A norm that is frozen (its stage does not train) keeps its statistics and uses them. */
  #learns(): boolean {
    return this.weight.trainable || this.bias.trainable;
  }

  #follow(mean: tf.Tensor, variance: tf.Tensor, count: number): void {
    const m = this.#momentum;
    const unbiased = count > 1 ? count / (count - 1) : 1;
    withoutGradients(() =>
      tf.tidy(() => {
        this.runningMean.assign(tf.add(tf.mul(this.runningMean.value, 1 - m), tf.mul(mean, m)));
        this.runningVariance.assign(tf.add(tf.mul(this.runningVariance.value, 1 - m), tf.mul(variance, m * unbiased)));
      }),
    );
  }
}

/** Group norm: statistics per image and group of channels. @see Wu and He 2018 (arXiv:1803.08494) */
export class GroupNorm extends Module implements Norm {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly #groups: number;
  readonly #epsilon: number;

  constructor(channels: number, { groups = 32, epsilon = 1e-5 }: { groups?: number; epsilon?: number } = {}) {
    super();
    if (channels % groups !== 0) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'GroupNorm',
        problem: 'the groups do not divide the channels',
        found: `${channels} channels, ${groups} groups`,
      });
    }
    const fans = { fanIn: 1, fanOut: 1 };
    this.weight = this.register('weight', makeParameter([channels], constant(1), fans));
    this.bias = this.register('bias', makeParameter([channels], constant(0), fans));
    this.#groups = groups;
    this.#epsilon = epsilon;
  }

  affine(_phase: Phase): undefined {
    return undefined;
  }

  forward(x: tf.Tensor4D, _phase?: Phase): tf.Tensor4D {
    if (x.size === 0) return tf.clone(x);
    return groupNorm(x, this.weight.value, this.bias.value, { groups: this.#groups, epsilon: this.#epsilon });
  }
}

/** Whether a gradient may be asked of any of these now. */
export function mayLearn(parameters: Iterable<Parameter>): boolean {
  if (!isRecording()) return false;
  for (const parameter of parameters) if (parameter.trainable) return true;
  return false;
}
