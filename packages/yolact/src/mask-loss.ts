import * as tf from '@tensorflow/tfjs-core';
import { cropWindow, forEachInside } from './crop.ts';

/** The masks that an image's positives should have. */
export interface MaskTruth {
  /** `[M * 4]`: the objects' own boxes, as shares of the image. */
  readonly boxes: Float32Array;
  /** M maps of `[H * W]`, 0 or 1. */
  readonly targets: readonly Float32Array[];
}

/**
 * How wrong the masks of one image's positives are: binary cross-entropy inside each object's own box, as a mean over
 * the box: `[M]`. What of an object lies outside its box costs 100 a cell, without a gradient, as in the original.
 * @param prototypes `[H, W, k]`
 * @param coefficients `[M, k]`
 * @see Bolya et al. 2019, section 3.4 (arXiv:1904.02689)
 */
export function maskLoss(
  prototypes: tf.Tensor3D,
  coefficients: tf.Tensor2D,
  { boxes, targets }: MaskTruth,
): tf.Tensor1D {
  const [height, width, count] = prototypes.shape;
  const cells = height * width;
  const inside = new Float32Array(targets.length * cells);
  const wanted = new Float32Array(targets.length * cells);
  const weights = new Float32Array(targets.length); // one over the area of the box, in cells
  for (const [m, target] of targets.entries()) {
    forEachInside(cropWindow(boxes, m, [height, width]), width, (cell) => {
      inside[m * cells + cell] = 1;
    });
    wanted.set(target, m * cells);
    const [x1, y1, x2, y2] = boxes.subarray(m * 4, m * 4 + 4) as unknown as [number, number, number, number];
    weights[m] = 1 / ((x2 - x1) * width) / ((y2 - y1) * height);
  }
  return tf.tidy(() => {
    const maps = tf.reshape(prototypes, [cells, count]);
    const logits = tf.matMul(coefficients, maps, false, true) as tf.Tensor2D; // [M, H * W]
    const shape: [number, number] = [targets.length, cells];
    const losses = croppedCrossEntropy(logits, tf.tensor2d(inside, shape), tf.tensor2d(wanted, shape));
    return tf.mul(tf.sum(losses, 1), tf.tensor1d(weights));
  });
}

/**
 * The masks themselves, how probable each cell is, 0 outside of the boxes: `[M, H, W]`. On the tape where there is one.
 * @param boxes `[M * 4]`, as shares of the image
 */
export function croppedMasks(prototypes: tf.Tensor3D, coefficients: tf.Tensor2D, boxes: Float32Array): tf.Tensor3D {
  const [height, width, count] = prototypes.shape;
  const cells = height * width;
  const rows = coefficients.shape[0];
  const inside = new Float32Array(rows * cells);
  for (let m = 0; m < rows; m++) {
    forEachInside(cropWindow(boxes, m, [height, width]), width, (cell) => {
      inside[m * cells + cell] = 1;
    });
  }
  return tf.tidy(() => {
    const logits = tf.matMul(coefficients, tf.reshape(prototypes, [cells, count]), false, true);
    return tf.reshape(tf.mul(tf.sigmoid(logits), tf.tensor2d(inside, [rows, cells])), [rows, height, width]);
  });
}

/** PyTorch cuts the logarithms of its binary cross-entropy here, and the denominator of its gradient there. */
const LOWEST_LOG = -100;
const LOWEST_VARIANCE = 1e-12;

/**
 * Cross-entropy of sigmoids that are 0 where `inside` is 0. With probabilities, as the original has it, and not with
 * logits: where a sigmoid is exactly 0 or 1 the loss is 100 and there is no gradient.
 */
function croppedCrossEntropy(logits: tf.Tensor2D, inside: tf.Tensor2D, targets: tf.Tensor2D): tf.Tensor2D {
  const op = tf.customGrad((x, save) => {
    const value = tf.tidy(() => {
      const p = tf.mul(tf.sigmoid(x as tf.Tensor2D), inside);
      const log = (of: tf.Tensor): tf.Tensor => tf.maximum(tf.log(of), LOWEST_LOG);
      const likely = tf.add(tf.mul(targets, log(p)), tf.mul(tf.sub(1, targets), log(tf.sub(1, p))));
      return tf.neg(likely) as tf.Tensor2D;
    });
    (save as tf.GradSaveFunc)([x as tf.Tensor2D, inside, targets]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor =>
      tf.tidy(() => {
        const [logit, crop, target] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const p = tf.sigmoid(logit);
        const variance = tf.mul(p, tf.sub(1, p));
        const share = tf.div(variance, tf.maximum(variance, LOWEST_VARIANCE)); // 1, but for saturated sigmoids
        return tf.mul(tf.mul(dy, crop), tf.mul(tf.sub(p, target), share));
      });
    return { value, gradFunc };
  });
  return op(logits) as tf.Tensor2D;
}
