import { RcnnError } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Smooth L1 of each difference: `d^2 / (2 beta)` below `beta`, `|d| - beta / 2` from there on. Its gradient is
 * `d / beta` cut to [-1, 1], which is 0 at 0, and with `beta` 0 (plain L1) the sign.
 * @param beta Default 1/9, the detection models'.
 * @see Girshick 2015, equation 3 (arXiv:1504.08083), with `beta` for its 1
 */
export function smoothL1<T extends tf.Tensor>(difference: T, beta: number = 1 / 9): T {
  const op = tf.customGrad((d, save) => {
    const x = d as tf.Tensor;
    (save as tf.GradSaveFunc)([x]);
    const value = tf.tidy(() => {
      const size = tf.abs(x);
      if (beta === 0) return size;
      const small = tf.minimum(size, beta);
      return tf.add(tf.mul(tf.square(small), 0.5 / beta), tf.sub(size, small));
    });
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor =>
      tf.tidy(() => {
        const [d] = saved as [tf.Tensor];
        return tf.mul(dy, beta === 0 ? tf.sign(d) : tf.clipByValue(tf.div(d, beta), -1, 1));
      });
    return { value, gradFunc };
  });
  return op(difference) as T;
}

/**
 * Binary cross-entropy of each logit with its target in [0, 1], soft targets included. Exact for logits of any size.
 * The gradient goes to the logits only: `sigmoid(logit) - target`.
 */
export function bceWithLogits<T extends tf.Tensor>(logits: T, targets: T): T {
  const op = tf.customGrad((x, save) => {
    const logit = x as tf.Tensor;
    (save as tf.GradSaveFunc)([logit, targets]);
    const value = tf.tidy(() => {
      const tail = tf.log1p(tf.exp(tf.neg(tf.abs(logit))));
      return tf.add(tf.sub(tf.relu(logit), tf.mul(logit, targets)), tail);
    });
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor =>
      tf.tidy(() => tf.mul(dy, tf.sub(tf.sigmoid(saved[0]!), saved[1]!)));
    return { value, gradFunc };
  });
  return op(logits) as T;
}

export interface FocalOptions {
  /** Weight of the positives; negatives have one minus it. Default 0.25. */
  readonly alpha?: number | undefined;
  /** How much what is found already counts for less. Default 2. */
  readonly gamma?: number | undefined;
}

/**
 * Focal loss of each logit with its target, which is 0 or 1: binary cross-entropy times `(1 - p)^gamma`, where `p` is the
 * probability given to the truth. Exact for logits of any size. The gradient goes to the logits only.
 * @see Lin et al. 2017, equation 5 (arXiv:1708.02002)
 */
export function sigmoidFocal<T extends tf.Tensor>(
  logits: T,
  targets: T,
  { alpha = 0.25, gamma = 2 }: FocalOptions = {},
): T {
  const op = tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([x as tf.Tensor, targets]);
    const value = tf.tidy(() => {
      const { weight, logTruth, miss } = focalParts(x as tf.Tensor, targets, alpha);
      return tf.neg(tf.mul(tf.mul(weight, tf.pow(miss, gamma)), logTruth));
    });
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor =>
      tf.tidy(() => {
        const { sign, weight, logTruth, miss } = focalParts(saved[0]!, saved[1]!, alpha);
        const slope = tf.sub(tf.mul(tf.mul(tf.sub(1, miss), logTruth), gamma), miss);
        return tf.mul(dy, tf.mul(tf.mul(sign, weight), tf.mul(tf.pow(miss, gamma), slope)));
      });
    return { value, gradFunc };
  });
  return op(logits) as T;
}

/** `miss` is the probability withheld from the truth, `logTruth` the logarithm of the one that is given to it. */
function focalParts(logits: tf.Tensor, targets: tf.Tensor, alpha: number) {
  const sign = tf.sub(tf.mul(targets, 2), 1); // 1 for positives, -1 for negatives
  const towards = tf.mul(logits, sign);
  const tail = tf.log1p(tf.exp(tf.neg(tf.abs(towards))));
  return {
    sign,
    weight: tf.add(tf.mul(targets, 2 * alpha - 1), 1 - alpha),
    logTruth: tf.neg(tf.add(tf.relu(tf.neg(towards)), tail)),
    miss: tf.sigmoid(tf.neg(towards)),
  };
}

/**
 * Cross-entropy of each row of logits `[R, K]` with its label: `[R]`. The gradient is softmax minus one-hot.
 * @throws LABEL_OUT_OF_RANGE
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, labels: Int32Array): tf.Tensor1D {
  const [rows, classes] = logits.shape;
  checkLabels(labels, rows, classes);
  const op = tf.customGrad((x, save) => {
    const logit = x as tf.Tensor2D;
    const [value, probability] = tf.tidy(() => {
      const shifted = tf.sub(logit, tf.max(logit, 1, true));
      const total = tf.sum(tf.exp(shifted), 1, true);
      const ofLabel = tf.sum(tf.mul(shifted, oneHot(labels, classes)), 1);
      return [tf.sub(tf.squeeze(tf.log(total), [1]), ofLabel), tf.div(tf.exp(shifted), total)] as const;
    }) as unknown as [tf.Tensor1D, tf.Tensor2D];
    (save as tf.GradSaveFunc)([probability]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor =>
      tf.tidy(() => tf.mul(tf.expandDims(dy, 1), tf.sub(saved[0]!, oneHot(labels, classes))));
    return { value, gradFunc };
  });
  return op(logits) as tf.Tensor1D;
}

/**
 * Ones where the labels are: `[N]`, each from 0 to below `classes`, to `[N, classes]` of float32, 0 elsewhere. Of one class,
 * too, of which `tf.oneHot` makes none.
 */
export function oneHot(labels: Int32Array, classes: number): tf.Tensor2D {
  const values = new Float32Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) values[i * classes + labels[i]!] = 1;
  return tf.tensor2d(values, [labels.length, classes]);
}

function checkLabels(labels: Int32Array, rows: number, classes: number): void {
  if (labels.length !== rows) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'softmaxCrossEntropy',
      problem: 'one label per row is needed',
      found: String(labels.length),
      expected: String(rows),
    });
  }
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  if (wrong >= 0) {
    throw new RcnnError('LABEL_OUT_OF_RANGE', {
      where: 'softmaxCrossEntropy',
      place: `label ${wrong}`,
      problem: 'a label outside the classes',
      found: String(labels[wrong]),
      expected: `0 to ${classes - 1}`,
    });
  }
}
