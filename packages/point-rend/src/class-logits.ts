import * as tf from '@tensorflow/tfjs-core';

/**
 * Of each row the logit of its region's own class: `[R * P, K]` to `[R * P]`.
 * @param labels `[R]`, 1 to K; 0, the background, has no mask
 */
export function logitsOfClass(logits: tf.Tensor2D, labels: Int32Array): tf.Tensor1D {
  return tf.tidy(() => {
    const [rows, classes] = logits.shape;
    const perRegion = labels.length === 0 ? 0 : rows / labels.length;
    const columns = Int32Array.from({ length: rows }, (_, i) => labels[Math.floor(i / perRegion)]! - 1);
    const chosen = tf.oneHot(tf.tensor1d(columns, 'int32'), classes, 1, 0, 'float32');
    return tf.sum(tf.mul(logits, chosen), 1) as tf.Tensor1D;
  });
}
