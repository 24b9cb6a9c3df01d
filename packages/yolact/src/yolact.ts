import { BalancedSampler, type Sampler } from '@rcnn/boxes';
import {
  type Backbone,
  Conv2d,
  concatFloats,
  type DetectOptions,
  type Detector,
  type DetectorSpec,
  type ImageInput,
  type ImageSize,
  type Losses,
  type LossOptions,
  type MaskDetection,
  Module,
  type Pyramid,
  Random,
  RcnnError,
  rowsWhere,
  type Target,
  takeObjects,
  withoutGradients,
  xavierUniform,
} from '@rcnn/core';
import {
  FixedSizeTransform,
  type ModelTransform,
  type NormalizationOptions,
  prepare,
  prepareToLearn,
} from '@rcnn/detector';
import * as tf from '@tensorflow/tfjs-core';
import { bytesOfStep } from './bytes-of-step.ts';
import { MaskIoUNet } from './mask-iou-net.ts';
import { type MatchOptions, matchPriors } from './match-priors.ts';
import { PredictionHead } from './prediction-head.ts';
import { makePriors, type Priors, priorBoxes, RATIOS } from './priors.ts';
import { ProtoNet } from './proto-net.ts';
import { type ImagePredictions, type Selection, selectObjects } from './select-objects.ts';
import { type ImageTruth, surprises, yolactLosses } from './yolact-losses.ts';

export interface YOLACTOptions extends NormalizationOptions {
  /** Background included: 81 for COCO, 2 for one class. */
  readonly numClasses: number;
  /** Every image is squeezed to a square of this side, in pixels. Default 550. */
  readonly imageSize?: number | undefined;
  /** Instead of a `FixedSizeTransform` of `imageSize`: one that gives squares of that side. */
  readonly transform?: ModelTransform | undefined;
  /**
   * For each level, finest first: side of its priors (or several) in pixels of the squeezed image. Default those of the
   * paper, 24, 48, … 384 at 550, for other sizes in proportion.
   */
  readonly priorScales?: readonly (number | readonly number[])[] | undefined;
  /** Height over width. Default 1, 1/2, 2. */
  readonly priorRatios?: readonly number[] | undefined;
  /** As the published weights expect it: all priors are squares. Default true. */
  readonly squarePriors?: boolean | undefined;
  /** Channels of the head and of the prototypes' network. Default the pyramid's. */
  readonly headChannels?: number | undefined;
  /** Prototypes of an image. Default 32. */
  readonly numPrototypes?: number | undefined;
  readonly match?: MatchOptions | undefined;
  /**
   * Whether a small network rates every mask, as in YOLACT++: detections have a `maskScore` beside their score. Its
   * channels, or true for those of the paper, which need images of 249 pixels and more. Default false.
   */
  readonly maskRescoring?: boolean | readonly number[] | undefined;
  /** Positives of an image whose masks are learnt, drawn at random. Default 100. */
  readonly masksToTrain?: number | undefined;
  /** Draws them; instead of `masksToTrain`. */
  readonly maskSampler?: Sampler | undefined;
  /** Only priors whose best class scores more are looked at. Default 0.05. */
  readonly scoreThreshold?: number | undefined;
  /**
   * Whether every detection must score more, too. A prior that is kept is found under each class in which nothing better
   * covers it, however low its score there: the authors measured 0.2 AP more with those. Default false.
   */
  readonly secondThreshold?: boolean | undefined;
  /** Above this IoU the better box covers the other. Default 0.5. */
  readonly nmsThreshold?: number | undefined;
  /** Boxes of each class that compete. Default 200. */
  readonly nmsTopK?: number | undefined;
  /** Whether boxes of different classes compete. Default false. */
  readonly crossClassNms?: boolean | undefined;
  /** Default 100. */
  readonly detectionsPerImage?: number | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/** The side of an image, in pixels, for which the paper's priors are meant. */
const PAPER_SIZE = 550;
/** On P3 to P7. */
const PAPER_SCALES = [24, 48, 96, 192, 384] as const;

/** Mean and deviation of the authors' images, in [0, 1]. */
const MEAN = [123.68 / 255, 116.78 / 255, 103.94 / 255] as const;
const STD = [58.4 / 255, 57.12 / 255, 57.38 / 255] as const;

/**
 * YOLACT: finds boxes and masks in one pass. Every prior box has a class, a box and coefficients; a mask is the
 * prototypes of the image, weighed by the coefficients and cut to the box.
 *
 * Parameters carry the authors' names above the pyramid (`proto_net`, `prediction_layers.0`, `semantic_seg_conv`), and
 * torchvision's below it; `fromAuthorsNames` brings the authors' files there.
 * @see Bolya et al. 2019 (arXiv:1904.02689)
 */
export class YOLACT extends Module implements Detector<MaskDetection> {
  readonly spec: DetectorSpec;
  readonly transform: ModelTransform;
  readonly backbone: Backbone;
  readonly protoNet: ProtoNet;
  readonly head: PredictionHead;
  /** Rates masks, in YOLACT++. */
  readonly maskIoUNet: MaskIoUNet | undefined;
  readonly #semantic: Conv2d;
  readonly #options: YOLACTOptions;
  readonly #scales: readonly (readonly number[])[];
  readonly #maskSampler: Sampler;

