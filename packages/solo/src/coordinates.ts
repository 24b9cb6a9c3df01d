import * as tf from '@tensorflow/tfjs-core';

/** Which coordinates a branch is told: decoupled heads tell each of their two towers one. */
export type Axes = 'xy' | 'x' | 'y';

/**
 * The place of each cell of a map as channels, x before y: from -1 at the first cell to 1 at the last; a side of one cell
 * is at -1. `[N, H, W, 1 or 2]`.
 * @see Liu et al. 2018, CoordConv (arXiv:1807.03247)
 */
export function coordinates(
  [n, height, width]: readonly [n: number, height: number, width: number, ...rest: number[]],
  axes: Axes = 'xy',
): tf.Tensor4D {
  return tf.tidy(() => {
    const parts = axes.split('').map((axis) => {
      if (axis === 'x') return tf.tile(tf.tensor4d(linspace(width), [1, 1, width, 1]), [n, height, 1, 1]);
      return tf.tile(tf.tensor4d(linspace(height), [1, height, 1, 1]), [n, 1, width, 1]);
    });
    return tf.concat(parts, 3);
  });
}

/** Maps with the place of each cell as their last channels. `[N, H, W, C]` to `[N, H, W, C + 1 or 2]`. */
export function withCoordinates(x: tf.Tensor4D, axes: Axes = 'xy'): tf.Tensor4D {
  return tf.tidy(() => tf.concat([x, coordinates(x.shape, axes)], 3));
}

function linspace(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (count === 1 ? -1 : (2 * i) / (count - 1) - 1));
}
