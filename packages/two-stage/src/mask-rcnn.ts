import { type Backbone, type FeatureSpec, type MaskDetection, RcnnError } from '@rcnn/core';
import {
  MaskBranch,
  type MaskBranchOptions,
  type MaskHead,
  type MaskPredictor,
  MaskRCNNHeads,
  MaskRCNNPredictor,
  type RoIPooler,
} from '@rcnn/roi-heads';
import { FasterRCNN, type FasterRCNNOptions, pyramidRoIAlign, withBranches } from './faster-rcnn.ts';

/** As {@link FasterRCNNOptions}, and the parts of the mask branch. */
export interface MaskRCNNOptions extends FasterRCNNOptions, MaskBranchOptions {
  /** Instead of a 14x14 `MultiScaleRoIAlign`. */
  readonly maskRoiPool?: RoIPooler | undefined;
  /** Instead of {@link MaskRCNNHeads}. */
  readonly maskHead?: MaskHead | undefined;
  /** Instead of a {@link MaskRCNNPredictor}. */
  readonly maskPredictor?: MaskPredictor | undefined;
}

/**
 * Faster R-CNN with a mask branch beside the box branch: every detection has a mask.
 * @see He et al. 2017 (arXiv:1703.06870)
 */
export class MaskRCNN extends FasterRCNN<MaskDetection> {
  constructor(backbone: Backbone, options: MaskRCNNOptions) {
    super(backbone, options.roiHeads === undefined ? withMaskBranch(backbone, options) : options);
    if (this.spec.finds.includes('masks')) return;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'MaskRCNN',
      place: 'roiHeads',
      problem: 'they find no masks',
      found: this.spec.finds.join(', '),
      hint: 'Give their spec `finds: [..., "masks"]`, or take FasterRCNN.',
    });
  }
}

function withMaskBranch({ outputs }: Backbone, options: MaskRCNNOptions): FasterRCNNOptions {
  const { branches = {} } = options;
  return { ...options, branches: withBranches({ mask: maskBranchOf(outputs, options) }, branches) };
}

/** The usual mask branch, of the parts that are given. */
export function maskBranchOf(outputs: readonly FeatureSpec[], options: Omit<MaskRCNNOptions, 'roiHeads'>): MaskBranch {
  const { numClasses, random } = options;
  const pool = options.maskRoiPool ?? pyramidRoIAlign(outputs, 14);
  const head = options.maskHead ?? new MaskRCNNHeads({ inChannels: outputs[0]!.channels, random });
  const predictor = options.maskPredictor ?? new MaskRCNNPredictor(head.outChannels, numClasses, { random });
  return new MaskBranch({ pool, head, predictor }, options);
}
