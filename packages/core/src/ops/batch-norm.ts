import * as tf from '@tensorflow/tfjs-core';
import { withoutGradients } from '../autograd/engine-internals.ts';

/** Mean and variance (over N, not N - 1) of each channel of a batch, `[C]` each. They are constants to every gradient. */
export interface BatchMoments {
  readonly mean: tf.Tensor;
  readonly variance: tf.Tensor;
}

/** The axes of `[N, H, W, C]` over which a batch norm takes its moments. */
export const PIXELS: number[] = [0, 1, 2];

/**
 * A batch norm by the moments of its own batch: `y = (x - mean) / sqrt(variance + epsilon) · weight + bias` per channel.
 *
 * Its gradient is one formula instead of the chain of its steps, which would go over the maps twice as often and keep
 * three of them; this keeps one. Call it inside `tf.tidy`: what it computes on the way is left to the scope.
 *
 * @param x `[N, H, W, C]`, not empty
 * @param weight `[C]`, and `bias` as well
 * @param epsilon added to the variance
 * @see Ioffe and Szegedy 2015 (arXiv:1502.03167), section 3
 */
export function batchNorm(
  x: tf.Tensor4D,
  weight: tf.Tensor,
  bias: tf.Tensor,
  epsilon: number,
): { y: tf.Tensor4D; moments: BatchMoments } {
  const { centred, ...moments } = withoutGradients(() => {
    const mean = tf.mean(x, PIXELS);
    const centred = tf.sub(x, mean);
    return { mean, centred, variance: tf.mean(tf.square(centred), PIXELS) };
  });
  const op = tf.customGrad((...args: unknown[]) => {
    const [, w, b, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const deviation = tf.sqrt(tf.add(moments.variance, epsilon));
    const value = tf.add(tf.mul(centred, tf.div(w, deviation)), b);
    save([centred, deviation, w]);
    return { value, gradFunc: gradients as (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[] };
  });
  return { y: op(x, weight, bias) as tf.Tensor4D, moments };
}

function gradients(dy: tf.Tensor, [centred, deviation, weight]: tf.Tensor[]): tf.Tensor[] {
  const n = centred!.size / deviation!.size;
  const sum = tf.sum(dy, PIXELS);
  const correlation = tf.sum(tf.mul(dy, centred!), PIXELS);
  const dx = inputGradient(dy, { centred: centred!, deviation: deviation!, weight: weight! }, { n, sum, correlation });
  return [dx, tf.div(correlation, deviation!), sum];
}

/** What the forward pass leaves for the backward one. */
interface Kept {
  /** `x - mean`, `[N, H, W, C]`. */
  readonly centred: tf.Tensor;
  /** `sqrt(variance + epsilon)`, `[C]`. */
  readonly deviation: tf.Tensor;
  /** `[C]`. */
  readonly weight: tf.Tensor;
}

/** Over all pixels that the moments were taken of. */
interface Sums {
  /** Pixels per channel. */
  readonly n: number;
  /** Of `dy`, and of `dy · centred`, `[C]` each. */
  readonly sum: tf.Tensor;
  readonly correlation: tf.Tensor;
}

/**
 * With `n` pixels per channel: `dx = s (dy - sum(dy) / n - centred · sum(dy · centred) / (n deviation²))`, where
 * `s = weight / deviation`: what moves the mean and the variance of the batch moves nothing.
 */
export function inputGradient(
  dy: tf.Tensor,
  { centred, deviation, weight }: Kept,
  { n, sum, correlation }: Sums,
): tf.Tensor {
  const scale = tf.div(weight, deviation);
  const perCentred = tf.div(tf.mul(scale, correlation), tf.mul(tf.square(deviation), n));
  const shift = tf.mul(scale, tf.div(sum, n));
  return tf.sub(tf.mul(dy, scale), tf.add(tf.mul(centred, perCentred), shift));
}
