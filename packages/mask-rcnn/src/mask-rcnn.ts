import type { Backbone } from '@rcnn/core';
import {
  MaskBranch,
  type MaskBranchOptions,
  type MaskHead,
  type MaskPredictor,
  MaskRCNNHeads,
  MaskRCNNPredictor,
  type RoIPooler,
} from '@rcnn/roi-heads';
import { FasterRCNN, type FasterRCNNOptions, roiPool } from './faster-rcnn.ts';

/** As {@link FasterRCNNOptions}, and the parts of the mask branch. */
export interface MaskRCNNOptions extends FasterRCNNOptions, MaskBranchOptions {
  /** Instead of a 14x14 `MultiScaleRoIAlign`. */
  readonly maskRoiPool?: RoIPooler;
  /** Instead of {@link MaskRCNNHeads}. */
  readonly maskHead?: MaskHead;
  /** Instead of a {@link MaskRCNNPredictor}. */
  readonly maskPredictor?: MaskPredictor;
}

/**
 * Faster R-CNN with a mask branch beside the box branch.
 * @see He et al. 2017 (arXiv:1703.06870)
 */
export class MaskRCNN extends FasterRCNN {
  constructor(backbone: Backbone, options: MaskRCNNOptions) {
    const { outputs } = backbone;
    const { numClasses, random, branches = [] } = options;
    const pool = options.maskRoiPool ?? roiPool(outputs, 14);
    const head = options.maskHead ?? new MaskRCNNHeads({ inChannels: outputs[0]!.channels, random });
    const predictor = options.maskPredictor ?? new MaskRCNNPredictor(head.outChannels, numClasses, { random });
    const mask = new MaskBranch({ pool, head, predictor }, options);
    super(backbone, { ...options, branches: [mask, ...branches], extras: ['masks'] });
  }
}
