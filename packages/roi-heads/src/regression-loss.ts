import { type BoxCoding, smoothL1 } from '@rcnn/boxes';
import { rowsWhere, type Target, takeObjects, zeroOf } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { countRoIs, type SampledRoIs } from './rois.ts';
import { matchedBoxes } from './sample-regions.ts';

export interface RegressionLossOptions {
  readonly coder: BoxCoding;
  /** Where smooth L1 becomes straight; 0 is plain L1. Default 1/9, torchvision's. */
  readonly beta?: number | undefined;
}

/**
 * Smooth L1 between the deltas of the positives and those that lead to their true boxes: sum over the positives /
 * number of all sampled regions. On the tape where there is one.
 * @param deltas `[R, K * 4]`, of which those of the true class count, or `[R, 4]` for all classes together
 * @param sampled R regions, image by image; at least one
 * @see Girshick 2015, section 2.3 (arXiv:1504.08083)
 */
export function boxRegressionLoss(
  deltas: tf.Tensor2D,
  sampled: readonly SampledRoIs[],
  targets: readonly Pick<Target, 'boxes' | 'labels'>[],
  { coder, beta }: RegressionLossOptions,
): tf.Scalar {
  const classes = deltas.shape[1] / 4;
  const rows: number[] = []; // of deltas as [R * classes, 4]
  const truth: number[] = [];
  let start = 0;
  for (const [i, regions] of sampled.entries()) {
    const positives = rowsWhere(regions, (row) => regions.labels[row]! > 0);
    for (const row of positives) rows.push((start + row) * classes + (classes === 1 ? 0 : regions.labels[row]!));
    const chosen = takeObjects(regions, positives);
    truth.push(...coder.encode(matchedBoxes(chosen, targets[i]!), chosen.boxes));
    start += regions.labels.length;
  }
  if (rows.length === 0) return zeroOf(deltas);
  return tf.tidy(() => {
    const perClass = tf.reshape(deltas, [-1, 4]);
    const ofTrueClass = tf.gather(perClass, tf.tensor1d(rows, 'int32')); // [P, 4]
    const difference = tf.sub(ofTrueClass, tf.tensor2d(truth, [rows.length, 4]));
    return tf.div(tf.sum(smoothL1(difference, beta)), countRoIs(sampled)) as tf.Scalar;
  });
}
