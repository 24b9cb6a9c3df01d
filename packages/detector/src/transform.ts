import type { ImageSize, InputSpec, Phase, Random } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';
import type { HostImage } from './images.ts';
import type { Placement } from './placement.ts';

/** Images as the backbone sees them. Whoever made the batch disposes `images`. */
export interface ImageBatch {
  /** `[N, H, W, 3]`: normalized, resized, padded with zeros. */
  readonly images: tf.Tensor4D;
  /** `[H, W]` of `images`. */
  readonly paddedSize: ImageSize;
  /** Where each image lies, and the way back. */
  readonly placements: readonly Placement[];
}

export interface TransformOptions {
  /** Default `predict`. */
  readonly phase?: Phase | undefined;
  /** For what is drawn while training, such as a size. */
  readonly random?: Random | undefined;
}

/**
 * Brings images to the backbone, and what was found back to them: each placement of the batch knows the way. Anything
 * of this shape can be injected into a detector.
 */
export interface ModelTransform {
  /** What it does, for whoever keeps weights or shows the model. */
  readonly input: InputSpec;
  forward(images: readonly HostImage[], options?: TransformOptions): ImageBatch;
}
