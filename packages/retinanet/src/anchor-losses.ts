import { BETWEEN_THRESHOLDS, BoxCoder, Matcher, sigmoidFocal, smoothL1, takeBoxes } from '@rcnn/boxes';
import { type Losses, type Target, takeRows } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { giouLoss } from './giou-loss.ts';
import type { RetinaNetOutputs } from './retinanet-head.ts';

export interface AnchorLossOptions {
  /** An anchor is an object from this IoU on. Default 0.5. */
  readonly fgIouThresh?: number | undefined;
  /** An anchor is background below this IoU. Default 0.4. */
  readonly bgIouThresh?: number | undefined;
  /** How boxes are compared: `l1` on deltas, torchvision's v1, or `giou` on the boxes, its v2. Default `l1`. */
  readonly boxLoss?: 'l1' | 'giou' | undefined;
}

/** Links anchors with objects: an object's best anchors are its own, however poor. */
export function anchorMatcher({ fgIouThresh = 0.5, bgIouThresh = 0.4 }: AnchorLossOptions): Matcher {
  return new Matcher({ foreground: fgIouThresh, background: bgIouThresh, lowQuality: true });
}

/**
 * `classification`: focal loss over all anchors but those that are neither object nor background. `bbox_regression`: over
 * the anchors of objects. Both are sums over the anchors of objects of their image, at least one, and means over images.
 * @param anchors `[A * 4]`, the same for all images
 * @param matches for each image, of each anchor: its object, or below 0
 * @see Lin et al. 2017, sections 3 and 4.1 (arXiv:1708.02002)
 */
export function anchorLosses(
  { logits, deltas }: RetinaNetOutputs,
  anchors: Float32Array,
  targets: readonly Target[],
  matches: readonly Int32Array[],
  { boxLoss = 'l1' }: AnchorLossOptions,
): Losses {
  const [images, count, classes] = logits.shape;
  const truth = new Float32Array(logits.size);
  const shares = new Float32Array(images * count); // what each anchor counts
  const rows: number[] = [];
  const ofRows: number[] = [];
  for (const [image, matched] of matches.entries()) {
    const share = 1 / Math.max(1, matched.reduce((sum, object) => sum + Number(object >= 0), 0)) / images; // biome-ignore format: one line
    matched.forEach((object, anchor) => {
      const row = image * count + anchor;
      shares[row] = object === BETWEEN_THRESHOLDS ? 0 : share;
      if (object < 0) return;
      truth[row * classes + targets[image]!.labels[object]!] = 1;
      rows.push(row);
      ofRows.push(share);
    });
  }
  const own = matches.map((matched) => Int32Array.from(matched.keys()).filter((anchor) => matched[anchor]! >= 0));
  const from = join(own.map((ofImage) => takeBoxes(anchors, ofImage)));
  const boxes = own.map((ofImage, i) => takeBoxes(targets[i]!.boxes, ofImage.map((anchor) => matches[i]![anchor]!))); // biome-ignore format: one line
  return tf.tidy(() => {
    const flat = tf.reshape(logits, [images * count, classes]) as tf.Tensor2D;
    const focal = tf.sum(sigmoidFocal(flat, tf.tensor2d(truth, [images * count, classes])), 1);
    const classification = tf.sum(tf.mul(focal, tf.tensor1d(shares))) as tf.Scalar;
    if (rows.length === 0) return { classification, bbox_regression: tf.mul(tf.sum(deltas), 0) as tf.Scalar };
    const chosen = takeRows(tf.reshape(deltas, [images * count, 4]) as tf.Tensor2D, Int32Array.from(rows));
    const each =
      boxLoss === 'giou'
        ? giouLoss(chosen, from, join(boxes))
        : tf.sum(
            smoothL1(tf.sub(chosen, tf.tensor2d(new BoxCoder().encode(join(boxes), from), [rows.length, 4])), 0),
            1,
          );
    return { classification, bbox_regression: tf.sum(tf.mul(each, tf.tensor1d(ofRows))) as tf.Scalar };
  });
}

const join = (parts: readonly Float32Array[]): Float32Array => Float32Array.from(parts.flatMap((part) => [...part]));
