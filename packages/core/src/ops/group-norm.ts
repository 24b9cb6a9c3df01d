import * as tf from '@tensorflow/tfjs-core';

/**
 * Group norm: `y = (x - mean) / sqrt(variance + epsilon) · weight + bias`, with mean and variance of each image and
 * group of channels.
 *
 * Its gradient is one formula instead of the chain of its steps, which would go over the maps several times more often;
 * it keeps one map.
 *
 * @param x `[N, H, W, C]`, not empty
 * @param weight `[C]`, and `bias` as well
 * @param groups divides C
 * @see Wu and He 2018 (arXiv:1803.08494), section 3
 */
export function groupNorm(
  x: tf.Tensor4D,
  weight: tf.Tensor,
  bias: tf.Tensor,
  { groups, epsilon }: { readonly groups: number; readonly epsilon: number },
): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const grouped: [number, number, number, number] = [n, h * w, groups, c / groups];
  /** `[N, 1, G, 1]` to `[N, 1, 1, C]`: the same number for every channel of a group. */
  const perChannel = (values: tf.Tensor): tf.Tensor => tf.reshape(tf.tile(values, [1, 1, 1, c / groups]), [n, 1, 1, c]);
  const op = tf.customGrad((...args: unknown[]) => {
    const [maps, scale, shift, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const [value, centred, deviation] = tf.tidy(() => {
      const parts = tf.reshape(maps, grouped);
      const apart = tf.sub(parts, tf.mean(parts, [1, 3], true));
      const variance = tf.mean(tf.square(apart), [1, 3], true);
      const root = perChannel(tf.sqrt(tf.add(variance, epsilon)));
      const whole = tf.reshape(apart, x.shape);
      return [tf.add(tf.mul(whole, tf.div(scale, root)), shift), whole, root];
    }) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    save([centred, deviation, scale]);
    return { value, gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => gradients(dy, saved, groups) as tf.Tensor[] };
  });
  return op(x, weight, bias) as tf.Tensor4D;
}

/**
 * With `m` numbers per group, `g = dy · weight` and the sums over a group:
 * `dx = (g - sum(g) / m - centred · sum(g · centred) / (m deviation²)) / deviation`. Sums over pixels come first: they
 * are the only passes over the maps, and what the weights want.
 */
function gradients(dy: tf.Tensor, [centred, deviation, weight]: tf.Tensor[], groups: number): tf.Tensor[] {
  return tf.tidy(() => {
    const [n, h, w, c] = dy.shape as [number, number, number, number];
    const m = (h * w * c) / groups;
    const overGroup = (values: tf.Tensor): tf.Tensor => {
      const sums = tf.sum(tf.reshape(tf.mul(values, weight!), [n, 1, groups, c / groups]), 3, true);
      return tf.reshape(tf.tile(tf.div(sums, m), [1, 1, 1, c / groups]), [n, 1, 1, c]);
    };
    const sum = tf.sum(dy, [1, 2], true); // [N, 1, 1, C]
    const correlation = tf.sum(tf.mul(dy, centred!), [1, 2], true);
    const perCentred = tf.neg(tf.div(overGroup(correlation), tf.pow(deviation!, 3)));
    const shift = tf.neg(tf.div(overGroup(sum), deviation!));
    const dx = tf.add(tf.mul(dy, tf.div(weight!, deviation!)), tf.add(tf.mul(centred!, perCentred), shift));
    const dWeight = tf.sum(tf.div(correlation, deviation!), [0, 1, 2]);
    return [dx, dWeight, tf.sum(sum, [0, 1, 2])];
  });
}
