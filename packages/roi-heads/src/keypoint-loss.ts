import { softmaxCrossEntropy } from '@rcnn/boxes';
import { RcnnError, zeroOf } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { KeypointTargets } from './keypoint-targets.ts';

/**
 * Cross-entropy over all cells of a heatmap, one place being right: mean over the valid points. None: 0. On the tape
 * where there is one.
 * @param logits `[R, K, S, S]`
 * @throws SHAPE_MISMATCH
 * @see He et al. 2017, section 5 (arXiv:1703.06870)
 */
export function keypointLoss(logits: tf.Tensor4D, { cells, valid }: KeypointTargets): tf.Scalar {
  const [regions, points, height, width] = logits.shape;
  if (cells.length !== regions * points) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'keypointLoss',
      problem: 'one target for each heatmap is needed',
      found: `${cells.length}`,
      expected: `${regions} regions times ${points} key points`,
    });
  }
  const rows = Int32Array.from(valid.keys()).filter((row) => valid[row] === 1);
  if (rows.length === 0) return zeroOf(logits);
  return tf.tidy(() => {
    const heatmaps = tf.reshape(logits, [regions * points, height * width]) as tf.Tensor2D;
    const learning = tf.gather(heatmaps, tf.tensor1d(rows, 'int32'));
    const places = rows.map((row) => cells[row]!);
    return tf.mean(softmaxCrossEntropy(learning, places)) as tf.Scalar;
  });
}
