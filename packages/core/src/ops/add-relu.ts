import * as tf from '@tensorflow/tfjs-core';

/**
 * `relu(a + b)`, the end of every residual block, keeping only its output for the backward pass.
 * Both of one shape.
 */
export function addRelu<T extends tf.Tensor>(a: T, b: T): T {
  const op = tf.customGrad((...args: unknown[]) => {
    const [x, y, save] = args as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const value = tf.relu(tf.add(x, y));
    save([value]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const d = tf.mul(dy, tf.step(saved[0]!));
      return [d, tf.clone(d)];
    };
    return { value, gradFunc: gradFunc as (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[] };
  });
  return op(a, b) as T;
}
