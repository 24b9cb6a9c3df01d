import '@rcnn/tfjs-backend-onnxruntime';
import * as tf from '@tensorflow/tfjs-core';

/** The engine of the tests that run whole networks: RCNN_ENGINE, or onnxruntime, which is always there. */
export async function useFastEngine(): Promise<void> {
  await tf.setBackend('onnxruntime');
  await tf.ready();
}
