import { smoothL1 } from '@rcnn/boxes';
import { concatFloats, withoutGradients } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { MaskIoUNet } from './mask-iou-net.ts';

/** Masks of one image with what they should be. */
export interface RatedMasks {
  /** `[R, H, W]`: probabilities, cut to their boxes. */
  readonly masks: tf.Tensor3D;
  /** R maps of `[H * W]`, 0 or 1. */
  readonly targets: readonly Float32Array[];
  /** `[R]` */
  readonly labels: Int32Array;
}

/** Objects of this many cells or fewer are too small to be rated. */
const LEAST_AREA = 25;

/**
 * How far the rating of masks is off: the sum of smooth L1 between what the network says of each mask and its real IoU
 * with the truth. Objects of 25 cells and fewer are left out. Gradients reach the network and the masks.
 * @see Bolya et al. 2019, section 6.1 (arXiv:1912.06218)
 */
export function maskIoULoss(net: MaskIoUNet, { masks, targets, labels }: RatedMasks): tf.Scalar {
  const rows = keptRows(targets);
  if (rows.length === 0) return tf.scalar(0);
  return tf.tidy(() => {
    const [, height, width] = masks.shape;
    const wanted = concatFloats(Array.from(rows, (row) => targets[row]!));
    const truth = tf.tensor3d(wanted, [rows.length, height, width]);
    const rated = tf.gather(masks, tf.tensor1d(rows, 'int32'));
    const real = withoutGradients(() => iouWith(rated, truth));
    const said = net.forward(
      rated,
      Int32Array.from(rows, (row) => labels[row]!),
    );
    return tf.sum(smoothL1(tf.sub(said, real), 1)) as tf.Scalar;
  });
}

/** The objects that are large enough. */
export function keptRows(targets: readonly Float32Array[]): Int32Array {
  const rows = [...targets.keys()].filter((row) => targets[row]!.reduce((sum, cell) => sum + cell, 0) > LEAST_AREA);
  return Int32Array.from(rows);
}

/** IoU of what is more probable than not with the truth: `[R]`. */
export function iouWith(masks: tf.Tensor3D, truth: tf.Tensor3D): tf.Tensor1D {
  return tf.tidy(() => {
    const found = tf.cast(tf.greater(masks, 0.5), 'float32');
    const both = tf.sum(tf.mul(found, truth), [1, 2]);
    const either = tf.sub(tf.add(tf.sum(found, [1, 2]), tf.sum(truth, [1, 2])), both);
    return tf.div(both, either) as tf.Tensor1D;
  });
}
