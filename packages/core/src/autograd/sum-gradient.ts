import * as tf from '@tensorflow/tfjs-core';

/**
 * The gradients of sums and means: every number that went in gets what its sum got. tfjs multiplies by ones that it writes
 * one by one in JavaScript, a twentieth of some training steps; a copy gives the same bits.
 */
for (const kernelName of [tf.Sum, tf.Mean]) {
  tf.registerGradient({
    kernelName,
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attrs) => {
      const [x] = saved as [tf.Tensor];
      const total = dy as tf.Tensor;
      const share = () => (kernelName === tf.Sum ? total : tf.div(total, x.size / total.size));
      return { x: () => tf.tidy(() => copied(share(), x.shape, attrs['axis'] as number[])) };
    },
  });
}

function copied(total: tf.Tensor, shape: number[], axis: number | number[]): tf.Tensor {
  if (shape.includes(0)) return tf.zeros(shape);
  const summed = new Set(tf.util.parseAxisParam(axis, shape));
  const kept = shape.map((size, i) => (summed.has(i) ? 1 : size));
  const each = tf.reshape(total, kept);
  // The kernel of the plain engine that copies takes five times as long as the one that multiplies.
  return tf.getBackend() === 'cpu' ? tf.mul(each, tf.ones(shape)) : tf.broadcastTo(each, shape);
}
