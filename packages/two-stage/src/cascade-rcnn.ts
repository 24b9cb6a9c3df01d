import type { FeatureSpec } from '@rcnn/core';
import { CascadeHeads, type CascadeHeadsOptions, FastRCNNPredictor, TwoFCHead } from '@rcnn/roi-heads';
import { pyramidRoIAlign } from './faster-rcnn.ts';
import { type MaskRCNNOptions, maskBranchOf } from './mask-rcnn.ts';

export interface CascadeOptions
  extends CascadeHeadsOptions,
    Omit<MaskRCNNOptions, 'roiHeads' | 'boxHead' | 'boxPredictor'> {
  /** Length of a region's vector, in each stage. Default 1024. */
  readonly boxFeatures?: number | undefined;
  /** Whether there is a mask branch after the last stage. Default true. */
  readonly masks?: boolean | undefined;
}

/**
 * The second stage of Cascade R-CNN, or with masks of Cascade Mask R-CNN, to be handed to a detector as `roiHeads`:
 * three stages, each with a head of its own and one box for all classes.
 * @param outputs of the backbone
 * @see Cai and Vasconcelos 2018 (arXiv:1712.00726)
 */
export function cascadeHeads(outputs: readonly FeatureSpec[], options: CascadeOptions): CascadeHeads {
  const { numClasses, boxFeatures: outFeatures = 1024, masks = true, random } = options;
  const pool = options.boxRoiPool ?? pyramidRoIAlign(outputs, 7);
  const stages = (options.cascadeIouThresholds ?? [0.5, 0.6, 0.7]).map(() => ({
    head: new TwoFCHead({ inChannels: outputs[0]!.channels, outFeatures, random }),
    predictor: new FastRCNNPredictor(outFeatures, numClasses, { classAgnostic: true, random }),
  }));
  const mask = masks ? { mask: maskBranchOf(outputs, options) } : {};
  return new CascadeHeads({ pool, stages, branches: { ...mask, ...options.branches } }, options);
}
