import { type ResNetName, ResNetStage, resnets } from '@rcnn/backbone-resnet';
import {
  type Backbone,
  Conv2d,
  type FeatureSpec,
  kaimingUniform,
  type Phase,
  type Pyramid,
  type Random,
} from '@rcnn/core';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { FastRCNNPredictor, MaskRCNNPredictor, Res5Heads } from '@rcnn/roi-heads';
import { AnchorGenerator, RPNHead } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';
import { FasterRCNN, type FasterRCNNOptions } from './faster-rcnn.ts';
import { MaskRCNN } from './mask-rcnn.ts';
import { OneMap } from './one-map.ts';
import { detectorOf, given, maskPartsOf, type Recipe, type RecipeOptions, resnetOf } from './recipes.ts';

/** Where one map stands in for a pyramid: the stride of the map, and what detectron2 does with it. */
const STRIDE = 16;

/**
 * The last map of a network, narrowed: 1x1, then 3x3, no activation between. Children `body`, `inner_block_module`,
 * `layer_block_module`.
 */
class NarrowedMap extends OneMap {
  override readonly outputs: readonly FeatureSpec[];
  readonly #inner: Conv2d;
  readonly #layer: Conv2d;

  constructor(body: Backbone, channels: number, random: Random | undefined) {
    super(body);
    const [{ stride, channels: inChannels }] = body.outputs as [FeatureSpec];
    const initialiser = kaimingUniform(1);
    this.#inner = this.register(
      'inner_block_module',
      new Conv2d(inChannels, channels, { kernelSize: 1, initialiser, random }),
    );
    this.#layer = this.register(
      'layer_block_module',
      new Conv2d(channels, channels, { kernelSize: 3, initialiser, random }),
    );
    this.outputs = [{ stride, channels }];
  }

  override forward(images: tf.Tensor4D, phase?: Phase): Pyramid {
    return tf.tidy(() => {
      const [map] = this.body.forward(images, phase) as [tf.Tensor4D];
      return [this.#layer.forward(this.#inner.forward(map, phase), phase)];
    });
  }
}

/**
 * Mask R-CNN on the last map of any ResNet, narrowed to 256 channels: no pyramid, one map of stride 32 with anchors of
 * three sizes. torchvision's rules in everything else.
 */
export const maskRcnnResnetC5: Recipe<MaskRCNN> = (options = {}) => {
  const own = { rpnAnchorGenerator: new AnchorGenerator({ sizes: [[128, 256, 512]] }), ...given(options) };
  return new MaskRCNN(narrowedMap(options), { ...detectorOf(own), ...maskPartsOf(own) });
};

/** The same without masks. */
export const fasterRcnnResnetC5: Recipe = (options = {}) => {
  const own = { rpnAnchorGenerator: new AnchorGenerator({ sizes: [[128, 256, 512]] }), ...given(options) };
  return new FasterRCNN(narrowedMap(options), detectorOf(own));
};

/**
 * {@link maskRcnnResnetC5} as it is written down for Pascal VOC: 20 classes and the background, anchors as they come and
 * by size, L1 in the first stage and a softer loss in the second, fewer and surer detections.
 */
export const maskRcnnResnetC5Voc: Recipe<MaskRCNN> = (options) =>
  maskRcnnResnetC5({
    numClasses: 21, // VOC's first class is 1: numbered from 0 it would be the background, and never be learned
    rpnAnchorGenerator: new AnchorGenerator({ sizes: [[128, 256, 512]], rounded: false, outer: 'size' }),
    rpnLossBeta: 0,
    boxLossBeta: 1,
    boxScoreThresh: 0.1,
    boxNmsThresh: 0.6,
    ...given(options),
  });

/**
 * Mask R-CNN whose second stage is the network's last one: detectron2's C4. One map of stride 16; images are not padded
 * to a multiple of anything.
 */
export const maskRcnnResnetC4: Recipe<MaskRCNN> = (options = {}) => {
  const { backbone, settings } = c4Of(options, true);
  return new MaskRCNN(backbone, settings);
};

/** The same without masks. */
export const fasterRcnnResnetC4: Recipe = (options = {}) => {
  const { backbone, settings } = c4Of(options, false);
  return new FasterRCNN(backbone, settings);
};

/** Mask R-CNN on a last stage that does not stride but reads every second cell: detectron2's DC5. */
export const maskRcnnResnetDC5: Recipe<MaskRCNN> = (options = {}) => {
  const backbone = dilatedMap(options);
  const own = dc5Of(options, backbone);
  return new MaskRCNN(backbone, { ...detectorOf(own), ...maskPartsOf(own) });
};

/** The same without masks. */
export const fasterRcnnResnetDC5: Recipe = (options = {}) => {
  const backbone = dilatedMap(options);
  return new FasterRCNN(backbone, detectorOf(dc5Of(options, backbone)));
};