  /** @param backbone gives a pyramid, finest first, whose levels have the same channels */
  constructor(backbone: Backbone, options: YOLACTOptions) {
    super();
    const { numClasses, imageSize = PAPER_SIZE, numPrototypes, random } = options;
    const inChannels = backbone.outputs[0]!.channels;
    const channels = options.headChannels ?? inChannels;
    this.#options = options;
    this.#scales = scalesOf(options, backbone.outputs.length);
    const priorsPerCell = this.#scales[0]!.length * (options.priorRatios ?? RATIOS).length;
    this.transform =
      options.transform ??
      new FixedSizeTransform({ mean: MEAN, std: STD, ...given(options), size: [imageSize, imageSize] });
    const shared = { inChannels, channels, numPrototypes, random };
    this.backbone = this.register('backbone', backbone);
    this.protoNet = this.register('proto_net', new ProtoNet(shared));
    this.head = this.register('prediction_layers.0', new PredictionHead({ ...shared, numClasses, priorsPerCell }));
    const semantic = { kernelSize: 1, initialiser: xavierUniform(), random };
    this.#semantic = this.register('semantic_seg_conv', new Conv2d(inChannels, numClasses - 1, semantic));
    const { maskRescoring = false } = options;
    if (maskRescoring !== false) {
      const rescoring = { numClasses, channels: maskRescoring === true ? undefined : maskRescoring, random };
      this.maskIoUNet = this.register('maskiou_net', new MaskIoUNet(rescoring));
    }
    const { masksToTrain = 100 } = options;
    this.#maskSampler = options.maskSampler ?? new BalancedSampler({ batchSize: masksToTrain, positiveFraction: 1 });
    const strides = backbone.outputs.map(({ stride }) => stride);
    this.spec = {
      numClasses,
      learnsFrom: ['masks'],
      finds: ['boxes', 'masks'],
      input: this.transform.input,
      isPredictor: (name) =>
        /^(prediction_layers\.0\.conf_layer|semantic_seg_conv)\./.test(name) ||
        (this.maskIoUNet !== undefined && name.startsWith(`maskiou_net.${this.maskIoUNet.predictor}.`)),
      bytesOfStep: (size) => bytesOfStep(this.namedParameters(), size, { strides, masksToTrain }),
    };
  }

