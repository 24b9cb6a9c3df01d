import {
  BalancedSampler,
  BoxCoder,
  type BoxCoderWeights,
  type BoxCoding,
  type BoxMatcher,
  bceWithLogits,
  clipBoxes,
  type Sampler,
  softmaxCrossEntropy,
} from '@rcnn/boxes';
import {
  type ImageSize,
  type Losses,
  Module,
  mergeLosses,
  mergeNamed,
  type Parameter,
  type Phase,
  type Pyramid,
  Random,
  RcnnError,
  type Target,
} from '@rcnn/core';
import { boxMask } from '@rcnn/detector';
import type { PasteMode } from '@rcnn/masks';
import { MultiScaleRoIAlign, maskTargets } from '@rcnn/roi-align';
import {
  type BoxHead,
  type BoxPredictions,
  type BoxPredictor,
  boxRegressionLoss,
  countRoIs,
  labelsOf,
  masksFor,
  onlyPositives,
  type RegionHeads,
  type RegionLossOptions,
  type RegionSpec,
  type RoIPooler,
  type RoIs,
  refineBoxes,
  type SampledRoIs,
  type SelectionRules,
  selectDetections,
  splitRows,
} from '@rcnn/roi-heads';
import * as tf from '@tensorflow/tfjs-core';
import { BestBoxMatcher } from './best-box-matcher.ts';
import { MaskCascade, type MaskStageParts } from './mask-cascade.ts';
import { meanOfFours } from './mean-of-fours.ts';
import { proposedOf, type StageSample, sampleStage } from './sample-stage.ts';
import type { SemanticBranch } from './semantic-branch.ts';
import { labelsOfMasks, type SemanticLabels, semanticLoss } from './semantic-labels.ts';

/** The boxes of one stage. */
export interface BoxStageParts {
  readonly head: BoxHead;
  /** Moves one box for all classes: `new FastRCNNPredictor(…, { classAgnostic: true })`. */
  readonly predictor: BoxPredictor;
}

export interface HTCParts {
  /** Shared by the boxes of all stages. */
  readonly boxPool: RoIPooler;
  readonly boxes: readonly BoxStageParts[];
  /** Shared by the masks of all stages; twice as many cells on a side as `boxPool`. */
  readonly maskPool: RoIPooler;
  readonly masks: readonly MaskStageParts[];
  /** What is where in the image, beside the objects. Without it neither boxes nor masks are told. */
  readonly semantic?: SemanticBranch | undefined;
}

export interface HTCHeadsOptions {
  /** Whether the masks of a stage learn on the boxes that this stage moved, instead of on those it was given. Default true. */
  readonly interleaved?: boolean | undefined;
  /** Of each stage: a region is an object from this IoU on, and background below. Default 0.5, 0.6, 0.7. */
  readonly cascadeIouThresholds?: readonly number[] | undefined;
  /** Of each stage: factors of `dx, dy, dw, dh`. Default one over .1, .1, .2, .2; .05, .05, .1, .1; .033, .033, .067, .067. */
  readonly cascadeRegWeights?: readonly BoxCoderWeights[] | undefined;
  /** What the losses of each stage count. Default 1, 0.5, 0.25. */
  readonly stageLossWeights?: readonly number[] | undefined;
  /** What the semantic loss counts. Default 0.2. */
  readonly semanticLossWeight?: number | undefined;
  /** Default what the objects' masks say, where the branch tells as many classes apart as the boxes; else nothing. */
  readonly semanticLabels?: SemanticLabels | undefined;
  /** Regions per image in the losses of a stage. Default 512. */
  readonly boxBatchSizePerImage?: number | undefined;
  /** At most this fraction of them is positive. Default 0.25. */
  readonly boxPositiveFraction?: number | undefined;
  /** Chooses them. Default a `BalancedSampler` of the two options above. */
  readonly boxSampler?: Sampler | undefined;
  /** Where the smooth L1 of the box loss becomes straight. Default 1. */
  readonly boxLossBeta?: number | undefined;
  /** A detection scores above this. Default 0.001. */
  readonly boxScoreThresh?: number | undefined;
  /** Of two of one class whose IoU is above this, the better stays. Default 0.5. */
  readonly boxNmsThresh?: number | undefined;
  /** Kept per image, best first. Default 100. */
  readonly boxDetectionsPerImg?: number | undefined;
  /** How a mask is laid into its box. Default `detectron2`, which is mmdetection's. */
  readonly maskPaste?: PasteMode | undefined;
}

