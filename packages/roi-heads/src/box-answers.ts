import * as tf from '@tensorflow/tfjs-core';
import type { BoxPredictions } from './box-heads.ts';

/** What a network says of regions, on the host. */
export interface BoxAnswers {
  /** Class probabilities: `[R * K]`, background first. */
  readonly scores: Float32Array;
  /** `[R * K * 4]`, class-major, or `[R * 4]` for all classes together. */
  readonly deltas: Float32Array;
}

/** Predictions read back, as probabilities. */
export async function readAnswers(predict: () => BoxPredictions): Promise<BoxAnswers> {
  const onDevice = tf.tidy(() => {
    const { logits, deltas } = predict();
    return { scores: tf.softmax(logits), deltas };
  });
  try {
    const { scores, deltas } = onDevice;
    const values = await Promise.all([scores.data<'float32'>(), deltas.data<'float32'>()]);
    return { scores: values[0], deltas: values[1] };
  } finally {
    tf.dispose(onDevice);
  }
}
