import {
  type Backbone,
  type Detection,
  type DetectorSpec,
  type FeatureSpec,
  mergeNamed,
  type Random,
  RcnnError,
} from '@rcnn/core';
import { ImageTransform, type ImageTransformOptions, type ModelTransform } from '@rcnn/detector';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import {
  BoxBranch,
  type BoxBranchOptions,
  type BoxHead,
  type BoxPredictor,
  FastRCNNPredictor,
  type RegionHeads,
  type RoIBranch,
  RoIHeads,
  type RoIHeadsOptions,
  type RoIPooler,
  TwoFCHead,
} from '@rcnn/roi-heads';
import { RegionProposalNetwork, type RPNOptions } from '@rcnn/rpn-anchors';
import { bytesOfStep } from './bytes-of-step.ts';
import { GeneralizedRCNN, type ProposalNetwork } from './generalized-rcnn.ts';

/** Numbers by torchvision's names, and parts to use instead of the usual ones. */
export interface FasterRCNNOptions extends ImageTransformOptions, RPNOptions, BoxBranchOptions, RoIHeadsOptions {
  /** Background included: 91 for COCO, 2 for one class. */
  readonly numClasses: number;
  /** Instead of an {@link ImageTransform}. */
  readonly transform?: ModelTransform | undefined;
  /** Instead of a `RegionProposalNetwork`. */
  readonly rpn?: ProposalNetwork | undefined;
  /** Instead of a 7x7 `MultiScaleRoIAlign`. */
  readonly boxRoiPool?: RoIPooler | undefined;
  /** Instead of a {@link TwoFCHead}. */
  readonly boxHead?: BoxHead | undefined;
  /** Instead of a {@link FastRCNNPredictor}. */
  readonly boxPredictor?: BoxPredictor | undefined;
  /** Branches after the box branch, by name. */
  readonly branches?: Readonly<Record<string, RoIBranch>> | undefined;
  /** Instead of {@link RoIHeads} with a box branch and the branches above. */
  readonly roiHeads?: RegionHeads | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/**
 * A detector of boxes on any backbone.
 * @see Ren et al. 2015 (arXiv:1506.01497); Lin et al. 2017 (arXiv:1612.03144)
 */
export class FasterRCNN<D extends Detection = Detection> extends GeneralizedRCNN<D> {
  declare readonly spec: DetectorSpec;

  constructor(backbone: Backbone, options: FasterRCNNOptions) {
    const { outputs } = backbone;
    checkParts(options);
    super({
      backbone,
      transform: options.transform ?? new ImageTransform(options),
      rpn: options.rpn ?? new RegionProposalNetwork(outputs, options),
      roiHeads: options.roiHeads ?? boxHeads(outputs, options),
    });
    checkClasses(this.spec, options);
    const { boxBatchSizePerImage: roisPerImage = 512 } = options;
    this.spec = { ...this.spec, bytesOfStep: (size) => bytesOfStep(this.namedParameters(), { ...size, roisPerImage }) };
  }
}

/** The usual second stage: a box branch, and what else there is. */
function boxHeads(outputs: readonly FeatureSpec[], options: FasterRCNNOptions): RoIHeads {
  return new RoIHeads(withBranches({ box: boxBranchOf(outputs, options) }, options.branches ?? {}), options);
}

/** The usual box branch, of the parts that are given. */
export function boxBranchOf(outputs: readonly FeatureSpec[], options: FasterRCNNOptions): BoxBranch {
  const { numClasses, random } = options;
  const pool = options.boxRoiPool ?? pyramidRoIAlign(outputs, 7);
  const head = options.boxHead ?? new TwoFCHead({ inChannels: outputs[0]!.channels, random });
  const predictor = options.boxPredictor ?? new FastRCNNPredictor(head.outFeatures, numClasses, { random });
  return new BoxBranch({ pool, head, predictor }, options);
}

type Branches = Readonly<Record<string, RoIBranch>>;

/** Branches and more branches. @throws INVALID_ARGUMENT when two have one name */
export function withBranches(first: Branches, more: Branches): Branches {
  const owners = { 'the usual branches': first, 'those given': more };
  const named = Object.entries(owners).map(([owner, branches]) => [owner, Object.entries(branches)] as const);
  return Object.fromEntries(mergeNamed('FasterRCNN', 'a branch', named));
}

/** Parts of the usual second stage have no place in another one. */
function checkParts(options: FasterRCNNOptions): void {
  if (options.roiHeads === undefined) return;
  const parts = (['branches', 'boxRoiPool', 'boxHead', 'boxPredictor'] as const).filter((part) => options[part]);
  if (parts.length === 0) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'FasterRCNN',
    place: parts.join(', '),
    problem: 'these parts would not be used: roiHeads is given',
    hint: 'Build roiHeads with these parts, or leave it out.',
  });
}

/** Parts of one's own may have been made for another number of classes. */
function checkClasses({ numClasses }: DetectorSpec, options: FasterRCNNOptions): void {
  if (numClasses === options.numClasses) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'FasterRCNN',
    place: 'numClasses',
    problem: 'the parts are made for another number of classes',
    found: `${numClasses}`,
    expected: `${options.numClasses}`,
  });
}

/** RoIAlign on the levels that regions are read from: strides 4 to 32, never P6 or P7. */
export function pyramidRoIAlign(outputs: readonly FeatureSpec[], outputSize: number): MultiScaleRoIAlign {
  const strides = outputs.map(({ stride }) => stride).filter((stride) => stride <= 32);
  return new MultiScaleRoIAlign({ outputSize, strides });
}
