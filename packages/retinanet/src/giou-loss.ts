import * as tf from '@tensorflow/tfjs-core';

/** Cut from above before `exp`, as when boxes are found. */
const MOST_LOG_SCALE = Math.log(1000 / 16);
/** Keeps divisions by an area of 0 away. */
const EPSILON = 1e-7;

type Sides = readonly [x1: tf.Tensor, y1: tf.Tensor, x2: tf.Tensor, y2: tf.Tensor];

/**
 * One minus the generalised IoU of the boxes that deltas lead to and the true ones: `[R]`. Gradients go to the deltas.
 * @param deltas `[R, 4]`: of centers in sides of the anchors, and logarithms of sides
 * @param anchors `[R * 4]`
 * @param truth `[R * 4]`
 * @see Rezatofighi et al. 2019, algorithm 1 (arXiv:1902.09630)
 */
export function giouLoss(deltas: tf.Tensor2D, anchors: Float32Array, truth: Float32Array): tf.Tensor1D {
  return tf.tidy(() => {
    const rows = deltas.shape[0];
    const column = (values: tf.Tensor, c: number): tf.Tensor => tf.slice(values, [0, c], [rows, 1]);
    const from = tf.tensor2d(anchors, [rows, 4]);
    const box = boxesOf(deltas, from, column);
    const gt = [0, 1, 2, 3].map((c) => column(tf.tensor2d(truth, [rows, 4]), c)) as unknown as Sides;
    const side = (low: tf.Tensor, high: tf.Tensor): tf.Tensor => tf.relu(tf.sub(high, low));
    const area = ([x1, y1, x2, y2]: Sides): tf.Tensor => tf.mul(tf.sub(x2, x1), tf.sub(y2, y1));
    const both = tf.mul(
      side(tf.maximum(box[0], gt[0]), tf.minimum(box[2], gt[2])),
      side(tf.maximum(box[1], gt[1]), tf.minimum(box[3], gt[3])),
    );
    const either = tf.sub(tf.add(area(box), area(gt)), both);
    const around = tf.mul(
      tf.sub(tf.maximum(box[2], gt[2]), tf.minimum(box[0], gt[0])),
      tf.sub(tf.maximum(box[3], gt[3]), tf.minimum(box[1], gt[1])),
    );
    const iou = tf.div(both, tf.add(either, EPSILON));
    const empty = tf.div(tf.sub(around, either), tf.add(around, EPSILON));
    return tf.reshape(tf.sub(1, tf.sub(iou, empty)), [rows]) as tf.Tensor1D;
  });
}

function boxesOf(deltas: tf.Tensor, from: tf.Tensor, column: (values: tf.Tensor, c: number) => tf.Tensor): Sides {
  const along = (c: 0 | 1): readonly [low: tf.Tensor, high: tf.Tensor] => {
    const side = tf.sub(column(from, c + 2), column(from, c));
    const center = tf.add(column(from, c), tf.mul(side, 0.5));
    const moved = tf.add(tf.mul(column(deltas, c), side), center);
    const half = tf.mul(tf.mul(tf.exp(tf.minimum(column(deltas, c + 2), MOST_LOG_SCALE)), side), 0.5);
    return [tf.sub(moved, half), tf.add(moved, half)];
  };
  const [[x1, x2], [y1, y2]] = [along(0), along(1)];
  return [x1, y1, x2, y2];
}
