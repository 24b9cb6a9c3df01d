import { bceWithLogits } from '@rcnn/boxes';
import { idleLoss, type Losses, Module, type Phase, type Pyramid, type Target } from '@rcnn/core';
import { boxMask } from '@rcnn/detector';
import type { PasteMode } from '@rcnn/masks';
import { type MaskTargetRules, maskTargets } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import type { AskRegions, BranchLossOptions, BranchSpec, RoIBranch } from './branch.ts';
import type { MaskHead, MaskPredictor } from './mask-heads.ts';
import { masksFor, onlyPositives } from './positives.ts';
import { countRoIs, labelsOf, type RoIPooler, type RoIs, type SampledRoIs } from './rois.ts';

export interface MaskParts {
  readonly pool: RoIPooler;
  readonly head: MaskHead;
  readonly predictor: MaskPredictor;
}

export interface MaskBranchOptions {
  /** How a mask is laid into its box: what the weights expect. Default `torchvision`. */
  readonly maskPaste?: PasteMode | undefined;
  /** What masks learn. Default soft, torchvision's; detectron2's are `{ aligned: true, threshold: 0.5 }`. */
  readonly maskTargets?: MaskTargetRules | undefined;
}

/**
 * Says which pixels of a region belong to its object: for final boxes only, and one class each. Children `mask_head`,
 * `mask_predictor`.
 * @see He et al. 2017 (arXiv:1703.06870)
 */
export class MaskBranch extends Module implements RoIBranch {
  readonly spec: BranchSpec;
  readonly parts: MaskParts;
  /** How a mask is laid into its box. */
  readonly paste: PasteMode;
  readonly #targets: MaskTargetRules | undefined;

  constructor({ pool, head, predictor }: MaskParts, options: MaskBranchOptions = {}) {
    const { maskPaste = 'torchvision' } = options;
    super();
    this.parts = { pool, head, predictor };
    this.register('mask_head', head);
    this.register('mask_predictor', predictor);
    this.paste = maskPaste;
    this.#targets = options.maskTargets;
    this.spec = {
      numClasses: predictor.numClasses,
      learnsFrom: ['masks'],
      finds: ['masks'],
      isPredictor: (name) => name.startsWith('mask_predictor.mask_fcn_logits.'),
    };
  }

  /** Mask logits `[R, 28, 28]` of the class of each region. The caller owns them. */
  forward(
    features: Pyramid,
    rois: readonly { readonly boxes: Float32Array; readonly labels: Int32Array }[],
    phase: Phase = 'predict',
  ): tf.Tensor3D {
    return tf.tidy(() => {
      const labels = labelsOf(rois);
      const pooled = this.parts.pool.forward(
        features,
        rois.map(({ boxes }) => boxes),
      ); // [R, 14, 14, C]
      const maps = this.parts.head.forward(pooled, phase);
      if (maps !== pooled) pooled.dispose(); // a tape keeps what it needs by itself
      return this.parts.predictor.forward(maps, labels, phase);
    });
  }

  /**
   * `loss_mask`: binary cross-entropy on the logits of the true class, mean over all cells of the positives. The
   * target is the soft part of the object's mask inside the **proposal**, unless the options say otherwise. No
   * positives: 0.
   */
  losses(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    { phase }: BranchLossOptions,
  ): Losses {
    const positives = sampled.map(onlyPositives);
    if (countRoIs(positives) === 0) return { loss_mask: idleLoss(this) };
    return tf.tidy(() => {
      const logits = this.forward(features, positives, phase);
      const [count, height, width] = logits.shape;
      const truth = new Float32Array(count * height * width);
      let at = 0;
      for (const [i, { boxes, matchedIndices }] of positives.entries()) {
        const masks = masksFor('MaskBranch.losses', targets[i]!, positives[i]!, i);
        const part = maskTargets(masks, boxes, matchedIndices, height, this.#targets);
        truth.set(part, at);
        at += part.length;
      }
      const loss = tf.mean(bceWithLogits(logits, tf.tensor3d(truth, [count, height, width])));
      return { loss_mask: loss as tf.Scalar };
    });
  }

  detect(features: Pyramid, rois: readonly RoIs[]): Promise<RoIs[]> {
    return this.detectBy(async (regions) => {
      const probabilities = tf.tidy(() => tf.sigmoid(this.forward(features, regions)));
      return probabilities.data<'float32'>().finally(() => probabilities.dispose());
    }, rois);
  }

  /** As {@link detect}; `ask` gives the probabilities `[R * 28 * 28]` of each region's class. */
  async detectBy(ask: AskRegions<Float32Array>, rois: readonly RoIs[]): Promise<RoIs[]> {
    const count = countRoIs(rois);
    if (count === 0) return rois.map((ofImage) => ({ ...ofImage, masks: [] }));
    const values = await ask(rois);
    const cells = values.length / count;
    let at = 0;
    return rois.map((ofImage) => {
      const masks = Array.from(ofImage.labels, () => boxMask(values.slice(at * cells, ++at * cells), this.paste));
      return { ...ofImage, masks };
    });
  }
}