/** Every recipe of this file by what follows the network's name: `maskrcnn_resnet50_c4`. */
export const singleMapRecipes: readonly (readonly [task: 'maskrcnn' | 'fasterrcnn', map: string, recipe: Recipe])[] = [
  ['maskrcnn', 'c4', maskRcnnResnetC4],
  ['maskrcnn', 'dc5', maskRcnnResnetDC5],
  ['maskrcnn', 'c5', maskRcnnResnetC5],
  ['maskrcnn', 'c5_voc', maskRcnnResnetC5Voc],
  ['fasterrcnn', 'c4', fasterRcnnResnetC4],
  ['fasterrcnn', 'dc5', fasterRcnnResnetDC5],
  ['fasterrcnn', 'c5', fasterRcnnResnetC5],
];

function c4Of(
  options: RecipeOptions,
  masks: boolean,
): { backbone: Backbone; settings: FasterRCNNOptions & { numClasses: number } } {
  const {
    numClasses = 91,
    body = 'resnet50',
    fpnChannels = 256,
    planes = PLANES,
    normEpsilon,
    strideIn,
    random,
  } = options;
  const backbone = new OneMap(resnetOf({ ...options, outputStages: [3] }));
  const inChannels = backbone.outputs[0]!.channels;
  const { blocks, ...shape } = shapeOf(body, options);
  const res5 = new ResNetStage({
    ...shape,
    blocks: blocks[3]!,
    planes: planes[3]!,
    inChannels,
    ...(options.norm !== undefined && { norm: options.norm }),
    normEpsilon,
    batchNorm: options.batchNorm,
    strideIn,
    random,
  });
  const channels = Math.min(fpnChannels, 256);
  const settings = { ...detectron2Defaults(inChannels, options), numClasses };
  const pool = options.boxRoiPool ?? alignOn(STRIDE, 14);
  const predictor = options.boxPredictor ?? new FastRCNNPredictor(res5.outChannels, numClasses, { random });
  const mask = masks
    ? { mask: options.maskPredictor ?? new MaskRCNNPredictor(res5.outChannels, numClasses, { channels, random }) }
    : {};
  const roiHeads = options.roiHeads ?? new Res5Heads({ pool, res5, predictor, ...mask }, settings);
  return { backbone, settings: { ...settings, boxRoiPool: undefined, boxPredictor: undefined, roiHeads } };
}

function dc5Of(options: RecipeOptions, backbone: Backbone): RecipeOptions {
  const { channels: inChannels } = backbone.outputs[0]!;
  const { boxFeatures = 1024, fpnChannels = 256, numClasses = 91, random } = options;
  return {
    ...detectron2Defaults(inChannels, options),
    numClasses,
    boxRoiPool: options.boxRoiPool ?? alignOn(STRIDE, 7),
    maskRoiPool: options.maskRoiPool ?? alignOn(STRIDE, 14),
    boxFeatures,
    fpnChannels,
    inChannels,
    random,
  };
}

/** Numbers in which detectron2's detectors on one map differ from torchvision's on a pyramid; what is given goes before. */
function detectron2Defaults(channels: number, options: RecipeOptions): RecipeOptions {
  const { random } = options;
  const rpnAnchorGenerator = options.rpnAnchorGenerator ?? declaredAnchors();
  const anchors = rpnAnchorGenerator.anchorsPerCell[0]!;
  return {
    sizeDivisor: 1,
    rpnPreNmsTopNTrain: 12000,
    rpnPreNmsTopNTest: 6000,
    rpnLossBeta: 0,
    rpnLossNorm: 'full',
    boxLossBeta: 0,
    maskPaste: 'detectron2',
    maskTargets: { aligned: true, threshold: 0.5 },
    ...given(options),
    rpnAnchorGenerator,
    rpnHead: options.rpnHead ?? new RPNHead(channels, anchors, { random }),
  };
}

function declaredAnchors(): AnchorGenerator {
  return new AnchorGenerator({ sizes: [[32, 64, 128, 256, 512]], rounded: false, outer: 'size', strides: [STRIDE] });
}

const PLANES = [64, 128, 256, 512];

function narrowedMap(options: RecipeOptions): Backbone {
  const { fpnChannels = 256, random } = options;
  return new NarrowedMap(resnetOf({ ...options, outputStages: [4] }), fpnChannels, random);
}

function dilatedMap(options: RecipeOptions): Backbone {
  return new OneMap(resnetOf({ ...options, outputStages: [4], dilatedStages: [4] }));
}

function shapeOf(body: ResNetName, { blocks }: RecipeOptions) {
  return { ...resnets[body], ...(blocks && { blocks }) };
}

function alignOn(stride: number, outputSize: number): MultiScaleRoIAlign {
  return new MultiScaleRoIAlign({ outputSize, strides: [stride], samplingRatio: 0, aligned: true });
}
