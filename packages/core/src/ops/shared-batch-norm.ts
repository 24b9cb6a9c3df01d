import * as tf from '@tensorflow/tfjs-core';
import { withoutGradients } from '../autograd/engine-internals.ts';
import { hostValues } from '../host-memory.ts';
import { type BatchMoments, inputGradient, PIXELS } from './batch-norm.ts';

/** Moments of one process's part of a batch, or of the whole, as numbers. */
export interface PartMoments {
  /** Pixels per channel. */
  readonly count: number;
  /** By channel. */
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/**
 * A batch that lies in several processes, each of which computes a part of it. Each method waits for the others, and gives
 * all of them the same bits.
 */
export interface SharedBatch {
  /**
   * The moments of the whole batch, in the forward pass of a norm.
   * @returns `call`: which pass of a norm this was, for {@link gradientSums}
   */
  moments(part: PartMoments): PartMoments & { readonly call: number };
  /** The sums over the whole batch, in the backward pass: of `dy` and of `dy · centred`, by channel. */
  gradientSums(call: number, part: GradientSums): GradientSums;
}

/** Sums over pixels, by channel. */
export interface GradientSums {
  readonly sum: Float32Array;
  readonly correlation: Float32Array;
}

/**
 * A batch norm whose batch lies in several processes: {@link batchNorm} by the moments of the whole. The gradient of the
 * input is that of the losses of all processes, added up; those of weight and bias are of the own part, as all other
 * gradients are, whose mean over the processes is taken later.
 *
 * Call it inside `tf.tidy`. A part may be empty: then it only lets the others know.
 * @returns the number of pixels of the whole per channel too
 * @see PyTorch's SyncBatchNorm, detectron2's SyncBN
 */
export function sharedBatchNorm(
  x: tf.Tensor4D,
  weight: tf.Tensor,
  bias: tf.Tensor,
  { epsilon, batch }: { readonly epsilon: number; readonly batch: SharedBatch },
): { y: tf.Tensor4D; moments: BatchMoments; count: number } {
  const { whole, ...moments } = withoutGradients(() => {
    const met = batch.moments(momentsOf(x));
    return { whole: met, mean: tf.tensor1d(met.mean), variance: tf.tensor1d(met.variance) };
  });
  const { call, count } = whole;
  if (x.size === 0) return { y: tf.clone(x), moments, count };
  const centred = withoutGradients(() => tf.sub(x, moments.mean));
  const op = tf.customGrad((...args: unknown[]) => {
    const [, w, b, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const deviation = tf.sqrt(tf.add(moments.variance, epsilon));
    const value = tf.add(tf.mul(centred, tf.div(w, deviation)), b);
    save([centred, deviation, w]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] =>
      sharedGradients(dy, saved, { batch, call, count });
    return { value, gradFunc: gradFunc as (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[] };
  });
  return { y: op(x, weight, bias) as tf.Tensor4D, moments, count };
}

function momentsOf(x: tf.Tensor4D): PartMoments {
  const channels = x.shape[3];
  const count = x.size / channels;
  if (x.size === 0) return { count: 0, mean: new Float32Array(channels), variance: new Float32Array(channels) };
  const mean = tf.mean(x, PIXELS);
  const variance = tf.mean(tf.square(tf.sub(x, mean)), PIXELS);
  return { count, mean: hostValues(mean), variance: hostValues(variance) };
}

function sharedGradients(
  dy: tf.Tensor,
  [centred, deviation, weight]: tf.Tensor[],
  { batch, call, count }: { readonly batch: SharedBatch; readonly call: number; readonly count: number },
): tf.Tensor[] {
  const sum = tf.sum(dy, PIXELS);
  const correlation = tf.sum(tf.mul(dy, centred!), PIXELS);
  const whole = batch.gradientSums(call, { sum: hostValues(sum), correlation: hostValues(correlation) });
  const sums = { n: count, sum: tf.tensor1d(whole.sum), correlation: tf.tensor1d(whole.correlation) };
  const dx = inputGradient(dy, { centred: centred!, deviation: deviation!, weight: weight! }, sums);
  return [dx, tf.div(correlation, deviation!), sum];
}
