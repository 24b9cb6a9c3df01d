import { normFactory, ResNet, type ResNetName, type ResNetOptions, resnets, smallBody } from '@rcnn/backbone-resnet';
import { BackboneWithFPN, poolExtra } from '@rcnn/fpn';
import type { HTCHeadsOptions } from '@rcnn/htc';
import { CoarseMaskHead, PointHead, PointRendBranch } from '@rcnn/point-rend';
import {
  type CascadeHeadsOptions,
  ConvFCHead,
  KeypointRCNNHeads,
  MaskRCNNHeads,
  MaskRCNNPredictor,
  RoIHeads,
  TwoFCHead,
} from '@rcnn/roi-heads';
import { pyramidAnchors, RPNHead } from '@rcnn/rpn-anchors';
import { cascadeHeads } from './cascade-rcnn.ts';
import { detectron2Rules } from './detectron2-rules.ts';
import { boxBranchOf, FasterRCNN, type FasterRCNNOptions, withBranches } from './faster-rcnn.ts';
import { htcHeads } from './htc.ts';
import { KeypointRCNN, type KeypointRCNNOptions } from './keypoint-rcnn.ts';
import { MaskRCNN, type MaskRCNNOptions } from './mask-rcnn.ts';

type BodyOptions = Pick<
  ResNetOptions,
  'blocks' | 'planes' | 'stemChannels' | 'norm' | 'normEpsilon' | 'batchNorm' | 'strideIn' | 'trainableStages'
>;

/** What the recipes of all detectors take: numbers and parts of the detector, and the shape of the network. */
export interface RecipeOptions
  extends Partial<MaskRCNNOptions & KeypointRCNNOptions & CascadeHeadsOptions & HTCHeadsOptions>,
    BodyOptions {
  /** Default 91: COCO's, with the background; 2 for key points: COCO's persons. */
  readonly numClasses?: number;
  /** The backbone. Default `resnet50`. */
  readonly body?: ResNetName;
  /**
   * 1: frozen norm in the body, none elsewhere. 2: batch norm everywhere, a deeper RPN head, convolutions in the box
   * head. Default 1.
   */
  readonly version?: 1 | 2;
  /** Channels of the pyramid, the RPN and the mask branch. Default 256. */
  readonly fpnChannels?: number;
  /** Channels of the maps that regions are cut out of, where these are not those of a pyramid. */
  readonly inChannels?: number | undefined;
  /** Length of a region's vector. Default 1024. */
  readonly boxFeatures?: number;
  /**
   * Kinds of places that the semantic branch of a Hybrid Task Cascade tells apart; 0 for no such branch. Default as many
   * as `numClasses`: those of the objects, learnt from their masks. COCO-stuff has 183.
   */
  readonly semanticClasses?: number | undefined;
  /** Channels of each convolution of a mask head. Default four times `fpnChannels`. */
  readonly maskChannels?: readonly number[] | undefined;
  /** Channels of each convolution of the key point head. Default eight times 512. */
  readonly keypointChannels?: readonly number[] | undefined;
}

/** A recipe: options in, a model with fresh weights out. Draws from `random` (default the stream of `seedLayers`). */
export type Recipe<Model extends FasterRCNN = FasterRCNN> = (options?: RecipeOptions) => Model;

/** Mask R-CNN on any ResNet, with an FPN. */
export const maskRcnnResnetFpn: Recipe<MaskRCNN> = (options = {}) => {
  const parts = maskPartsOf(options);
  return new MaskRCNN(backboneOf(options), { ...detectorOf(options), ...parts });
};

/** The head and predictor of masks that the version and the widths call for. */
export function maskPartsOf(options: RecipeOptions): Pick<MaskRCNNOptions, 'maskHead' | 'maskPredictor'> {
  const { numClasses = 91, version = 1, fpnChannels = 256, inChannels = fpnChannels, batchNorm, random } = options;
  const { maskChannels: channels = Array.from({ length: 4 }, () => fpnChannels) } = options;
  const norm = version === 2 ? normFactory('batch', 1e-5, batchNorm) : undefined;
  const maskHead = options.maskHead ?? new MaskRCNNHeads({ inChannels, channels, norm, random });
  const maskPredictor =
    options.maskPredictor ?? new MaskRCNNPredictor(maskHead.outChannels, numClasses, { channels: fpnChannels, random });
  return { maskHead, maskPredictor };
}

/**
 * Keypoint R-CNN on any ResNet, with an FPN. torchvision's defaults: images are learnt at short sides from 640 to 800.
 */
export const keypointRcnnResnetFpn: Recipe<KeypointRCNN> = (options = {}) => {
  const { numClasses = 2, fpnChannels = 256, minSize = KEYPOINT_SIZES, keypointChannels: channels, random } = options;
  const keypointHead = options.keypointHead ?? new KeypointRCNNHeads({ inChannels: fpnChannels, channels, random });
  const settings = { ...options, numClasses, minSize };
  return new KeypointRCNN(backboneOf(options), { ...detectorOf(settings), keypointHead });
};

