import { BalancedSampler, type BoxMatcher, Matcher, type Sampler } from '@rcnn/boxes';
import {
  type ImageSize,
  type Losses,
  mergeLosses,
  mergeNamed,
  type Parameter,
  type Pyramid,
  Random,
  RcnnError,
  type Target,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { RoIBranch } from './branch.ts';
import type { RegionHeads, RegionLossOptions, RegionSpec } from './region-heads.ts';
import type { RoIs } from './rois.ts';
import { sampleRegions } from './sample-regions.ts';

/** Options by torchvision's names. */
export interface RoIHeadsOptions {
  /** A region is an object from this IoU on. Default 0.5. */
  readonly boxFgIouThresh?: number | undefined;
  /** A region is background below this IoU. Default 0.5. */
  readonly boxBgIouThresh?: number | undefined;
  /** Links regions with objects. Default a `Matcher` of the two options above. */
  readonly boxMatcher?: BoxMatcher | undefined;
  /** Regions per image in the losses. Default 512. */
  readonly boxBatchSizePerImage?: number | undefined;
  /** At most this fraction of them is positive. Default 0.25. */
  readonly boxPositiveFraction?: number | undefined;
  /** Chooses the regions of the losses. Default a `BalancedSampler` of the two options above. */
  readonly boxSampler?: Sampler | undefined;
  /**
   * Whether the branches after the box branch learn on the boxes that it predicts for the true class, as they will be
   * used, instead of on the proposals. detectron2's `TRAIN_ON_PRED_BOXES`. Default false.
   */
  readonly trainOnPredictedBoxes?: boolean | undefined;
}

/**
 * The second stage as a list of branches: each asks one question of every region. The first finds (class and box), the
 * others add what they know of the regions found. Each branch has a name, for programs and for errors; parameters are
 * those of the branches, under torchvision's names.
 */
export class RoIHeads implements RegionHeads {
  readonly spec: RegionSpec;
  readonly branches: Readonly<Record<string, RoIBranch>>;
  readonly #matcher: BoxMatcher;
  readonly #sampler: Sampler;
  readonly #trainOnPredictedBoxes: boolean;

  /**
   * @param branches by name, in the order in which they run
   * @throws INVALID_ARGUMENT without a branch, or when two have a parameter of one name
   */
  constructor(branches: Readonly<Record<string, RoIBranch>>, options: RoIHeadsOptions = {}) {
    this.branches = branches;
    this.spec = specOf(branches);
    this.namedParameters(); // refuses names that two branches have
    const { boxFgIouThresh: foreground = 0.5, boxBgIouThresh: background = 0.5 } = options;
    this.#matcher = options.boxMatcher ?? new Matcher({ foreground, background });
    const { boxBatchSizePerImage: batchSize = 512, boxPositiveFraction: positiveFraction = 0.25 } = options;
    this.#trainOnPredictedBoxes = options.trainOnPredictedBoxes ?? false;
    this.#sampler = options.boxSampler ?? new BalancedSampler({ batchSize, positiveFraction });
  }

  namedParameters(prefix = ''): Map<string, Parameter> {
    const owners = Object.entries(this.branches).map(([name, branch]) => {
      return [`branch '${name}'`, branch.namedParameters(prefix)] as const;
    });
    return mergeNamed('RoIHeads', 'a parameter', owners);
  }

  dispose(): void {
    for (const branch of Object.values(this.branches)) branch.dispose();
  }

  async detect(features: Pyramid, proposals: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    let rois = [...proposals];
    for (const branch of Object.values(this.branches)) rois = await branch.detect(features, rois, sizes);
    return rois;
  }

  /** Samples regions of each image, and gathers what every branch learns from them. The true boxes are proposals too. */
  async losses(
    features: Pyramid,
    proposals: readonly Float32Array[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: Partial<RegionLossOptions> = {},
  ): Promise<Losses> {
    const how = { matcher: this.#matcher, sampler: this.#sampler, random };
    let sampled = proposals.map((boxes, i) => sampleRegions(boxes, targets[i]!, how));
    const onBoxes = (boxes: readonly Float32Array[]): void => {
      sampled = sampled.map((ofImage, i) => ({ ...ofImage, boxes: boxes[i]! }));
    };
    const asked = { phase, random, ...(this.#trainOnPredictedBoxes && { onBoxes }) };
    const found: Record<string, Losses> = {};
    try {
      for (const [name, branch] of Object.entries(this.branches)) {
        found[name] = await branch.losses(features, sampled, targets, asked);
      }
      return mergeLosses('RoIHeads.losses', found);
    } catch (error) {
      for (const losses of Object.values(found)) tf.dispose({ ...losses });
      throw error;
    }
  }
}

/** What the branches say of themselves, put together. */
function specOf(branches: Readonly<Record<string, RoIBranch>>): RegionSpec {
  const specs = Object.values(branches).map(({ spec }) => spec);
  const counts = new Set(specs.flatMap(({ numClasses }) => numClasses ?? []));
  if (counts.size !== 1) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'RoIHeads',
      place: 'branches',
      problem: specs.length === 0 ? 'there is no branch' : 'the branches do not agree on the number of classes',
      found: counts.size === 0 ? 'none that knows it' : [...counts].join(' and '),
      hint: 'The first branch names classes and moves boxes, e.g. new BoxBranch(…).',
    });
  }
  return {
    numClasses: [...counts][0]!,
    learnsFrom: [...new Set(specs.flatMap(({ learnsFrom = [] }) => learnsFrom))],
    finds: [...new Set(specs.flatMap(({ finds = [] }) => finds))],
    numKeypoints: specs.find(({ numKeypoints }) => numKeypoints !== undefined)?.numKeypoints,
    isPredictor: (name) => specs.some((spec) => spec.isPredictor?.(name) ?? false),
  };
}
