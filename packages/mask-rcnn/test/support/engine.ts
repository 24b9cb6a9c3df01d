import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** The engine of the tests that run whole networks. */
export async function useFastEngine(): Promise<void> {
  await tf.setBackend('wasm');
  await tf.ready();
}
