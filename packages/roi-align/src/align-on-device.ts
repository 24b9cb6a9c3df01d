import * as tf from '@tensorflow/tfjs-core';
import { visitTaps } from './align-in-js.ts';
import type { Maps, PlacedRoIs, RoIAlignShape } from './placed-rois.ts';
import { multiplySparse, type SparseRows, transposeSparse } from './sparse-rows.ts';

/**
 * RoIAlign in plain ops, for engines whose tensors live on a GPU. RoIs are known on the host, so what they read is a
 * sparse matrix: one row per bin, one column per cell of all maps. Backward multiplies by its transpose.
 */
export function alignOnDevice(
  features: readonly tf.Tensor4D[],
  maps: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): { value: tf.Tensor4D; gradFunc: (dy: tf.Tensor) => tf.Tensor[] } {
  const matrix = tapMatrix(maps, rois, shape);
  const { channels, images, shapes } = maps;
  const value = tf.tidy(() => {
    const cells = features.map((map) => tf.reshape(map, [-1, channels]) as tf.Tensor2D);
    const bins = multiplySparse(matrix, tf.concat(cells, 0));
    return tf.reshape(bins, [rois.count, shape.height, shape.width, channels]);
  }) as tf.Tensor4D;
  const gradFunc = (dy: tf.Tensor): tf.Tensor[] =>
    tf.tidy(() => {
      const bins = tf.reshape(dy, [matrix.rows, channels]) as tf.Tensor2D;
      const cells = multiplySparse(transposeSparse(matrix), bins);
      const sizes = shapes.map(({ height, width }) => images * height * width);
      return tf
        .split(cells, sizes, 0)
        .map((ofLevel, i) => tf.reshape(ofLevel, [images, shapes[i]!.height, shapes[i]!.width, channels]));
    });
  return { value, gradFunc };
}

/** How every bin (rows) reads every cell (columns): level after level, images inside. */
function tapMatrix({ shapes, images }: Maps, rois: PlacedRoIs, shape: RoIAlignShape): SparseRows {
  const origins = [0];
  for (const { height, width } of shapes) origins.push(origins.at(-1)! + images * height * width);
  const rows = rois.count * shape.height * shape.width;
  const starts = new Int32Array(rows + 1);
  visitTaps(shapes, rois, shape, (_level, _cell, bin) => {
    starts[bin + 1]!++;
  });
  for (let i = 0; i < rows; i++) starts[i + 1]! += starts[i]!;
  const indices = new Int32Array(starts[rows]!);
  const weights = new Float32Array(starts[rows]!);
  let at = 0; // bins are visited in order
  visitTaps(shapes, rois, shape, (level, cell, _bin, weight) => {
    indices[at] = origins[level]! + cell;
    weights[at++] = weight;
  });
  return { rows, columns: origins.at(-1)!, starts, indices, weights };
}
