import * as tf from '@tensorflow/tfjs-core';
import { padMap } from './convolution.ts';

/** Lower than every float32 that a map holds, and finite, because shaders have no infinity. */
const LOWEST = -3.4028234663852886e38;

/**
 * Max-pooling with explicit padding, as in PyTorch: the border never wins. The padding is a step of its own because
 * the native TensorFlow binding rejects it inside the pool.
 *
 * @param x `[N, H, W, C]`
 * @returns `[N, floor((H + 2 padding - kernel) / stride) + 1, …, C]`
 */
export function maxPool2d(
  x: tf.Tensor4D,
  { kernelSize, stride = kernelSize, padding = 0 }: { kernelSize: number; stride?: number; padding?: number },
): tf.Tensor4D {
  return tf.tidy(() => tf.maxPool(padding === 0 ? x : padMap(x, padding, LOWEST), kernelSize, stride, 'valid'));
}