interface BoxStage extends BoxStageParts {
  readonly coder: BoxCoding;
  readonly matcher: BoxMatcher;
  readonly weight: number;
}

const THRESHOLDS = [0.5, 0.6, 0.7];
const WEIGHTS = [
  [0.1, 0.2],
  [0.05, 0.1],
  [0.033, 0.067],
].map(([xy, wh]): BoxCoderWeights => [1 / xy!, 1 / xy!, 1 / wh!, 1 / wh!]);
const LOSS_WEIGHTS = [1, 0.5, 0.25];

/**
 * The second stage of Hybrid Task Cascade: boxes in stages, each with masks that learn on what it moved and build on the
 * masks of the stage before; and a map of what is where, added to what boxes and masks see of their regions. Children
 * `box_head.{k}`, `box_predictor.{k}`, `mask_head.{k}`, `mask_predictor.{k}`, `mask_flow.{k}`, `semantic_head`.
 *
 * Without the semantic branch, the flow between masks and the interleaving it is Cascade Mask R-CNN as mmdetection
 * trains it. Classes are those of the mean of the stages' logits, boxes and masks those of the last stage.
 * @see Chen et al. 2019 (arXiv:1901.07518)
 */
export class HTCHeads extends Module implements RegionHeads {
  readonly spec: RegionSpec;
  readonly #parts: HTCParts;
  readonly #boxes: readonly BoxStage[];
  readonly #masks: MaskCascade;
  readonly #sampler: Sampler;
  readonly #options: HTCHeadsOptions;
  /** Reads regions off the semantic map, for masks. */
  readonly #semanticPool: RoIPooler;

  /** @throws INVALID_ARGUMENT when stages, thresholds, factors and weights do not belong together */
  constructor(parts: HTCParts, options: HTCHeadsOptions = {}) {
    super();
    this.#parts = parts;
    this.#options = options;
    this.#boxes = checkedStages(parts, options);
    for (const [k, { head, predictor }] of parts.boxes.entries()) {
      this.register(`box_head.${k}`, head);
      this.register(`box_predictor.${k}`, predictor);
    }
    if (parts.semantic !== undefined) this.register('semantic_head', parts.semantic);
    this.#masks = new MaskCascade(parts.masks);
    const strides = [4 * 2 ** (parts.semantic?.fusionLevel ?? 1)];
    this.#semanticPool = new MultiScaleRoIAlign({ outputSize: 14, strides, samplingRatio: 0, aligned: true });
    const { boxBatchSizePerImage: batchSize = 512, boxPositiveFraction: positiveFraction = 0.25 } = options;
    this.#sampler = options.boxSampler ?? new BalancedSampler({ batchSize, positiveFraction });
    const { numClasses } = parts.boxes[0]!.predictor;
    this.spec = {
      numClasses,
      learnsFrom: ['masks'],
      finds: ['boxes', 'masks'],
      isPredictor: (name) =>
        /^(box_predictor\.|mask_predictor\.\d+\.mask_fcn_logits\.)/.test(name) ||
        (parts.semantic?.numClasses === numClasses && name.startsWith('semantic_head.conv_logits.')),
    };
  }

  override namedParameters(prefix = ''): Map<string, Parameter> {
    return mergeNamed('HTCHeads', 'a parameter', [
      ['the boxes', super.namedParameters(prefix)],
      ['the masks', this.#masks.namedParameters(prefix)],
    ]);
  }

  override dispose(): void {
    super.dispose();
    this.#masks.dispose();
  }

  async detect(features: Pyramid, proposals: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    const semantic = this.#embedding(features);
    try {
      const found = await this.#detectBoxes(features, semantic, proposals, sizes);
      return await this.#detectMasks(features, semantic, found);
    } finally {
      semantic?.dispose();
    }
  }

  #embedding(features: Pyramid): tf.Tensor4D | undefined {
    const { semantic } = this.#parts;
    if (semantic === undefined) return undefined;
    const { embedding, logits } = semantic.forward(features);
    logits.dispose();
    return embedding;
  }

