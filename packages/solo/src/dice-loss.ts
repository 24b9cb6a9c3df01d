import * as tf from '@tensorflow/tfjs-core';

/** Keeps the ratio of empty masks finite; counted once for each of them. */
const EPSILON = 0.001;

/**
 * Dice loss of each mask: `1 - 2 Σpq / (Σp² + Σq² + 0.002)`.
 * @param masks probabilities, `[R, cells]`
 * @param truth 0 or 1, `[R, cells]`; a constant to the gradient
 * @returns `[R]`
 * @see Milletari et al. 2016, V-Net, section 3 (arXiv:1606.04797)
 */
export function diceLoss(masks: tf.Tensor2D, truth: tf.Tensor2D): tf.Tensor1D {
  const op = tf.customGrad((p, save) => {
    const [value, shared, total] = tf.tidy(() => {
      const shared = tf.sum(tf.mul(p as tf.Tensor, truth), 1);
      const squares = tf.add(tf.sum(tf.square(p as tf.Tensor), 1), tf.sum(tf.square(truth), 1));
      const total = tf.add(squares, 2 * EPSILON);
      return [tf.sub(1, tf.div(tf.mul(shared, 2), total)), shared, total];
    }) as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
    (save as tf.GradSaveFunc)([p as tf.Tensor, truth, shared, total]);
    return { value, gradFunc: gradient };
  });
  return op(masks) as tf.Tensor1D;
}

/** `2 (2 p Σpq - q total) / total²` */
function gradient(dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor {
  return tf.tidy(() => {
    const [p, truth, shared, total] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const scale = tf.div(tf.mul(dy, 2), total);
    const ofP = tf.mul(scale, tf.div(tf.mul(shared, 2), total));
    return tf.sub(tf.mul(p, tf.expandDims(ofP, 1)), tf.mul(truth, tf.expandDims(scale, 1)));
  });
}
