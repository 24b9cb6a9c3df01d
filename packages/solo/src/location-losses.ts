import { sigmoidFocal } from '@rcnn/boxes';
import type { ImageSize } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { GridTruth } from './assign.ts';
import { diceLoss } from './dice-loss.ts';
import type { HeadOutputs } from './head.ts';
import { shrinkMask } from './mask-targets.ts';

/** What the masks count beside the categories. @see Wang et al. 2019, equation 2 (arXiv:1912.04488) */
const MASK_WEIGHT = 3;

/**
 * Loss of the categories of all cells, over the number of cells with an object plus one.
 * @param truth one per image
 */
export function categoryLoss(outputs: HeadOutputs, truth: readonly GridTruth[]): tf.Scalar {
  return tf.tidy(() => {
    const logits = tf.concat(
      outputs.categories.map((map) => tf.reshape(map, [-1, map.shape[3]]) as tf.Tensor2D),
      0,
    );
    const classes = logits.shape[1];
    const targets = new Float32Array(logits.size);
    let positives = 0;
    let row = 0;
    for (const level of outputs.categories.keys()) {
      for (const { levels } of truth) {
        for (const label of levels[level]!.labels) {
          if (label > 0) targets[row * classes + label - 1] = 1;
          if (label > 0) positives++;
          row++;
        }
      }
    }
    const loss = tf.sum(sigmoidFocal(logits, tf.tensor2d(targets, [row, classes])));
    return tf.div(loss, positives + 1) as tf.Scalar;
  });
}

/**
 * Mean Dice loss of all masks that cells learn, times 3. Without any object it is 0, and every parameter of the masks
 * gets a gradient of 0 all the same.
 * @param truth one per image
 * @param paddedSize of the batch
 */
export function maskLoss(outputs: HeadOutputs, truth: readonly GridTruth[], paddedSize: ImageSize): tf.Scalar {
  return tf.tidy(() => {
    const losses: tf.Tensor1D[] = [];
    const unused: tf.Scalar[] = [];
    for (const [level, size] of outputs.maskSizes.entries()) {
      const before = losses.length;
      for (const [image, { levels, masks }] of truth.entries()) {
        const { cells, objects } = levels[level]!;
        if (cells.length === 0) continue;
        const wanted = targetsOf(objects, (object) => shrinkMask(masks[object]!, size, paddedSize), size);
        losses.push(diceLoss(outputs.masks(image, level, cells), wanted));
      }
      if (losses.length === before) unused.push(tf.sum(outputs.masks(0, level, Int32Array.of(0))));
    }
    const parts: tf.Scalar[] = unused.map((sum) => tf.mul(sum, 0));
    if (losses.length > 0) parts.push(tf.mul(tf.mean(tf.concat(losses, 0)), MASK_WEIGHT));
    return tf.addN(parts);
  });
}

/** A row for each cell, its object's mask; an object is shrunk once, however many cells it has. */
function targetsOf(
  objects: Int32Array,
  shrink: (object: number) => Uint8Array,
  [height, width]: ImageSize,
): tf.Tensor2D {
  const known = new Map<number, Uint8Array>();
  const values = new Float32Array(objects.length * height * width);
  objects.forEach((object, row) => {
    const mask = known.get(object) ?? shrink(object);
    known.set(object, mask);
    values.set(mask, row * height * width);
  });
  return tf.tensor2d(values, [objects.length, height * width]);
}
