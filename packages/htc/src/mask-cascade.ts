import { type Layer, Module, type Phase } from '@rcnn/core';
import type { MaskHead, MaskPredictor } from '@rcnn/roi-heads';
import * as tf from '@tensorflow/tfjs-core';

/** The masks of one stage. */
export interface MaskStageParts {
  readonly head: MaskHead;
  readonly predictor: MaskPredictor;
  /**
   * What this stage takes of the features of the one before: a 1x1 convolution with ReLU. Without it, and for the first
   * stage, masks begin anew.
   */
  readonly flow?: Layer | undefined;
}

/**
 * The mask heads of all stages, each fed with what the one before made of the same regions. Children `mask_head.{k}`,
 * `mask_predictor.{k}`, `mask_flow.{k}`.
 * @see Chen et al. 2019, section 3.2 (arXiv:1901.07518)
 */
export class MaskCascade extends Module {
  readonly stages: readonly MaskStageParts[];

  constructor(stages: readonly MaskStageParts[]) {
    super();
    this.stages = stages;
    for (const [k, { head, predictor, flow }] of stages.entries()) {
      this.register(`mask_head.${k}`, head);
      this.register(`mask_predictor.${k}`, predictor);
      if (flow !== undefined) this.register(`mask_flow.${k}`, flow);
    }
  }

  /** What stage `k` makes of pooled regions `[R, S, S, C]`: `[R, S, S, D]`. The caller owns it. */
  features(pooled: tf.Tensor4D, k: number, phase: Phase = 'predict'): tf.Tensor4D {
    const { head, flow } = this.stages[k]!;
    return tf.tidy(() => {
      if (flow === undefined) return head.forward(pooled, phase);
      const before = flow.forward(this.features(pooled, k - 1, phase), phase);
      return head.forward(tf.add(pooled, before), phase);
    });
  }

  /** Mask logits of stage `k`, of the class of each region: `[R, 2S, 2S]`. The caller owns them. */
  forward(pooled: tf.Tensor4D, labels: Int32Array, k: number, phase: Phase = 'predict'): tf.Tensor3D {
    return tf.tidy(() => this.stages[k]!.predictor.forward(this.features(pooled, k, phase), labels, phase));
  }
}