const KEYPOINT_SIZES = [640, 672, 704, 736, 768, 800] as const;

/** Cascade Mask R-CNN on any ResNet, with an FPN: detectron2's, with torchvision's RoIAlign unless told otherwise. */
export const cascadeMaskRcnnResnetFpn: Recipe<MaskRCNN> = (options = {}) => {
  const { boxRoiPool, branches, ...rest } = options;
  const backbone = backboneOf(options);
  const given = { ...maskPartsOf(options), numClasses: options.numClasses ?? 91 };
  const roiHeads = options.roiHeads ?? cascadeHeads(backbone.outputs, { ...options, ...given });
  const unused = options.roiHeads === undefined ? {} : { boxRoiPool, branches }; // refused by the detector
  return new MaskRCNN(backbone, detectorOf({ ...rest, ...unused, roiHeads }));
};

/**
 * PointRend on any ResNet, with an FPN: Mask R-CNN whose masks are drawn point by point, 224x224 in each box. Learns its
 * masks on predicted boxes, as detectron2's does.
 */
export const pointRendResnetFpn: Recipe<MaskRCNN> = (options = {}) => {
  const { numClasses = 91, fpnChannels = 256, branches, random } = options;
  const backbone = backboneOf(options);
  const { channels: inChannels, stride } = backbone.outputs[0]!;
  const shape = { inChannels, numObjectClasses: numClasses - 1, random };
  const channels = fpnChannels;
  const coarse = new CoarseMaskHead({ ...shape, channels, features: options.boxFeatures });
  const point = new PointHead({ ...shape, channels: [channels, channels, channels] });
  const mask = new PointRendBranch({ coarse, point, stride }, { maskPaste: options.maskPaste });
  const detector = detectorOf({ trainOnPredictedBoxes: true, ...options });
  const box = boxBranchOf(backbone.outputs, detector);
  const roiHeads = options.roiHeads ?? new RoIHeads(withBranches({ box, mask }, branches ?? {}), detector);
  return new MaskRCNN(backbone, { ...detector, ...NOT_HERE, roiHeads });
};

/**
 * Hybrid Task Cascade on any ResNet, with an FPN: mmdetection's rules, its anchors and its RoIAlign, unless told
 * otherwise.
 */
export const htcResnetFpn: Recipe<MaskRCNN> = (options = {}) => {
  const { boxRoiPool, maskRoiPool, ...rest } = { ...detectron2Rules(), ...given(options) };
  const backbone = backboneOf(options);
  const pools = { boxRoiPool, maskRoiPool, numClasses: options.numClasses ?? 91 };
  const roiHeads = options.roiHeads ?? htcHeads(backbone.outputs, { ...rest, ...pools });
  const unused = options.roiHeads === undefined ? {} : given({ boxRoiPool: options.boxRoiPool }); // refused by the detector
  return new MaskRCNN(backbone, detectorOf({ ...rest, ...unused, roiHeads }));
};

/** Parts that are in the second stage already. */
const NOT_HERE = { branches: undefined, boxRoiPool: undefined, boxHead: undefined, boxPredictor: undefined };

/** Cascade R-CNN, without masks, on any ResNet with an FPN. */
export const cascadeRcnnResnetFpn: Recipe = (options = {}) => {
  const { boxRoiPool, branches, ...rest } = options;
  const backbone = backboneOf(options);
  const given = { numClasses: options.numClasses ?? 91, masks: false };
  const roiHeads = options.roiHeads ?? cascadeHeads(backbone.outputs, { ...options, ...given });
  const unused = options.roiHeads === undefined ? {} : { boxRoiPool, branches }; // refused by the detector
  return new FasterRCNN(backbone, detectorOf({ ...rest, ...unused, roiHeads }));
};

/** Faster R-CNN on any ResNet, with an FPN. */
export const fasterRcnnResnetFpn: Recipe = (options = {}) => new FasterRCNN(backboneOf(options), detectorOf(options));

export const maskRcnnResnet50Fpn: Recipe<MaskRCNN> = (options) =>
  maskRcnnResnetFpn({ ...options, body: 'resnet50', version: 1 });
export const maskRcnnResnet50FpnV2: Recipe<MaskRCNN> = (options) =>
  maskRcnnResnetFpn({ ...options, body: 'resnet50', version: 2 });
export const fasterRcnnResnet50Fpn: Recipe = (options) =>
  fasterRcnnResnetFpn({ ...options, body: 'resnet50', version: 1 });
