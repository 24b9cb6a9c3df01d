import '@tensorflow/tfjs-backend-cpu';
import '@rcnn/tfjs-backend-onnxruntime';
import * as tf from '@tensorflow/tfjs-core';

/** Imported for its effect: the tests of this package run toy sizes on plain JavaScript, unless told otherwise. */
export const ready: Promise<boolean> = tf.setBackend(process.env.RCNN_ENGINE ?? 'cpu');
