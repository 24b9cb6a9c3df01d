import * as tf from '@tensorflow/tfjs-core';

export interface ResizeBilinearOptions {
  /** Whether the centers of the corner cells stay where they are, instead of the map's edges. Default false. */
  readonly alignCorners?: boolean | undefined;
}

/**
 * A map at another size, bilinear without antialias, as PyTorch's `interpolate`: half-pixel centers unless
 * `alignCorners`. `[N, H, W, C]` to `[N, height, width, C]`.
 *
 * A product with a matrix of weights for each axis, forward and backward: TensorFlow.js has no gradient of its own resize
 * with half-pixel centers. On a tape it keeps nothing.
 */
export function resizeBilinear(
  x: tf.Tensor4D,
  [height, width]: readonly [height: number, width: number],
  { alignCorners = false }: ResizeBilinearOptions = {},
): tf.Tensor4D {
  const [, oldHeight, oldWidth] = x.shape;
  if (height === oldHeight && width === oldWidth) return tf.clone(x);
  const resize = (map: tf.Tensor4D, back: boolean): tf.Tensor4D =>
    tf.tidy(() => {
      const rows = tf.tensor3d(axisWeights(oldHeight, height, alignCorners), [1, height, oldHeight]);
      const columns = tf.tensor3d(axisWeights(oldWidth, width, alignCorners), [1, width, oldWidth]);
      return alongColumns(alongRows(map, rows, back), columns, back);
    });
  const op = tf.customGrad((map) => ({
    value: resize(map as tf.Tensor4D, false),
    gradFunc: (dy: tf.Tensor) => resize(dy as tf.Tensor4D, true),
  }));
  return op(x) as tf.Tensor4D;
}

/** `[N, H, W, C]` to `[N, H', W, C]` by weights `[1, H', H]`; the other way when `back`. */
function alongRows(x: tf.Tensor4D, weights: tf.Tensor3D, back: boolean): tf.Tensor4D {
  const [count, height, width, channels] = x.shape;
  if (weights.shape[1] === weights.shape[2]) return x;
  const product = tf.matMul(weights, tf.reshape(x, [count, height, width * channels]), back);
  return tf.reshape(product, [count, weights.shape[back ? 2 : 1], width, channels]);
}

/** `[N, H, W, C]` to `[N, H, W', C]` by weights `[1, W', W]`; the other way when `back`. */
function alongColumns(x: tf.Tensor4D, weights: tf.Tensor3D, back: boolean): tf.Tensor4D {
  const [count, height, width, channels] = x.shape;
  if (weights.shape[1] === weights.shape[2]) return x;
  const product = tf.matMul(weights, tf.reshape(x, [count * height, width, channels]), back);
  return tf.reshape(product, [count, height, weights.shape[back ? 2 : 1], channels]);
}

const { fround } = Math;

/** How much of each old cell is in each new one: `[to * from]`. Positions are float32, as PyTorch's are. */
function axisWeights(from: number, to: number, alignCorners: boolean): Float32Array {
  const weights = new Float32Array(to * from);
  const corners = to > 1 ? fround((from - 1) / (to - 1)) : 0;
  const step = alignCorners ? corners : fround(from / to);
  for (let i = 0; i < to; i++) {
    const source = alignCorners ? fround(step * i) : Math.max(0, fround(fround(step * (i + 0.5)) - 0.5));
    const low = Math.min(Math.floor(source), from - 1);
    const share = Math.min(1, fround(source - low)); // of the next cell
    weights[i * from + low]! += 1 - share;
    weights[i * from + Math.min(low + 1, from - 1)]! += share;
  }
  return weights;
}
