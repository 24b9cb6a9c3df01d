import type { ImageSize } from '@rcnn/core';
import { type HostMap, multiplySparse, type SparseRows, transposeSparse } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import type { PlacedPoints } from './place-points.ts';

/**
 * Reads maps at points: bilinear between the centers of four cells, zeros outside of the map (where RoIAlign takes the
 * nearest cell); a place that is no number lies outside. `[N, H, W, C]` to `[M, C]`. The gradient goes to the maps.
 * @see Kirillov et al. 2020, section 3 (arXiv:1912.08193)
 */
export function samplePoints(maps: tf.Tensor4D, points: PlacedPoints): tf.Tensor2D {
  const [images, height, width, channels] = maps.shape;
  const matrix = tapsMatrix(points, images, [height, width]);
  const op = tf.customGrad(() => ({
    value: tf.tidy(() => multiplySparse(matrix, tf.reshape(maps, [matrix.columns, channels]))),
    gradFunc: (dy: tf.Tensor): tf.Tensor =>
      tf.tidy(() => tf.reshape(multiplySparse(transposeSparse(matrix), dy as tf.Tensor2D), maps.shape)),
  }));
  return op(maps) as tf.Tensor2D;
}

/** {@link samplePoints} of maps on the host: `[M * C]`. */
export function sampleHostMaps({ data, shape }: HostMap, { images, places }: PlacedPoints): Float32Array {
  const [, height, width, channels] = shape;
  const values = new Float32Array(images.length * channels);
  visitTaps(places, [height, width], (point, cell, weight) => {
    const from = (images[point]! * height * width + cell) * channels;
    const to = point * channels;
    for (let c = 0; c < channels; c++) values[to + c]! += weight * data[from + c]!;
  });
  return values;
}

/** The same of one map of one channel, on the host: `places` as in {@link PlacedPoints}. */
export function sampleValues(map: ArrayLike<number>, size: ImageSize, places: Float32Array): Float32Array {
  const values = new Float32Array(places.length / 2);
  visitTaps(places, size, (point, cell, weight) => {
    values[point]! += weight * map[cell]!;
  });
  return values;
}

/** A row for each point, with up to four cells. */
function tapsMatrix({ images, places }: PlacedPoints, count: number, size: ImageSize): SparseRows {
  const cells = size[0] * size[1];
  const starts = new Int32Array(images.length + 1);
  visitTaps(places, size, (point) => {
    starts[point + 1]!++;
  });
  for (let i = 0; i < images.length; i++) starts[i + 1]! += starts[i]!;
  const indices = new Int32Array(starts.at(-1)!);
  const weights = new Float32Array(starts.at(-1)!);
  let at = 0; // points are visited in order
  visitTaps(places, size, (point, cell, weight) => {
    indices[at] = images[point]! * cells + cell;
    weights[at++] = weight;
  });
  return { rows: images.length, columns: count * cells, starts, indices, weights };
}

/** Calls `visit` for the cells inside of the map that each point reads. */
function visitTaps(
  places: Float32Array,
  [height, width]: ImageSize,
  visit: (point: number, cell: number, weight: number) => void,
): void {
  for (let point = 0; 2 * point < places.length; point++) {
    const [x, y] = [places[2 * point]!, places[2 * point + 1]!];
    const [left, top] = [Math.floor(x), Math.floor(y)];
    for (let row = Math.max(0, top); row <= Math.min(height - 1, top + 1); row++) {
      const ofRow = 1 - Math.abs(y - row);
      for (let column = Math.max(0, left); column <= Math.min(width - 1, left + 1); column++) {
        visit(point, row * width + column, ofRow * (1 - Math.abs(x - column)));
      }
    }
  }
}
