import type { Backbone, FeatureSpec, Random, TargetExtra } from '@rcnn/core';
import { ImageTransform, type ImageTransformOptions, type ModelTransform } from '@rcnn/detector';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import {
  BoxBranch,
  type BoxBranchOptions,
  type BoxHead,
  type BoxPredictor,
  FastRCNNPredictor,
  type RoIBranch,
  RoIHeads,
  type RoIHeadsOptions,
  type RoIPooler,
  TwoFCHead,
} from '@rcnn/roi-heads';
import { RegionProposalNetwork, type RPNOptions } from '@rcnn/rpn-anchors';
import { GeneralizedRCNN, type ProposalNetwork } from './generalized-rcnn.ts';

/** Numbers by torchvision's names, and parts to use instead of the usual ones. */
export interface FasterRCNNOptions extends ImageTransformOptions, RPNOptions, BoxBranchOptions, RoIHeadsOptions {
  /** Background included: 91 for COCO, 2 for one class. */
  readonly numClasses: number;
  /** Instead of an {@link ImageTransform}. */
  readonly transform?: ModelTransform;
  /** Instead of a `RegionProposalNetwork`. */
  readonly rpn?: ProposalNetwork;
  /** Instead of a 7x7 `MultiScaleRoIAlign`. */
  readonly boxRoiPool?: RoIPooler;
  /** Instead of a {@link TwoFCHead}. */
  readonly boxHead?: BoxHead;
  /** Instead of a {@link FastRCNNPredictor}. */
  readonly boxPredictor?: BoxPredictor;
  /** Branches after the box branch. */
  readonly branches?: readonly RoIBranch[];
  /** What these branches learn from and find, beside boxes. Default nothing. */
  readonly extras?: readonly TargetExtra[];
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/**
 * A detector of boxes on any backbone.
 * @see Ren et al. 2015 (arXiv:1506.01497); Lin et al. 2017 (arXiv:1612.03144)
 */
export class FasterRCNN extends GeneralizedRCNN {
  constructor(backbone: Backbone, options: FasterRCNNOptions) {
    const { numClasses, extras = [], random, branches = [] } = options;
    const { outputs } = backbone;
    const pool = options.boxRoiPool ?? roiPool(outputs, 7);
    const head = options.boxHead ?? new TwoFCHead({ inChannels: outputs[0]!.channels, random });
    const predictor = options.boxPredictor ?? new FastRCNNPredictor(head.outFeatures, numClasses, { random });
    const box = new BoxBranch({ pool, head, predictor }, options);
    super(
      {
        backbone,
        transform: options.transform ?? new ImageTransform(options),
        rpn: options.rpn ?? new RegionProposalNetwork(outputs, options),
        roiHeads: new RoIHeads([box, ...branches], options),
      },
      { numClasses, learnsFrom: extras, finds: ['boxes', ...extras], isPredictor: (name) => PREDICTOR.test(name) },
    );
  }
}

/** Layers of torchvision's detectors with an output for each class. */
const PREDICTOR = /^roi_heads\.(box_predictor\.|mask_predictor\.mask_fcn_logits\.)/;

/** RoIAlign on the levels that regions are read from: strides 4 to 32, never P6 or P7. */
export function roiPool(outputs: readonly FeatureSpec[], outputSize: number): MultiScaleRoIAlign {
  const strides = outputs.map(({ stride }) => stride).filter((stride) => stride <= 32);
  return new MultiScaleRoIAlign({ outputSize, strides });
}
