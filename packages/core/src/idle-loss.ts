import * as tf from '@tensorflow/tfjs-core';
import { type ParameterOwner, trainableParameters } from './module.ts';

/**
 * The loss of a part that has nothing to learn from in a batch: 0, with zeros as gradients of its trainable parameters, as
 * PyTorch's detectors have them. Without any, an optimiser would pass the part over, where theirs moves it on by its
 * momentum and decays it.
 */
export function idleLoss(part: ParameterOwner): tf.Scalar {
  return tf.tidy(() => {
    const sums = [...trainableParameters(part).values()].map(({ value }) => tf.sum(value));
    return sums.length === 0 ? tf.scalar(0) : zeroOf(tf.addN(sums));
  });
}

/** 0, with zeros as gradients of what `x` was made of. On the tape where there is one. */
export function zeroOf(x: tf.Tensor): tf.Scalar {
  return tf.tidy(() => tf.add(tf.mul(tf.sum(x), 0), 0) as tf.Scalar); // not -0
}
