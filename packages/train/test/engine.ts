import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';

/** Imported for its effect: the tests of this package run toy sizes on plain JavaScript. */
export const ready: Promise<boolean> = tf.setBackend('cpu');
