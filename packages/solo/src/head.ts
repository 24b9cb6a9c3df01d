import type { ImageSize, ParameterOwner, Phase, Pyramid } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';
import type { AssignOptions } from './assign.ts';
import type { GridLevel } from './levels.ts';

/**
 * The heads of a detector that finds objects by location: for each cell of its grids, what is there, and which pixels
 * belong to it. Anything of this shape can be injected into {@link SOLO}.
 */
export interface LocationHead extends ParameterOwner {
  /** Background included. */
  readonly numClasses: number;
  readonly levels: readonly GridLevel[];
  /** What becomes of a cell that two objects claim. */
  readonly sharedCells: AssignOptions['sharedCells'];
  /** @param features P2 to P6 */
  forward(features: Pyramid, phase?: Phase): HeadOutputs;
  /** Whether a parameter of the head depends on the number of classes. */
  isPredictor(name: string): boolean;
}

/** What a head gives for a batch. Its tensors belong to the caller, who disposes them together. */
export interface HeadOutputs {
  /** For each level, logits `[N, S, S, classes without background]`. */
  readonly categories: readonly tf.Tensor4D[];
  /** Size of the masks of each level, `[height, width]` in cells. */
  readonly maskSizes: readonly ImageSize[];
  /**
   * Masks of some cells of one image's level, as probabilities `[R, height * width]`; on a tape when there is one.
   * @param cells `row * S + column`, each as often as it is wanted
   * @param size to give them at. Default their own
   */
  masks(image: number, level: number, cells: Int32Array, size?: ImageSize): tf.Tensor2D;
  dispose(): void;
}