  /** No box is dropped between stages, so that rows of logits can be averaged. */
  async #detectBoxes(
    features: Pyramid,
    semantic: tf.Tensor4D | undefined,
    proposals: readonly RoIs[],
    sizes: readonly ImageSize[],
  ): Promise<RoIs[]> {
    if (countRoIs(proposals) === 0) return proposals.map(nothing);
    let boxes = proposals.map((ofImage) => ofImage.boxes);
    let sums: Float32Array | undefined;
    for (const [k, stage] of this.#boxes.entries()) {
      const { logits, deltas } = await this.#readBoxes(features, semantic, boxes, stage);
      sums = sums?.map((sum, at) => sum + logits[at]!) ?? logits;
      const ofImages = splitRows(deltas, boxes);
      if (k < this.#boxes.length - 1) {
        boxes = boxes.map((ofImage, i) => refineBoxes(ofImage, ofImages[i]!, stage.coder, sizes[i]!));
        continue;
      }
      const scores = splitRows(softmaxOfMean(sums, this.#boxes.length, this.spec.numClasses), boxes);
      const { boxScoreThresh = 0.001, boxNmsThresh = 0.5, boxDetectionsPerImg = 100 } = this.#options;
      const rules: SelectionRules = {
        coder: stage.coder,
        scoreThreshold: boxScoreThresh,
        nmsThreshold: boxNmsThresh,
        limit: boxDetectionsPerImg,
        minSize: 0,
      };
      return boxes.map((ofImage, i) =>
        selectDetections({ boxes: ofImage, scores: scores[i]!, deltas: ofImages[i]! }, sizes[i]!, rules),
      );
    }
    return proposals.map(nothing);
  }

  async #readBoxes(
    features: Pyramid,
    semantic: tf.Tensor4D | undefined,
    boxes: readonly Float32Array[],
    stage: BoxStage,
  ): Promise<{ logits: Float32Array; deltas: Float32Array }> {
    const said = this.#forwardBoxes(features, semantic, boxes, stage, 'predict');
    try {
      const [logits, deltas] = await Promise.all([said.logits.data<'float32'>(), said.deltas.data<'float32'>()]);
      return { logits, deltas };
    } finally {
      tf.dispose({ ...said });
    }
  }

  /** Boxes are told the mean of each four cells that masks are told. */
  #forwardBoxes(
    features: Pyramid,
    semantic: tf.Tensor4D | undefined,
    boxes: readonly Float32Array[],
    { head, predictor }: BoxStage,
    phase: Phase,
  ): BoxPredictions {
    return tf.tidy(() => {
      const pooled = this.#parts.boxPool.forward(features, boxes); // [R, 7, 7, C]
      const told =
        semantic === undefined ? pooled : tf.add(pooled, meanOfFours(this.#semanticPool.forward([semantic], boxes)));
      return { ...predictor.forward(head.forward(told as tf.Tensor4D, phase), phase) };
    });
  }

  /** Mask logits `[R, 28, 28]` of stage `k`, of the class of each region. */
  #forwardMasks(
    features: Pyramid,
    semantic: tf.Tensor4D | undefined,
    rois: readonly { readonly boxes: Float32Array; readonly labels: Int32Array }[],
    k: number,
    phase: Phase,
  ): tf.Tensor3D {
    return tf.tidy(() => {
      const boxes = rois.map((ofImage) => ofImage.boxes);
      const pooled = this.#parts.maskPool.forward(features, boxes); // [R, 14, 14, C]
      const told = semantic === undefined ? pooled : tf.add(pooled, this.#semanticPool.forward([semantic], boxes));
      return this.#masks.forward(told as tf.Tensor4D, labelsOf(rois), k, phase);
    });
  }

  async #detectMasks(features: Pyramid, semantic: tf.Tensor4D | undefined, rois: readonly RoIs[]): Promise<RoIs[]> {
    const count = countRoIs(rois);
    if (count === 0) return rois.map((ofImage) => ({ ...ofImage, masks: [] }));
    const probabilities = tf.tidy(() => {
      return tf.sigmoid(this.#forwardMasks(features, semantic, rois, this.#boxes.length - 1, 'predict'));
    });
    const values = await probabilities.data<'float32'>().finally(() => probabilities.dispose());
    const cells = values.length / count;
    const { maskPaste = 'detectron2' } = this.#options;
    let at = 0;
    return rois.map((ofImage) => {
      const masks = Array.from(ofImage.labels, () => boxMask(values.slice(at * cells, ++at * cells), maskPaste));
      return { ...ofImage, masks };
    });
  }

  /**
   * `loss_cls_stage0`, `loss_box_reg_stage0`, `loss_mask_stage0` and so on, times what each stage counts, and
   * `loss_semantic`. Each stage draws its regions from the boxes that the one before moved; its masks from those that it
   * moved itself.
   */
  async losses(
    features: Pyramid,
    proposals: readonly Float32Array[],
    targets: readonly Target[],
    { sizes, phase = 'train', random = new Random(0) }: Pick<RegionLossOptions, 'sizes'> & Partial<RegionLossOptions>,
  ): Promise<Losses> {
    const found: Record<string, Losses> = {};
    const semantic = this.#parts.semantic?.forward(features);
    try {
      if (semantic !== undefined) found['semantic'] = this.#semanticLoss(semantic.logits, targets, sizes);
      let boxes = proposals;
      for (const [k, stage] of this.#boxes.entries()) {
        const sample = (from: readonly Float32Array[]): StageSample[] => {
          const how = { matcher: stage.matcher, sampler: this.#sampler, random };
          return from.map((ofImage, i) => sampleStage(ofImage, targets[i]!, how));
        };
        const input = { features, semantic: semantic?.embedding, targets, sizes, phase };
        let sampled = sample(boxes);
        const { losses, moved } = await this.#learnBoxes(input, sampled, stage, k);
        found[`boxes of stage ${k}`] = losses;
        boxes = moved;
        if (this.#options.interleaved ?? true) sampled = sample(boxes);
        found[`masks of stage ${k}`] = this.#learnMasks(input, sampled, stage, k);
      }
      return mergeLosses('HTCHeads.losses', found);
    } catch (error) {
      for (const losses of Object.values(found)) tf.dispose({ ...losses });
      throw error;
    } finally {
      tf.dispose({ ...semantic }); // a tape keeps what it needs by itself
    }
  }

  /** 0 where labels are not known: then the branch learns from what boxes and masks send back alone. */
  #semanticLoss(logits: tf.Tensor4D, targets: readonly Target[], sizes: readonly ImageSize[]): Losses {
    const [, rows, columns, classes] = logits.shape;
    const { semanticLossWeight = 0.2 } = this.#options;
    const usual = classes === this.spec.numClasses ? labelsOfMasks : undefined;
    const { semanticLabels = usual } = this.#options;
    const stride = 4 * 2 ** this.#parts.semantic!.fusionLevel;
    const labels = targets.map((target, image) =>
      semanticLabels?.(target, { cells: [rows, columns], stride, imageSize: sizes[image]! }, image),
    );
    const unknown = new Int32Array(rows * columns).fill(-1);
    const all = Int32Array.from(labels.flatMap((ofImage) => [...(ofImage ?? unknown)]));
    return { loss_semantic: tf.tidy(() => tf.mul(semanticLoss(logits, all), semanticLossWeight)) };
  }

  /** The losses of a stage's boxes, and where it moves those that were proposed, clipped to the image. */
  async #learnBoxes(
    { features, semantic, targets, sizes, phase }: StageInput,
    sampled: readonly StageSample[],
    stage: BoxStage,
    k: number,
  ): Promise<{ losses: Losses; moved: Float32Array[] }> {
    const named = (cls: tf.Scalar, box: tf.Scalar): Losses => ({
      [`loss_cls_stage${k}`]: tf.mul(cls, stage.weight),
      [`loss_box_reg_stage${k}`]: tf.mul(box, stage.weight),
    });
    const regions = sampled.map((ofImage) => ofImage.regions);
    const boxes = regions.map((ofImage) => ofImage.boxes);
    if (countRoIs(regions) === 0) return { losses: tf.tidy(() => named(tf.scalar(0), tf.scalar(0))), moved: boxes };
    const { logits, deltas } = this.#forwardBoxes(features, semantic, boxes, stage, phase);
    let losses: Losses | undefined;
    try {
      losses = tf.tidy(() => {
        const cls = tf.mean(softmaxCrossEntropy(logits, labelsOf(regions))) as tf.Scalar;
        const { boxLossBeta: beta = 1 } = this.#options;
        return named(cls, boxRegressionLoss(deltas, regions, targets, { coder: stage.coder, beta }));
      });
      const moves = splitRows((await deltas.data()) as Float32Array, boxes);
      const moved = boxes.map((ofImage, i) => {
        return proposedOf(refineBoxes(ofImage, moves[i]!, stage.coder, sizes[i]!), sampled[i]!);
      });
      return { losses, moved };
    } catch (error) {
      if (losses !== undefined) tf.dispose({ ...losses });
      throw error;
    } finally {
      tf.dispose([logits, deltas]); // a tape keeps what it needs by itself
    }
  }

  #learnMasks(
    { features, semantic, targets, sizes, phase }: StageInput,
    sampled: readonly StageSample[],
    { weight }: BoxStage,
    k: number,
  ): Losses {
    const name = `loss_mask_stage${k}`;
    const positives = sampled.map(({ regions }) => onlyPositives(regions));
    if (countRoIs(positives) === 0) return { [name]: tf.scalar(0) };
    return tf.tidy(() => {
      const logits = this.#forwardMasks(features, semantic, positives, k, phase);
      const truth = tf.tensor3d(maskTruth(positives, { targets, sizes }, logits.shape[1]), logits.shape);
      return { [name]: tf.mul(tf.mean(bceWithLogits(logits, truth)), weight) as tf.Scalar };
    });
  }
}