export const fasterRcnnResnet50FpnV2: Recipe = (options) =>
  fasterRcnnResnetFpn({ ...options, body: 'resnet50', version: 2 });

export const keypointRcnnResnet50Fpn: Recipe<KeypointRCNN> = (options) =>
  keypointRcnnResnetFpn({ ...options, body: 'resnet50', version: 1 });

/**
 * A Mask R-CNN that trains on a CPU while you watch: one block in each stage, narrow heads, small images.
 * Everything learns, from random weights.
 */
export const maskRcnnSmall: Recipe<MaskRCNN> = (options) => maskRcnnResnetFpn({ ...SMALL, ...options });

/** A Keypoint R-CNN that trains on a CPU while you watch. Everything learns, from random weights. */
export const keypointRcnnSmall: Recipe<KeypointRCNN> = (options) =>
  keypointRcnnResnetFpn({ ...SMALL, keypointChannels: [64, 64, 64, 64], ...options });

/** A Cascade Mask R-CNN that trains on a CPU while you watch. Everything learns, from random weights. */
export const cascadeSmall: Recipe<MaskRCNN> = (options) => cascadeMaskRcnnResnetFpn({ ...SMALL, ...options });

/** A Hybrid Task Cascade that trains on a CPU while you watch. Everything learns, from random weights. */
export const htcSmall: Recipe<MaskRCNN> = (options) => htcResnetFpn({ ...SMALL, maskChannels: [64, 64], ...options });

/** A PointRend that trains on a CPU while you watch. Everything learns, from random weights. */
export const pointRendSmall: Recipe<MaskRCNN> = (options) => pointRendResnetFpn({ ...SMALL, ...options });

/** One block in each stage, narrow heads, small images. */
const SMALL = {
  ...smallBody,
  fpnChannels: 64,
  boxFeatures: 256,
  minSize: 128,
  maxSize: 192,
  boxBatchSizePerImage: 32,
  rpnPreNmsTopNTrain: 1000,
  rpnPostNmsTopNTrain: 1000,
  rpnPreNmsTopNTest: 500,
  rpnPostNmsTopNTest: 200,
} as const satisfies RecipeOptions;

function backboneOf(options: RecipeOptions): BackboneWithFPN {
  const { version = 1, fpnChannels = 256, batchNorm, random } = options;
  const network = resnetOf(options);
  const norm = version === 2 ? normFactory('batch', 1e-5, batchNorm) : undefined;
  return new BackboneWithFPN(network, { outChannels: fpnChannels, norm, extra: poolExtra, random });
}

/** The network alone. */
export function resnetOf(options: RecipeOptions & Pick<ResNetOptions, 'outputStages' | 'dilatedStages'>): ResNet {
  const { body = 'resnet50', version = 1, random } = options;
  return new ResNet({
    ...resnets[body],
    norm: version === 2 ? 'batch' : 'frozen',
    trainableStages: 3,
    ...pick(options, ['blocks', 'planes', 'stemChannels', 'norm', 'normEpsilon', 'batchNorm', 'strideIn']),
    ...pick(options, ['trainableStages', 'outputStages', 'dilatedStages']),
    random,
  });
}

/** The options of the detector, with the parts that the version and the widths call for. */
export function detectorOf(options: RecipeOptions): FasterRCNNOptions {
  const { numClasses = 91, version = 1, fpnChannels = 256, boxFeatures = 1024, random } = options;
  const { inChannels = fpnChannels } = options;
  return {
    ...options,
    numClasses,
    ...(options.roiHeads === undefined && {
      boxHead: options.boxHead ?? boxHeadOf({ ...options, version, inChannels, boxFeatures }),
    }),
    ...(version === 2 && options.rpnHead === undefined && options.rpn === undefined
      ? { rpnHead: new RPNHead(fpnChannels, anchorsPerCell(options), { convDepth: 2, random }) }
      : {}),
  };
}

function boxHeadOf({
  version,
  inChannels,
  boxFeatures: outFeatures,
  batchNorm,
  random,
}: Pick<RecipeOptions, 'version' | 'batchNorm' | 'random'> & {
  readonly inChannels: number;
  readonly boxFeatures: number;
}): TwoFCHead | ConvFCHead {
  if (version === 1) return new TwoFCHead({ inChannels, outFeatures, random });
  const channels = Array.from({ length: 4 }, () => inChannels);
  return new ConvFCHead({ inChannels, outFeatures, channels, norm: normFactory('batch', 1e-5, batchNorm), random });
}

function anchorsPerCell({ rpnAnchorGenerator = pyramidAnchors(5) }: RecipeOptions): number {
  return rpnAnchorGenerator.anchorsPerCell[0]!;
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Partial<
    Pick<T, K>
  >;
}

/** Without what is not set, so that defaults hold. */
export function given(options: RecipeOptions = {}): RecipeOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as RecipeOptions;
}
