import type { Detection, DetectionMask, DetectOptions, ImageSize, Objects, Target } from '@rcnn/core';

/**
 * Where one image lies in the batch that the model sees, and the way there and back: scaled to `resizedSize`, then laid
 * at `offset`. A transform gives one for each image, so whoever changes sizes also owns the way back.
 * {@link AffinePlacement} is one; its methods are enough for any transform that scales and shifts.
 */
export interface Placement {
  /** At the door, in pixels. */
  readonly originalSize: ImageSize;
  /** What the image became. Its sides need not keep their ratio. */
  readonly resizedSize: ImageSize;
  /** Where its top left corner lies in the batch, in whole pixels. */
  readonly offset: readonly [y: number, x: number];
  /** The part of the batch, from its top left corner, that belongs to the image: boxes are clipped to it. */
  readonly size: ImageSize;
  /** The same objects in pixels of the batch. */
  toModel(target: Target): Target;
  /** What was found, as plain objects in pixels of the original image. */
  toImage(found: FoundObjects | FoundByMasks, options?: DetectOptions): Detection[];
}

/** The objects that a model found in one image, in pixels of the batch, best score first. Host memory only. */
export interface FoundObjects extends Objects {
  /** `[R * 4]`: `x1, y1, x2, y2`. */
  readonly boxes: Float32Array;
  /** `[R]` */
  readonly scores: Float32Array;
  /** `[R]`: 0 is the background and means that no class has been found yet. */
  readonly labels: Int32Array;
  /** One each. */
  readonly masks?: readonly FoundMask[];
  /** `[R]`, where masks have scores of their own. */
  readonly maskScores?: Float32Array;
  /** `[R * K * 3]`: x, y, score. */
  readonly keypoints?: Float32Array;
}

/**
 * Objects of a model that predicts no boxes. Each gets the box around its mask in the image; what has no pixel there is
 * left out.
 */
export interface FoundByMasks extends Omit<FoundObjects, 'boxes' | 'masks'> {
  readonly boxes?: undefined;
  readonly masks: readonly FoundMask[];
}

export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/**
 * The mask of a found object before anybody has asked for a form of it: it knows how it is laid over the original
 * image. {@link boxMask}, {@link mapMask} and {@link batchMask} make the usual ones.
 */
export interface FoundMask {
  /** @param box of the object, in pixels of the original image; where the model predicts none, the whole image's */
  toImage(placement: Placement, box: Box, options?: DetectOptions): DetectionMask;
}
