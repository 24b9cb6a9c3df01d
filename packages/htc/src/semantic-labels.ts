import { softmaxCrossEntropy } from '@rcnn/boxes';
import type { ImageSize, Target } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** A cell that nothing is learnt of. */
export const IGNORED = -1;

/** The cells of one image that the semantic branch learns. */
export interface SemanticGrid {
  /** Rows and columns of the batch's map. */
  readonly cells: ImageSize;
  /** Pixels of a cell: a cell has the label of the pixel at its upper left corner. */
  readonly stride: number;
  /** The part of the batch that the image fills, in pixels. */
  readonly imageSize: ImageSize;
}

/**
 * What is at each cell of an image: `[rows * columns]`, 0 and up, or {@link IGNORED}. Undefined where that is not known.
 */
export type SemanticLabels = (target: Target, grid: SemanticGrid, image: number) => Int32Array | undefined;

/**
 * Semantic labels out of the objects' masks: the label of the object, 0 where none is, nothing outside of the image. Of
 * two objects at one place the smaller is seen: it lies before the larger one, or nobody could have drawn it.
 */
export const labelsOfMasks: SemanticLabels = ({ masks = [], labels }, { cells, stride, imageSize }) => {
  const [rows, columns] = cells;
  const [height, width] = imageSize;
  const result = new Int32Array(rows * columns).fill(IGNORED);
  const visit = (see: (cell: number, y: number, x: number) => void): void => {
    for (let row = 0; row < rows && row * stride < height; row++) {
      for (let column = 0; column < columns && column * stride < width; column++) {
        see(row * columns + column, row * stride, column * stride);
      }
    }
  };
  visit((cell) => {
    result[cell] = 0;
  });
  const objects = masks.map((mask, object) => ({ bitmap: mask.bitmap(), size: mask.size, object }));
  const areas = objects.map(({ bitmap }) => bitmap.reduce((sum, bit) => sum + bit, 0));
  for (const { bitmap, size, object } of objects.toSorted((a, b) => areas[b.object]! - areas[a.object]!)) {
    visit((cell, y, x) => {
      if (y < size[0] && x < size[1] && bitmap[y * size[1] + x] === 1) result[cell] = labels[object]!;
    });
  }
  return result;
};

/**
 * Cross-entropy of each cell with its label, as a mean over **all** cells: those that are ignored count in the divisor,
 * as in mmdetection.
 * @param logits `[N, H, W, classes]`
 * @param labels `[N * H * W]`
 */
export function semanticLoss(logits: tf.Tensor4D, labels: Int32Array): tf.Scalar {
  return tf.tidy(() => {
    const rows = tf.reshape(logits, [labels.length, logits.shape[3]]) as tf.Tensor2D;
    const known = Float32Array.from(labels, (label) => Number(label !== IGNORED));
    const each = softmaxCrossEntropy(rows, labels.map((label) => Math.max(0, label))); // biome-ignore format: one line
    return tf.div(tf.sum(tf.mul(each, tf.tensor1d(known))), Math.max(1, labels.length)) as tf.Scalar;
  });
}