/** What every stage learns from. */
interface StageInput extends Pick<RegionLossOptions, 'sizes' | 'phase'> {
  readonly features: Pyramid;
  readonly semantic: tf.Tensor4D | undefined;
  readonly targets: readonly Target[];
}

/**
 * The parts of the objects' masks inside of the regions, 0 or 1: `[R * side * side]`. As in mmdetection, of a region that
 * reaches out of the image only what is inside is compared, stretched over all cells.
 */
function maskTruth(
  positives: readonly SampledRoIs[],
  { targets, sizes }: Pick<StageInput, 'targets' | 'sizes'>,
  side: number,
): Float32Array {
  const rules = { aligned: true, threshold: 0.5 };
  const truth = new Float32Array(countRoIs(positives) * side ** 2);
  let at = 0;
  for (const [i, regions] of positives.entries()) {
    const masks = masksFor('HTCHeads.losses', targets[i]!, regions, i);
    const part = maskTargets(masks, clipBoxes(regions.boxes, sizes[i]!), regions.matchedIndices, side, rules);
    truth.set(part, at);
    at += part.length;
  }
  return truth;
}

/** Probabilities of the mean of several logits, row by row: `[R * K]`. */
function softmaxOfMean(sums: Float32Array, count: number, numClasses: number): Float32Array {
  const result = sums.map((sum) => sum / count);
  for (let from = 0; from < result.length; from += numClasses) {
    const row = result.subarray(from, from + numClasses);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    row.forEach((value, c) => {
      row[c] = Math.exp(value - most);
    });
    const total = row.reduce((a, b) => a + b, 0);
    row.forEach((value, c) => {
      row[c] = value / total;
    });
  }
  return result;
}

const nothing = (): RoIs => ({ boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() });

function checkedStages({ boxes, masks }: HTCParts, options: HTCHeadsOptions): BoxStage[] {
  const { cascadeIouThresholds: thresholds = THRESHOLDS, cascadeRegWeights: weights = WEIGHTS } = options;
  const { stageLossWeights: counts = LOSS_WEIGHTS } = options;
  const classes = new Set([...boxes, ...masks].map(({ predictor }) => predictor.numClasses));
  const lengths = [masks, thresholds, weights, counts].map(({ length }) => length);
  if (boxes.length > 0 && lengths.every((length) => length === boxes.length) && classes.size === 1) {
    return boxes.map((parts, k) => ({
      ...parts,
      coder: new BoxCoder({ weights: weights[k]! }),
      matcher: new BestBoxMatcher(thresholds[k]!),
      weight: counts[k]!,
    }));
  }
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'HTCHeads',
    place: 'stages',
    problem: 'each stage needs boxes, masks, a threshold, factors and a weight, and all the same number of classes',
    found: `${boxes.length} stages of boxes, ${lengths.join(', ')} of the others; ${[...classes].join(' and ')} classes`,
  });
}
