import * as tf from '@tensorflow/tfjs-core';

/**
 * The gradient of nearest-neighbour resizing, as tfjs has it, but one image at a time on the `cpu` engine: its kernel
 * (4.22) steps from one image of `dy` to the next by the size of the smaller image, so all but the first are wrong.
 */
tf.registerGradient({
  kernelName: tf.ResizeNearestNeighbor,
  inputsToSave: ['images'],
  gradFunc: (dy, saved, attrs) => {
    const [images] = saved as [tf.Tensor4D];
    return { images: () => tf.tidy(() => gradient(dy as tf.Tensor4D, images, attrs)) };
  },
});

function gradient(dy: tf.Tensor4D, images: tf.Tensor4D, attrs: tf.NamedAttrMap): tf.Tensor {
  const [count, ...shape] = images.shape;
  if (tf.getBackend() !== 'cpu' || count <= 1) return run(dy, images, attrs);
  const like = tf.zeros<tf.Rank.R4>([1, ...shape]); // the kernel only asks for its shape
  return tf.concat(
    tf.split<tf.Tensor4D>(dy, count).map((part) => run(part, like, attrs)),
    0,
  );
}

function run(dy: tf.Tensor4D, images: tf.Tensor4D, attrs: tf.NamedAttrMap): tf.Tensor4D {
  return tf.engine().runKernel(tf.ResizeNearestNeighborGrad, { dy, images }, attrs) as tf.Tensor4D;
}