  /**
   * Finds the objects of each image, best score first, in pixels of that image. A mask is computed when a form of it is
   * asked for. Plain data; no tensor is left behind.
   * @throws IMAGE_INVALID naming image and pixel
   */
  async detect(images: readonly ImageInput[], options: DetectOptions = {}): Promise<MaskDetection[][]> {
    const batch = await prepare('detect', this.transform, images);
    const held: tf.Tensor[] = [batch.images];
    try {
      const features = this.backbone.forward(batch.images, 'predict');
      held.push(...features);
      const outputs = this.#forDetecting(features);
      held.push(...Object.values(outputs));
      const priors = this.#priors(features);
      const read = await readImages(outputs);
      const detections: MaskDetection[][] = [];
      for (const [i, placement] of batch.placements.entries()) {
        const found = selectObjects(read[i]!, priors, batch.paddedSize, this.#selection());
        const maskScores = await this.#rate(found, read[i]!.prototypes.size);
        const objects = { ...found.objects, ...(maskScores && { maskScores }) };
        detections.push(placement.toImage(objects, options) as MaskDetection[]);
      }
      return detections;
    } finally {
      tf.dispose(held);
    }
  }

  /**
   * What the model should learn from these images, as scalars: `loss_box`, `loss_class`, `loss_mask` and
   * `loss_semantic`, and `loss_mask_iou` where masks are rated. For gradients, call it inside `valueAndGradients` of `@rcnn/core`; without a tape it is a validation
   * loss. The caller disposes them. Priors in crowd regions are left out of the class loss.
   * @throws IMAGE_INVALID, TARGET_INVALID, NON_FINITE, BOX_DEGENERATE, LABEL_OUT_OF_RANGE, MASK_SIZE_MISMATCH
   */
  async losses(
    images: readonly ImageInput[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: LossOptions = {},
  ): Promise<Losses> {
    const batch = await prepareToLearn('losses', this, images, targets, { phase, random, keepCrowds: true });
    const held: tf.Tensor[] = [batch.images];
    try {
      const features = this.backbone.forward(batch.images, phase);
      held.push(...features);
      const outputs = this.#forLearning(features);
      held.push(...Object.values(outputs));
      const ranking = withoutGradients(() => surprises(outputs.logits));
      held.push(ranking);
      const priors = this.#priors(features);
      const boxes = priorBoxes(priors);
      const truth = batch.targets.map((target) => truthOf(target, boxes, batch.paddedSize, this.#options.match));
      const settings = {
        priors,
        surprises: await ranking.data<'float32'>(),
        maskSampler: this.#maskSampler,
        maskIoUNet: this.maskIoUNet,
        random,
      };
      return yolactLosses(outputs, truth, settings);
    } finally {
      tf.dispose(held); // a tape keeps what it needs by itself
    }
  }

  /** The score of each mask: that of its class times how well the mask is said to fit. Undefined where nobody rates. */
  async #rate({ objects, maps }: Selection, size: ImageSize): Promise<Float32Array | undefined> {
    const { maskIoUNet: net } = this;
    if (net === undefined) return undefined;
    if (maps.length === 0) return new Float32Array();
    const said = tf.tidy(() => {
      const masks = tf.tensor3d(concatFloats(maps.map((map) => map())), [maps.length, ...size]);
      return net.forward(masks, objects.labels);
    });
    const ious = await said.data<'float32'>().finally(() => said.dispose());
    return objects.scores.map((score, i) => score * ious[i]!);
  }

  #forDetecting(features: Pyramid) {
    return tf.tidy(() => {
      const { logits, deltas, coefficients } = this.head.forward(features);
      const prototypes = this.protoNet.forward(features[0]!);
      return { scores: tf.softmax(logits), deltas, coefficients, prototypes };
    });
  }

  #forLearning(features: Pyramid) {
    return tf.tidy(() => {
      const { logits, deltas, coefficients } = this.head.forward(features);
      const prototypes = this.protoNet.forward(features[0]!);
      return { logits, deltas, coefficients, prototypes, semantic: this.#semantic.forward(features[0]!) };
    });
  }

  #priors(features: Pyramid): Priors {
    const { imageSize = PAPER_SIZE, priorRatios: ratios, squarePriors: square } = this.#options;
    return makePriors(gridsOf(features), { scales: this.#scales, ratios, imageSize, square });
  }

  #selection() {
    const { scoreThreshold = 0.05, secondThreshold = false, crossClassNms = false, ...options } = this.#options;
    return {
      priorThreshold: scoreThreshold,
      crossClass: crossClassNms,
      iouThreshold: options.nmsThreshold,
      topK: options.nmsTopK,
      limit: options.detectionsPerImage ?? 100,
      ...(secondThreshold && { scoreThreshold }),
    };
  }
}

/** The options of the normalization that are set. */
function given({ mean, std, channelOrder }: YOLACTOptions): NormalizationOptions {
  return { ...(mean && { mean }), ...(std && { std }), ...(channelOrder && { channelOrder }) };
}

/** The paper's sides of priors, for images of another side. */
export function paperScales(imageSize: number = PAPER_SIZE): readonly number[] {
  // Whole pixels, cut off: so are those of the published models for 400 and 700.
  return PAPER_SCALES.map((scale) => Math.trunc((scale * imageSize) / PAPER_SIZE));
}

function scalesOf({ priorScales, imageSize = PAPER_SIZE }: YOLACTOptions, levels: number): readonly number[][] {
  const scales = priorScales ?? paperScales(imageSize);
  const lists = scales.map((scale) => (typeof scale === 'number' ? [scale] : [...scale]));
  const even = lists.every((list) => list.length === lists[0]!.length && list.every((side) => side > 0));
  if (lists.length === levels && even) return lists;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'YOLACT',
    place: 'priorScales',
    problem: 'every level needs sides above 0, and all levels the same number of them',
    found: JSON.stringify(scales),
    expected: `${levels} levels`,
  });
}

function gridsOf(features: Pyramid): ImageSize[] {
  return features.map(({ shape: [, height, width] }) => [height, width]);
}

/** The tensors of a batch as one set of host arrays for each image. */
async function readImages(outputs: {
  readonly scores: tf.Tensor3D;
  readonly deltas: tf.Tensor3D;
  readonly coefficients: tf.Tensor3D;
  readonly prototypes: tf.Tensor4D;
}): Promise<ImagePredictions[]> {
  const { scores, deltas, coefficients, prototypes } = outputs;
  const [count, height, width] = prototypes.shape;
  const read = await Promise.all([scores, deltas, coefficients, prototypes].map((tensor) => tensor.data<'float32'>()));
  return Array.from({ length: count }, (_, image) => {
    const own = (values: Float32Array): Float32Array => {
      const size = values.length / count;
      return values.subarray(image * size, (image + 1) * size);
    };
    const [ownScores, ownDeltas, ownCoefficients, maps] = read.map(own) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    // Masks are made later: they keep the prototypes of their own image, and not those of the batch.
    const values = maps.slice();
    return {
      scores: ownScores,
      deltas: ownDeltas,
      coefficients: ownCoefficients,
      prototypes: { values, size: [height, width] },
    };
  });
}

/** The objects of an image as shares of it, and which prior should find which. */
function truthOf(
  target: Target,
  priors: Float32Array,
  [height, width]: ImageSize,
  options: MatchOptions | undefined,
): ImageTruth {
  const shares = (boxes: Float32Array): Float32Array => boxes.map((value, i) => value / (i % 2 === 0 ? width : height));
  const isCrowd = (row: number): boolean => target.crowd?.[row] === 1;
  const objects = takeObjects(target, rowsWhere(target, (row) => !isCrowd(row))); // biome-ignore format: one line
  const crowds = takeObjects(target, rowsWhere(target, isCrowd));
  const { labels, masks = [] } = objects;
  const boxes = shares(objects.boxes);
  const match = matchPriors(priors, { boxes, labels, crowdBoxes: shares(crowds.boxes) }, options);
  return { boxes, labels, masks, match };
}
