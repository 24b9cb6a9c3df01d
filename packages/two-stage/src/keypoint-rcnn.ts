import { type Backbone, type KeypointDetection, RcnnError } from '@rcnn/core';
import {
  KeypointBranch,
  type KeypointBranchOptions,
  type KeypointHead,
  type KeypointPredictor,
  KeypointRCNNHeads,
  KeypointRCNNPredictor,
  type RoIPooler,
} from '@rcnn/roi-heads';
import { FasterRCNN, type FasterRCNNOptions, pyramidRoIAlign, withBranches } from './faster-rcnn.ts';

/** As {@link FasterRCNNOptions}, and the parts of the key point branch. */
export interface KeypointRCNNOptions extends FasterRCNNOptions, KeypointBranchOptions {
  /** Of each object. Default 17, COCO's persons. */
  readonly numKeypoints?: number | undefined;
  /** Instead of a 14x14 `MultiScaleRoIAlign`. */
  readonly keypointRoiPool?: RoIPooler | undefined;
  /** Instead of {@link KeypointRCNNHeads}. */
  readonly keypointHead?: KeypointHead | undefined;
  /** Instead of a {@link KeypointRCNNPredictor}. */
  readonly keypointPredictor?: KeypointPredictor | undefined;
}

/**
 * Faster R-CNN with a key point branch beside the box branch: every detection has key points.
 * @see He et al. 2017, section 5 (arXiv:1703.06870)
 */
export class KeypointRCNN extends FasterRCNN<KeypointDetection> {
  constructor(backbone: Backbone, options: KeypointRCNNOptions) {
    super(backbone, options.roiHeads === undefined ? withKeypointBranch(backbone, options) : options);
    if (this.spec.finds.includes('keypoints')) return;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'KeypointRCNN',
      place: 'roiHeads',
      problem: 'they find no key points',
      found: this.spec.finds.join(', '),
      hint: 'Give their spec `finds: [..., "keypoints"]`, or take FasterRCNN.',
    });
  }
}

function withKeypointBranch({ outputs }: Backbone, options: KeypointRCNNOptions): FasterRCNNOptions {
  const { numKeypoints = 17, random, branches = {} } = options;
  const pool = options.keypointRoiPool ?? pyramidRoIAlign(outputs, 14);
  const head = options.keypointHead ?? new KeypointRCNNHeads({ inChannels: outputs[0]!.channels, random });
  const predictor = options.keypointPredictor ?? new KeypointRCNNPredictor(head.outChannels, numKeypoints, { random });
  checkPredictor(predictor, options);
  const keypoint = new KeypointBranch({ pool, head, predictor }, options);
  return { ...options, branches: withBranches({ keypoint }, branches) };
}

function checkPredictor(predictor: KeypointPredictor, { numKeypoints }: KeypointRCNNOptions): void {
  if (numKeypoints === undefined || predictor.numKeypoints === numKeypoints) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'KeypointRCNN',
    place: 'keypointPredictor',
    problem: 'it is made for another number of key points',
    found: `${predictor.numKeypoints}`,
    expected: `${numKeypoints}`,
  });
}
