import { type ImageSize, resizeBilinear } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** `[R, count]`: a 1 at each index. Products with it take rows or columns, repeated ones too, with a gradient. */
export function oneHotRows(indices: Int32Array, count: number): tf.Tensor2D {
  const values = new Float32Array(indices.length * count);
  indices.forEach((index, row) => {
    values[row * count + index] = 1;
  });
  return tf.tensor2d(values, [indices.length, count]);
}

/** One image of a batch as a matrix: `[N, H, W, C]` to `[H * W, C]`. */
export function imageOf(maps: tf.Tensor4D, image: number): tf.Tensor2D {
  const [, height, width, channels] = maps.shape;
  return tf.reshape(tf.slice(maps, [image, 0, 0, 0], [1, height, width, channels]), [height * width, channels]);
}

/** Some channels of one image, each a row: `[N, H, W, C]` to `[R, H * W]`. */
export function channelsOf(maps: tf.Tensor4D, image: number, channels: Int32Array): tf.Tensor2D {
  return tf.matMul(oneHotRows(channels, maps.shape[3]), imageOf(maps, image), false, true);
}

/** Maps that are rows, at another size: `[R, h * w]` to `[R, height * width]`. */
export function resizeRowMaps(rows: tf.Tensor2D, from: ImageSize, to: ImageSize | undefined): tf.Tensor2D {
  if (to === undefined || (from[0] === to[0] && from[1] === to[1])) return rows;
  const maps = tf.reshape(rows, [rows.shape[0], from[0], from[1], 1]) as tf.Tensor4D;
  return tf.reshape(resizeBilinear(maps, to), [rows.shape[0], to[0] * to[1]]);
}
