import {
  BalancedSampler,
  BoxCoder,
  type BoxCoderWeights,
  type BoxCoding,
  type BoxMatcher,
  Matcher,
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
import * as tf from '@tensorflow/tfjs-core';
import { type BoxAnswers, readAnswers } from './box-answers.ts';
import type { BoxBranchOptions } from './box-branch.ts';
import type { BoxHead, BoxPredictions, BoxPredictor } from './box-heads.ts';
import type { AskRegions, RoIBranch } from './branch.ts';
import { refineBoxes, splitRows, withArea } from './refine-boxes.ts';
import type { RegionHeads, RegionLossOptions, RegionSpec } from './region-heads.ts';
import { boxRegressionLoss } from './regression-loss.ts';
import type { RoIHeadsOptions } from './roi-heads.ts';
import { countRoIs, labelsOf, type RoIPooler, type RoIs, type SampledRoIs } from './rois.ts';
import { matchRegions, sampleRegions } from './sample-regions.ts';
import { scaleGradient } from './scale-gradient.ts';
import { type SelectionRules, selectDetections } from './select-detections.ts';

/** One stage of a cascade. */
export interface CascadeStageParts {
  readonly head: BoxHead;
  /** Moves one box for all classes: `new FastRCNNPredictor(…, { classAgnostic: true })`. */
  readonly predictor: BoxPredictor;
}

export interface CascadeParts {
  /** Shared by all stages. */
  readonly pool: RoIPooler;
  readonly stages: readonly CascadeStageParts[];
  /** What else there is to know of a region, by name: `mask`. They learn from the first stage's regions. */
  readonly branches?: Readonly<Record<string, RoIBranch>> | undefined;
}

type SharedOptions = Pick<RoIHeadsOptions, 'boxBatchSizePerImage' | 'boxPositiveFraction' | 'boxSampler'> &
  Pick<BoxBranchOptions, 'boxScoreThresh' | 'boxNmsThresh' | 'boxDetectionsPerImg' | 'boxLossBeta'>;

export interface CascadeHeadsOptions extends SharedOptions {
  /** Of each stage: a region is an object from this IoU on, and background below. Default 0.5, 0.6, 0.7. */
  readonly cascadeIouThresholds?: readonly number[] | undefined;
  /** Of each stage: factors of `dx, dy, dw, dh`. Default 10, 10, 5, 5; 20, 20, 10, 10; 30, 30, 15, 15. */
  readonly cascadeRegWeights?: readonly BoxCoderWeights[] | undefined;
}

interface Stage extends CascadeStageParts {
  readonly coder: BoxCoding;
  readonly matcher: BoxMatcher;
}

const THRESHOLDS = [0.5, 0.6, 0.7];
const WEIGHTS: readonly BoxCoderWeights[] = [10, 20, 30].map((w) => [w, w, w / 2, w / 2]);

/**
 * A second stage in stages: each moves the boxes that the one before gave, and learns to be stricter. Scores are the
 * average of what each stage says of the boxes that entered it; boxes are those of the last. Children `box_head.0`,
 * `box_predictor.0` and so on, and those of the branches.
 *
 * Differs from the paper as detectron2 does: while learning, what a stage sends back into the shared features counts
 * 1 / stages, so that the body does not learn faster than with one stage.
 * Boxes meet detectron2's; branches keep their own rules (the mask branch learns soft targets).
 * @see Cai and Vasconcelos 2018, section 4 (arXiv:1712.00726)
 */
export class CascadeHeads extends Module implements RegionHeads {
  readonly spec: RegionSpec;
  /** Shared by all stages. */
  readonly pool: RoIPooler;
  readonly #stages: readonly Stage[];
  /** After the stages, by name. */
  readonly branches: Readonly<Record<string, RoIBranch>>;
  readonly #sampler: Sampler;
  readonly #beta: number;
  readonly #rules: Omit<SelectionRules, 'coder'>;

  /** @throws INVALID_ARGUMENT when stages, thresholds and factors do not belong together, or names meet */
  constructor({ pool, stages, branches = {} }: CascadeParts, options: CascadeHeadsOptions = {}) {
    super();
    this.pool = pool;
    this.#stages = checkedStages(stages, options);
    for (const [k, { head, predictor }] of stages.entries()) {
      this.register(`box_head.${k}`, head);
      this.register(`box_predictor.${k}`, predictor);
    }
    this.branches = branches;
    this.namedParameters(); // refuses names that two parts have
    this.spec = specOf(stages[0]!.predictor.numClasses, Object.values(branches));
    const { boxBatchSizePerImage: batchSize = 512, boxPositiveFraction: positiveFraction = 0.25 } = options;
    this.#sampler = options.boxSampler ?? new BalancedSampler({ batchSize, positiveFraction });
    this.#beta = options.boxLossBeta ?? 0; // plain L1, detectron2's
    this.#rules = {
      scoreThreshold: options.boxScoreThresh ?? 0.05,
      nmsThreshold: options.boxNmsThresh ?? 0.5,
      limit: options.boxDetectionsPerImg ?? 100,
    };
  }

  get stages(): readonly CascadeStageParts[] {
    return this.#stages;
  }

  override namedParameters(prefix = ''): Map<string, Parameter> {
    const owners = Object.entries(this.branches).map(([name, branch]) => {
      return [`branch '${name}'`, branch.namedParameters(prefix)] as const;
    });
    return mergeNamed('CascadeHeads', 'a parameter', [['the stages', super.namedParameters(prefix)], ...owners]);
  }

  override dispose(): void {
    super.dispose();
    for (const branch of Object.values(this.branches)) branch.dispose();
  }

  async detect(features: Pyramid, proposals: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    const stages = this.#stages.map((stage): AskRegions<BoxAnswers> => {
      return (regions) => this.#ask(features, regions, stage);
    });
    let rois = await this.detectBoxesBy(stages, proposals, sizes);
    for (const branch of Object.values(this.branches)) rois = await branch.detect(features, rois, sizes);
    return rois;
  }

  /**
   * The boxes of the stages, whose networks are asked elsewhere; without what the branches add. No box is dropped
   * between stages, however small, so that rows of scores can be averaged.
   * @param stages one each
   */
  async detectBoxesBy(
    stages: readonly AskRegions<BoxAnswers>[],
    proposals: readonly RoIs[],
    sizes: readonly ImageSize[],
  ): Promise<RoIs[]> {
    let boxes = proposals.map((ofImage) => ofImage.boxes);
    if (countRoIs(proposals) === 0) return proposals.map(nothing);
    const sums: Float32Array[] = [];
    const last = this.#stages.length - 1;
    for (const [k, { coder }] of this.#stages.entries()) {
      const regions = proposals.map(({ labels }, i) => ({ boxes: boxes[i]!, labels }));
      const { scores, deltas } = await stages[k]!(regions);
      for (const [i, values] of splitRows(scores, boxes).entries()) {
        sums[i] = sums[i] === undefined ? values.slice() : sums[i].map((sum, at) => sum + values[at]!);
      }
      const ofImages = splitRows(deltas, boxes);
      if (k < last) {
        boxes = boxes.map((ofImage, i) => refineBoxes(ofImage, ofImages[i]!, coder, sizes[i]!));
        continue;
      }
      const rules = { ...this.#rules, coder };
      return boxes.map((ofImage, i) => {
        const mean = sums[i]!.map((sum) => sum / this.#stages.length);
        return selectDetections({ boxes: ofImage, scores: mean, deltas: ofImages[i]! }, sizes[i]!, rules);
      });
    }
    return proposals.map(nothing);
  }

  #ask(features: Pyramid, regions: readonly Pick<RoIs, 'boxes'>[], stage: Stage): Promise<BoxAnswers> {
    const boxes = regions.map((ofImage) => ofImage.boxes);
    return readAnswers(() => this.#forward(features, boxes, stage, 'predict'));
  }

  #forward(features: Pyramid, boxes: readonly Float32Array[], stage: Stage, phase: Phase, factor = 1): BoxPredictions {
    return tf.tidy(() => {
      const pooled = this.pool.forward(features, boxes); // [R, S, S, C]
      const scaled = factor === 1 ? pooled : scaleGradient(pooled, factor);
      return { ...stage.predictor.forward(stage.head.forward(scaled, phase), phase) };
    });
  }

  /**
   * `loss_cls_stage0`, `loss_box_reg_stage0` and so on, each a mean over the regions of that stage, and the losses of
   * the branches. Regions are drawn once; every later stage learns from all that the one before gave, matched anew.
   */
  async losses(
    features: Pyramid,
    proposals: readonly Float32Array[],
    targets: readonly Target[],
    { sizes, phase = 'train', random = new Random(0) }: Pick<RegionLossOptions, 'sizes'> & Partial<RegionLossOptions>,
  ): Promise<Losses> {
    const how = { matcher: this.#stages[0]!.matcher, sampler: this.#sampler, random };
    const first = proposals.map((boxes, i) => sampleRegions(boxes, targets[i]!, how));
    const found: Record<string, Losses> = {};
    try {
      let sampled = first;
      for (const [k, stage] of this.#stages.entries()) {
        if (k > 0) sampled = sampled.map((ofImage, i) => matchRegions(ofImage.boxes, targets[i]!, stage.matcher));
        const { losses, boxes } = await this.#learn(features, sampled, targets, { stage, k, phase, sizes });
        found[`stage ${k}`] = losses;
        sampled = sampled.map((ofImage, i) => ({ ...ofImage, boxes: boxes[i]! }));
      }
      for (const [name, branch] of Object.entries(this.branches)) {
        found[name] = await branch.losses(features, first, targets, { phase, random });
      }
      return mergeLosses('CascadeHeads.losses', found);
    } catch (error) {
      for (const losses of Object.values(found)) tf.dispose({ ...losses });
      throw error;
    }
  }

  /** The losses of one stage, and the boxes that it gives to the next: moved, clipped, those without an area dropped. */
  async #learn(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    { stage, k, phase, sizes }: { stage: Stage; k: number; phase: Phase; sizes: readonly ImageSize[] },
  ): Promise<{ losses: Losses; boxes: Float32Array[] }> {
    const named = (cls: tf.Scalar, box: tf.Scalar): Losses => ({
      [`loss_cls_stage${k}`]: cls,
      [`loss_box_reg_stage${k}`]: box,
    });
    const boxes = sampled.map((ofImage) => ofImage.boxes);
    if (countRoIs(sampled) === 0) return { losses: named(tf.scalar(0), tf.scalar(0)), boxes };
    const { logits, deltas } = this.#forward(features, boxes, stage, phase, 1 / this.#stages.length);
    let losses: Losses | undefined;
    try {
      losses = tf.tidy(() => {
        const labels = labelsOf(sampled);
        const cls = tf.mean(softmaxCrossEntropy(logits, labels)) as tf.Scalar;
        return named(cls, boxRegressionLoss(deltas, sampled, targets, { coder: stage.coder, beta: this.#beta }));
      });
      if (k === this.#stages.length - 1) return { losses, boxes };
      const moves = splitRows((await deltas.data()) as Float32Array, boxes);
      const moved = boxes.map((ofImage, i) => withArea(refineBoxes(ofImage, moves[i]!, stage.coder, sizes[i]!)));
      return { losses, boxes: moved };
    } catch (error) {
      if (losses !== undefined) tf.dispose({ ...losses });
      throw error;
    } finally {
      tf.dispose([logits, deltas]); // a tape keeps what it needs by itself
    }
  }
}

const nothing = (): RoIs => ({ boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() });

function checkedStages(stages: readonly CascadeStageParts[], options: CascadeHeadsOptions): Stage[] {
  const { cascadeIouThresholds: thresholds = THRESHOLDS, cascadeRegWeights: weights = WEIGHTS } = options;
  const counts = new Set(stages.map(({ predictor }) => predictor.numClasses));
  if (stages.length === thresholds.length && stages.length === weights.length && counts.size === 1) {
    return stages.map((parts, k) => ({
      ...parts,
      coder: new BoxCoder({ weights: weights[k]! }),
      matcher: new Matcher({ foreground: thresholds[k]!, background: thresholds[k]! }),
    }));
  }
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'CascadeHeads',
    place: 'stages',
    problem: 'each stage needs a threshold and factors, and all the same number of classes',
    found: `${stages.length} stages of ${[...counts].join(' and ')} classes, ${thresholds.length} thresholds, ${weights.length} sets of factors`,
  });
}

function specOf(numClasses: number, branches: readonly RoIBranch[]): RegionSpec {
  const specs = branches.map(({ spec }) => spec);
  return {
    numClasses,
    learnsFrom: [...new Set(specs.flatMap(({ learnsFrom = [] }) => learnsFrom))],
    finds: [...new Set(['boxes' as const, ...specs.flatMap(({ finds = [] }) => finds)])],
    numKeypoints: specs.find(({ numKeypoints }) => numKeypoints !== undefined)?.numKeypoints,
    isPredictor: (name) => name.startsWith('box_predictor.') || specs.some((spec) => spec.isPredictor?.(name) ?? false),
  };
}
