import { bceWithLogits } from '@rcnn/boxes';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Cross-entropy that forgets what is already right: `-α (1 - p)^γ log p` of each logit.
 * @see Lin et al. 2017, section 3 (arXiv:1708.02002)
 */
export function focalLoss<T extends tf.Tensor>(logits: T, targets: T, alpha = 0.25, gamma = 2): T {
  return tf.tidy(() => {
    const wrong = tf.abs(tf.sub(targets, tf.sigmoid(logits))); // 1 - p of the true answer; never exactly 0 below
    const weight = tf.add(tf.mul(targets, alpha), tf.mul(tf.sub(1, targets), 1 - alpha));
    return tf.mul(tf.mul(weight, tf.pow(wrong, gamma)), bceWithLogits(logits, targets));
  }) as T;
}
