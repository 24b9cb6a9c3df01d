import * as tf from '@tensorflow/tfjs-core';
import type { FusedActivation } from '../autograd/fused-gradients.ts';

/** Dense layer: `x [R, I]`, `weight [I, O]`, `bias [O]` to `[R, O]`, with the activation fused in. */
export function linear(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  bias?: tf.Tensor1D,
  activation: FusedActivation = 'linear',
): tf.Tensor2D {
  const rows = x.shape[0];
  const columns = weight.shape[1];
  if (rows === 0) return tf.zeros([0, columns]);
  return tf.tidy(() => {
    const inputs: Record<string, tf.Tensor> = {
      a: tf.reshape(x, [1, ...x.shape]),
      b: tf.reshape(weight, [1, ...weight.shape]),
    };
    if (bias !== undefined) inputs['bias'] = bias;
    const attrs = { transposeA: false, transposeB: false, activation };
    const y = tf.engine().runKernel(tf._FusedMatMul, inputs as tf.NamedTensorMap, attrs) as tf.Tensor;
    return tf.reshape(y, [rows, columns]);
  });
}
