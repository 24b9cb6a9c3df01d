import * as tf from '@tensorflow/tfjs-core';

/**
 * The rows of `x` at `rows`, none of which may come twice: `[rows, width]`. The gradient is a gather as well, of the
 * rows' gradients and zeros. That of `tf.gather` would add up segments, which the `cpu` engine does by going through
 * all of them for every row of `x`.
 */
export function takeRows(x: tf.Tensor2D, rows: Int32Array): tf.Tensor2D {
  const [count, width] = x.shape;
  const op = tf.customGrad((input) => ({
    value: tf.tidy(() => tf.gather(input as tf.Tensor2D, tf.tensor1d(rows, 'int32'))),
    gradFunc: (dy: tf.Tensor) =>
      tf.tidy(() => {
        const places = new Int32Array(count).fill(rows.length);
        rows.forEach((row, i) => {
          places[row] = i;
        });
        const withZeros = tf.concat([dy as tf.Tensor2D, tf.zeros<tf.Rank.R2>([1, width])], 0);
        return tf.gather(withZeros, tf.tensor1d(places, 'int32'));
      }),
  }));
  return op(x) as tf.Tensor2D;
}
