import * as tf from '@tensorflow/tfjs-core';
import type { ImageSize } from '../types.ts';

/**
 * Bilinear resize of maps inside a model: half-pixel centers, clamped edges, no antialias (PyTorch's
 * `align_corners=False`). `[N, H, W, C]` to `[N, H', W', C]`.
 *
 * Each side is a product with a small matrix of two entries per row, and the gradient the product with its transpose:
 * right on every engine, where tfjs' own gradient of a bilinear resize ignores the half pixel.
 *
 * @param size `[H', W']`
 */
export function resizeBilinear(x: tf.Tensor4D, [height, width]: ImageSize): tf.Tensor4D {
  const [, h, w] = x.shape;
  if (h === height && w === width) return tf.clone(x);
  const op = tf.customGrad((maps) => {
    const value = tf.tidy(() => {
      const down = alongRows(maps as tf.Tensor4D, bilinearMatrix(h, height), false);
      return alongColumns(down, bilinearMatrix(w, width), false);
    });
    const gradFunc = (dy: tf.Tensor): tf.Tensor =>
      tf.tidy(() => {
        const across = alongColumns(dy as tf.Tensor4D, bilinearMatrix(w, width), true);
        return alongRows(across, bilinearMatrix(h, height), true);
      });
    return { value, gradFunc };
  });
  return op(x) as tf.Tensor4D;
}

/** `[1, to, from]`: how much of each old cell is in each new one. Positions are float32, as PyTorch's. */
function bilinearMatrix(from: number, to: number): tf.Tensor3D {
  const { fround } = Math;
  const values = new Float32Array(to * from);
  const step = fround(from / to);
  for (let i = 0; i < to; i++) {
    const source = Math.max(0, fround(fround(step * fround(i + 0.5)) - 0.5));
    const low = Math.min(Math.floor(source), from - 1);
    const high = Math.min(low + 1, from - 1);
    const weight = fround(source - low);
    values[i * from + low]! += 1 - weight;
    values[i * from + high]! += weight;
  }
  return tf.tensor3d(values, [1, to, from]);
}

function alongRows(x: tf.Tensor4D, matrix: tf.Tensor3D, transpose: boolean): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const rows = transpose ? matrix.shape[2] : matrix.shape[1];
  if (matrix.shape[1] === matrix.shape[2]) return x;
  return tf.reshape(tf.matMul(matrix, tf.reshape(x, [n, h, w * c]), transpose), [n, rows, w, c]);
}

function alongColumns(x: tf.Tensor4D, matrix: tf.Tensor3D, transpose: boolean): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const columns = transpose ? matrix.shape[2] : matrix.shape[1];
  if (matrix.shape[1] === matrix.shape[2]) return x;
  return tf.reshape(tf.matMul(matrix, tf.reshape(x, [n * h, w, c]), transpose), [n, h, columns, c]);
}
