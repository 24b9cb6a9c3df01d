import * as tf from '@tensorflow/tfjs-core';

/**
 * `x · clip(x / 6 + 1/2, 0, 1)`, element by element; its gradient is one formula and keeps one map.
 * @see Howard et al. 2019, section 5.2 (arXiv:1905.02244)
 */
export function hardSwish<T extends tf.Tensor>(x: T): T {
  const op = tf.customGrad((...args: unknown[]) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([input]);
    return {
      value: tf.tidy(() => tf.mul(input, hardSigmoid(input))),
      gradFunc: ((dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.tidy(() => tf.mul(dy, slope(saved!)))) as (
        dy: tf.Tensor,
        saved: tf.Tensor[],
      ) => tf.Tensor,
    };
  });
  return op(x) as T;
}

/** `clip(x / 6 + 1/2, 0, 1)` */
export function hardSigmoid<T extends tf.Tensor>(x: T): T {
  return tf.tidy(() => tf.clipByValue(tf.add(tf.mul(x, 1 / 6), 0.5), 0, 1)) as T;
}

/** 0 left of -3, 1 right of 3, a straight line between. */
function slope(x: tf.Tensor): tf.Tensor {
  return tf.where(tf.less(tf.abs(x), 3), tf.add(tf.mul(x, 1 / 3), 0.5), tf.step(x));
}
