import { bceWithLogits, type Sampler, smoothL1, softmaxCrossEntropy, takeBoxes } from '@rcnn/boxes';
import { type ImageSize, type InstanceMask, type Losses, type Random, takeRows } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { maskIoULoss } from './mask-iou-loss.ts';
import type { MaskIoUNet } from './mask-iou-net.ts';
import { croppedMasks, maskLoss } from './mask-loss.ts';
import { maskTarget, semanticTarget } from './mask-targets.ts';
import type { PriorMatch } from './match-priors.ts';
import { mineNegatives } from './mine-negatives.ts';
import type { Predictions } from './prediction-head.ts';
import { encodeBoxes } from './prior-coder.ts';
import type { Priors } from './priors.ts';

/** The truth of one image, crowds left out. */
export interface ImageTruth {
  /** `[G * 4]` as shares of the image. */
  readonly boxes: Float32Array;
  readonly labels: Int32Array;
  readonly masks: readonly InstanceMask[];
  /** Of each prior. */
  readonly match: PriorMatch;
}

/** What the network says of a batch while it learns. */
export interface LearningOutputs extends Predictions {
  /** `[N, H, W, k]` */
  readonly prototypes: tf.Tensor4D;
  /** `[N, h, w, numClasses - 1]` */
  readonly semantic: tf.Tensor4D;
}

/** How much each loss counts. */
export const LOSS_WEIGHTS = { box: 1.5, class: 1, mask: 6.125, semantic: 1, maskIoU: 25 } as const;

/** How surprising it would be if each prior were background: `[N * P]`. What negatives are ranked by. */
export function surprises(logits: tf.Tensor3D): tf.Tensor {
  return tf.tidy(() => {
    const [count, priors] = logits.shape;
    const background = tf.reshape(tf.slice(logits, [0, 0, 0], [count, priors, 1]), [-1]);
    return tf.sub(tf.reshape(tf.logSumExp(logits, 2), [-1]), background);
  });
}

export interface LossSettings {
  readonly priors: Priors;
  /** What {@link surprises} gave, on the host. */
  readonly surprises: Float32Array;
  /** Chooses the positives whose masks are learnt, where an image has too many. */
  readonly maskSampler: Sampler;
  /** Rates masks, in YOLACT++; then there is a loss for that. */
  readonly maskIoUNet?: MaskIoUNet | undefined;
  readonly random: Random;
}

/**
 * The four losses of a batch, five where masks are rated. All but the semantic one are means over the positives of the whole batch.
 * @see Bolya et al. 2019, section 3 (arXiv:1904.02689); the sums and weights are those of the authors' code
 */
export function yolactLosses(outputs: LearningOutputs, truth: readonly ImageTruth[], settings: LossSettings): Losses {
  const positives = truth.map(({ match }) => rowsOf(match, (label) => label > 0));
  const total = Math.max(
    1,
    positives.reduce((count, { length }) => count + length, 0),
  );
  return tf.tidy(() => {
    const { masks, rating } = masksLosses(outputs, truth, positives, settings);
    return {
      loss_box: tf.mul(boxLoss(outputs, truth, positives, settings.priors), LOSS_WEIGHTS.box / total),
      loss_class: tf.mul(classLoss(outputs, truth, positives, settings.surprises), LOSS_WEIGHTS.class / total),
      loss_mask: tf.mul(masks, LOSS_WEIGHTS.mask / total),
      loss_semantic: tf.mul(semanticLoss(outputs, truth), LOSS_WEIGHTS.semantic / truth.length),
      ...(rating && { loss_mask_iou: tf.mul(rating, LOSS_WEIGHTS.maskIoU / total) as tf.Scalar }),
    };
  });
}

function rowsOf({ labels }: PriorMatch, wanted: (label: number) => boolean): Int32Array {
  return Int32Array.from([...labels.keys()].filter((prior) => wanted(labels[prior]!)));
}

/** Rows of single images as rows of the batch. */
function inBatch(rows: readonly Int32Array[], priors: number): Int32Array {
  return Int32Array.from(rows.flatMap((own, image) => Array.from(own, (row) => image * priors + row)));
}

/** `[N, P, width]` as `[N * P, width]`. */
function flat(x: tf.Tensor3D): tf.Tensor2D {
  return tf.reshape(x, [-1, x.shape[2]]);
}

