import { BoxCoder, type BoxCoderWeights, type BoxCoding, softmaxCrossEntropy } from '@rcnn/boxes';
import { type ImageSize, type Losses, Module, type Phase, type Pyramid, type Target } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { type BoxAnswers, readAnswers } from './box-answers.ts';
import type { BoxHead, BoxPredictions, BoxPredictor } from './box-heads.ts';
import type { AskRegions, BranchLossOptions, BranchSpec, RoIBranch } from './branch.ts';
import { moveToClass, splitRows } from './refine-boxes.ts';
import { boxRegressionLoss } from './regression-loss.ts';
import { countRoIs, labelsOf, type RoIPooler, type RoIs, type SampledRoIs } from './rois.ts';
import { type SelectionRules, selectDetections } from './select-detections.ts';

/** Options by torchvision's names. */
export interface BoxBranchOptions {
  /** A detection scores above this. Default 0.05. */
  readonly boxScoreThresh?: number | undefined;
  /** Of two of one class whose IoU is above this, the better stays. Default 0.5. */
  readonly boxNmsThresh?: number | undefined;
  /** Kept per image, best first. Default 100. */
  readonly boxDetectionsPerImg?: number | undefined;
  /** Factors of `dx, dy, dw, dh`. Default 10, 10, 5, 5. */
  readonly bboxRegWeights?: BoxCoderWeights | undefined;
  /** Boxes as deltas and back. Default a `BoxCoder` with the factors above. */
  readonly boxCoder?: BoxCoding | undefined;
  /** Where the smooth L1 of the box loss becomes straight; 0 is plain L1. Default 1/9. */
  readonly boxLossBeta?: number | undefined;
}

export interface BoxParts {
  readonly pool: RoIPooler;
  readonly head: BoxHead;
  readonly predictor: BoxPredictor;
}

/**
 * Names the class of each region and moves its box. Children `box_head`, `box_predictor`.
 * @see Girshick 2015 (arXiv:1504.08083)
 */
export class BoxBranch extends Module implements RoIBranch {
  readonly coder: BoxCoding;
  readonly numClasses: number;
  readonly spec: BranchSpec;
  readonly parts: BoxParts;
  /** Which detections stay. */
  readonly rules: SelectionRules;
  readonly #beta: number | undefined;

  constructor({ pool, head, predictor }: BoxParts, options: BoxBranchOptions = {}) {
    super();
    this.parts = { pool, head, predictor };
    this.register('box_head', head);
    this.register('box_predictor', predictor);
    this.numClasses = predictor.numClasses;
    this.spec = {
      numClasses: predictor.numClasses,
      finds: ['boxes'],
      isPredictor: (name) => name.startsWith('box_predictor.'),
    };
    this.coder = options.boxCoder ?? new BoxCoder({ weights: options.bboxRegWeights ?? [10, 10, 5, 5] });
    this.#beta = options.boxLossBeta;
    this.rules = {
      coder: this.coder,
      scoreThreshold: options.boxScoreThresh ?? 0.05,
      nmsThreshold: options.boxNmsThresh ?? 0.5,
      limit: options.boxDetectionsPerImg ?? 100,
    };
  }

  /** Logits and deltas of the regions `boxes` of each image. The caller owns them. */
  forward(features: Pyramid, boxes: readonly Float32Array[], phase: Phase = 'predict'): BoxPredictions {
    return tf.tidy(() => {
      const pooled = this.parts.pool.forward(features, boxes); // [R, S, S, C]
      const vectors = this.parts.head.forward(pooled, phase); // [R, features]
      pooled.dispose(); // a tape keeps what it needs by itself
      return { ...this.parts.predictor.forward(vectors, phase) };
    });
  }

  /**
   * `loss_classifier`: softmax cross-entropy, mean over all sampled regions. `loss_box_reg`: see
   * {@link boxRegressionLoss}.
   */
  losses(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    options: BranchLossOptions & { readonly onBoxes?: undefined },
  ): Losses;
  losses(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    options: BranchLossOptions,
  ): Losses | Promise<Losses>;
  losses(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    { phase, onBoxes }: BranchLossOptions,
  ): Losses | Promise<Losses> {
    const boxes = sampled.map((regions) => regions.boxes);
    if (countRoIs(sampled) === 0) {
      onBoxes?.(boxes);
      return { loss_classifier: tf.scalar(0), loss_box_reg: tf.scalar(0) };
    }
    const learn = (predictions: BoxPredictions): Losses => this.lossesOf(predictions, sampled, targets);
    if (onBoxes === undefined) return tf.tidy(() => learn(this.forward(features, boxes, phase)));
    return this.#lossesAndBoxes(this.forward(features, boxes, phase), sampled, learn, onBoxes);
  }

  /** The losses of what was predicted for R sampled regions, at least one: for second stages that share features. */
  lossesOf({ logits, deltas }: BoxPredictions, sampled: readonly SampledRoIs[], targets: readonly Target[]): Losses {
    return tf.tidy(() => {
      const labels = labelsOf(sampled);
      const classifier = tf.mean(softmaxCrossEntropy(logits, labels)) as tf.Scalar;
      const options = { coder: this.coder, beta: this.#beta };
      return { loss_classifier: classifier, loss_box_reg: boxRegressionLoss(deltas, sampled, targets, options) };
    });
  }

  /** The losses, and where the predictions move the regions. Takes over the predictions. */
  async #lossesAndBoxes(
    predictions: BoxPredictions,
    sampled: readonly SampledRoIs[],
    learn: (predictions: BoxPredictions) => Losses,
    onBoxes: NonNullable<BranchLossOptions['onBoxes']>,
  ): Promise<Losses> {
    let losses: Losses | undefined;
    try {
      losses = learn(predictions);
      const deltas = (await predictions.deltas.data()) as Float32Array;
      const ofImages = splitRows(
        deltas,
        sampled.map(({ boxes }) => boxes),
      );
      onBoxes(sampled.map((regions, i) => moveToClass(regions, ofImages[i]!, this.coder)));
      return losses;
    } catch (error) {
      if (losses !== undefined) tf.dispose({ ...losses });
      throw error;
    } finally {
      tf.dispose({ ...predictions }); // a tape keeps what it needs by itself
    }
  }

  detect(features: Pyramid, rois: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    return this.detectBy((regions) => this.#ask(features, regions), rois, sizes);
  }

  /** As {@link detect}, the network asked elsewhere. */
  async detectBy(ask: AskRegions<BoxAnswers>, rois: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    const none = (): RoIs => ({ boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() });
    if (countRoIs(rois) === 0) return rois.map(none);
    const answers = await ask(rois);
    const boxes = rois.map((ofImage) => ofImage.boxes);
    const [scores, deltas] = [splitRows(answers.scores, boxes), splitRows(answers.deltas, boxes)];
    return boxes.map((ofImage, i) =>
      selectDetections({ boxes: ofImage, scores: scores[i]!, deltas: deltas[i]! }, sizes[i]!, this.rules),
    );
  }

  #ask(features: Pyramid, rois: readonly Pick<RoIs, 'boxes'>[]): Promise<BoxAnswers> {
    const boxes = rois.map((ofImage) => ofImage.boxes);
    return readAnswers(() => this.forward(features, boxes));
  }
}
