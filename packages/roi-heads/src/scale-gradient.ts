import * as tf from '@tensorflow/tfjs-core';

/** `x` as it is; its gradient times `factor`. */
export function scaleGradient<T extends tf.Tensor>(x: T, factor: number): T {
  const op = tf.customGrad((value) => ({
    value: tf.clone(value as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, factor),
  }));
  return op(x) as T;
}