function boxLoss(
  { deltas }: Predictions,
  truth: readonly ImageTruth[],
  positives: readonly Int32Array[],
  priors: Priors,
): tf.Scalar {
  const wanted = truth.flatMap(({ boxes, match }, image) => {
    const objects = Array.from(positives[image]!, (prior) => match.objects[prior]!);
    return [...encodeBoxes(takeBoxes(boxes, objects), takeBoxes(priors, positives[image]!))];
  });
  const rows = inBatch(positives, deltas.shape[1]);
  const apart = tf.sub(takeRows(flat(deltas), rows), tf.tensor2d(wanted, [rows.length, 4]));
  return tf.sum(smoothL1(apart, 1));
}

/** Over positives and mined negatives. */
function classLoss(
  { logits }: Predictions,
  truth: readonly ImageTruth[],
  positives: readonly Int32Array[],
  surprising: Float32Array,
): tf.Scalar {
  const priors = logits.shape[1];
  const chosen = truth.map(({ match }, image) => {
    const own = surprising.subarray(image * priors, (image + 1) * priors);
    return Int32Array.from([...positives[image]!, ...mineNegatives(own, match.labels)]);
  });
  const labels = truth.flatMap(({ match }, image) => Array.from(chosen[image]!, (prior) => match.labels[prior]!));
  const rows = takeRows(flat(logits), inBatch(chosen, priors));
  return tf.sum(softmaxCrossEntropy(rows, Int32Array.from(labels)));
}

/** What masks cost, and how far their rating is off where they are rated. */
function masksLosses(
  { coefficients, prototypes }: LearningOutputs,
  truth: readonly ImageTruth[],
  positives: readonly Int32Array[],
  { maskSampler, maskIoUNet, random }: LossSettings,
): { readonly masks: tf.Scalar; readonly rating: tf.Scalar | undefined } {
  const [, height, width, count] = prototypes.shape;
  const flatCoefficients = flat(coefficients);
  const ratings: tf.Scalar[] = [];
  const sums = truth.flatMap(({ boxes, labels, masks, match }, image): tf.Scalar[] => {
    const own = positives[image]!;
    if (own.length === 0) return [];
    const { positives: chosen } = maskSampler.sample(new Int32Array(own.length).fill(1), random);
    const objects = Array.from(chosen, (i) => match.objects[own[i]!]!);
    const targets = new Map(
      [...new Set(objects)].map((object) => [object, maskTarget(masks[object]!, [height, width])]),
    );
    const rows = chosen.map((i) => image * coefficients.shape[1] + own[i]!);
    const ofImage = tf.slice(prototypes, [image, 0, 0, 0], [1, height, width, count]);
    const maskTruth = { boxes: takeBoxes(boxes, objects), targets: objects.map((object) => targets.get(object)!) };
    const maps: tf.Tensor3D = tf.reshape(ofImage, [height, width, count]);
    const mixed = takeRows(flatCoefficients, rows);
    const losses = maskLoss(maps, mixed, maskTruth);
    if (maskIoUNet !== undefined) {
      const rated = { masks: croppedMasks(maps, mixed, maskTruth.boxes), targets: maskTruth.targets };
      ratings.push(
        maskIoULoss(maskIoUNet, { ...rated, labels: Int32Array.from(objects, (object) => labels[object]!) }),
      );
    }
    return [tf.mul(tf.sum(losses), own.length / chosen.length)];
  });
  return { masks: sumOf(sums), rating: maskIoUNet && sumOf(ratings) };
}

const sumOf = (scalars: readonly tf.Scalar[]): tf.Scalar =>
  scalars.length === 0 ? tf.scalar(0) : (tf.addN([...scalars]) as tf.Scalar);

/** Sums of single images, each as a mean over its cells. */
function semanticLoss({ semantic }: LearningOutputs, truth: readonly ImageTruth[]): tf.Scalar {
  const [, height, width, classes] = semantic.shape;
  const size: ImageSize = [height, width];
  const target = new Float32Array(semantic.size);
  for (const [image, { masks, labels }] of truth.entries()) {
    target.set(semanticTarget(masks, labels, size, classes + 1), image * height * width * classes);
  }
  return tf.div(tf.sum(bceWithLogits(semantic, tf.tensor4d(target, semantic.shape))), height * width);
}
