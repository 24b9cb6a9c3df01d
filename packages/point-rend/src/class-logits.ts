import { oneHot } from '@rcnn/boxes';
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
    return tf.sum(tf.mul(logits, oneHot(columns, classes)), 1) as tf.Tensor1D;
  });
}

/** The same on the host: `[R * P * K]` to `[R * P]`. */
export function hostLogitsOfClass(logits: Float32Array, labels: Int32Array, classes: number): Float32Array {
  const rows = logits.length / classes;
  const perRegion = rows / labels.length;
  return Float32Array.from({ length: rows }, (_, i) => logits[i * classes + labels[Math.floor(i / perRegion)]! - 1]!);
}
