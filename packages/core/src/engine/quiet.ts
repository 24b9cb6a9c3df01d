import * as tf from '@tensorflow/tfjs-core';

/**
 * Runs `body` without tfjs's warnings. Loading an engine makes dozens of them ("kernel already registered", "platform
 * has already been set") that mean nothing to a user; what does matter is reported by the caller.
 */
export async function quietly<T>(body: () => Promise<T>): Promise<T> {
  const before = tf.env().getBool('PROD');
  tf.env().set('PROD', true);
  try {
    return await body();
  } finally {
    tf.env().set('PROD', before);
  }
}
