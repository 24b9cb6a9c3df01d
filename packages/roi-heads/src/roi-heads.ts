import { BalancedSampler, BETWEEN_THRESHOLDS, Matcher, type Sampler, takeBoxes } from '@rcnn/boxes';
import {
  type ImageSize,
  type Parameter,
  type ParameterOwner,
  type Phase,
  type Pyramid,
  Random,
  RcnnError,
  type Target,
} from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';
import type { RoIBranch, RoIs, SampledRoIs } from './rois.ts';

/** Options by torchvision's names. */
export interface RoIHeadsOptions {
  /** A region is an object from this IoU on. Default 0.5. */
  readonly boxFgIouThresh?: number;
  /** A region is background below this IoU. Default 0.5. */
  readonly boxBgIouThresh?: number;
  /** Regions per image in the losses. Default 512. */
  readonly boxBatchSizePerImage?: number;
  /** At most this share of them is positive. Default 0.25. */
  readonly boxPositiveFraction?: number;
  /** Chooses the regions of the losses. Default a `BalancedSampler` of the two options above. */
  readonly boxSampler?: Sampler;
}

/**
 * The second stage: looks closely at each proposal, through a list of branches. The first finds (class and box), the
 * others add what they know of the regions found. Parameters are those of the branches, under torchvision's names.
 */
export class RoIHeads implements ParameterOwner {
  readonly branches: readonly RoIBranch[];
  readonly #matcher: Matcher;
  readonly #sampler: Sampler;

  constructor(branches: readonly RoIBranch[], options: RoIHeadsOptions = {}) {
    if (branches.length === 0) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'RoIHeads',
        place: 'branches',
        problem: 'there is no branch',
        hint: 'The first branch names classes and moves boxes, e.g. new BoxBranch(…).',
      });
    }
    this.branches = branches;
    const { boxFgIouThresh: foreground = 0.5, boxBgIouThresh: background = 0.5 } = options;
    this.#matcher = new Matcher({ foreground, background });
    const { boxBatchSizePerImage: batchSize = 512, boxPositiveFraction: positiveFraction = 0.25 } = options;
    this.#sampler = options.boxSampler ?? new BalancedSampler({ batchSize, positiveFraction });
  }

  namedParameters(prefix = ''): Map<string, Parameter> {
    return new Map(this.branches.flatMap((branch) => [...branch.namedParameters(prefix)]));
  }

  dispose(): void {
    for (const branch of this.branches) branch.dispose();
  }

  /** Turns the proposals of each image into detections, in pixels of the resized image. */
  async detect(features: Pyramid, proposals: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    let rois = [...proposals];
    for (const branch of this.branches) rois = await branch.detect(features, rois, sizes);
    return rois;
  }

  /**
   * Samples regions of each image and adds up what every branch learns from them.
   * @param proposals `[P * 4]` of each image, in pixels of the resized image; the true boxes are added to them
   * @param random draws the sample
   */
  losses(
    features: Pyramid,
    proposals: readonly Float32Array[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: { readonly phase?: Phase; readonly random?: Random } = {},
  ): Record<string, tf.Scalar> {
    const sampled = proposals.map((boxes, i) => this.sample(boxes, targets[i]!, random));
    return Object.assign({}, ...this.branches.map((branch) => branch.losses(features, sampled, targets, phase)));
  }

  /** Matches the proposals of one image, and its true boxes, with its objects, and draws those to learn from. */
  sample(proposals: Float32Array, target: Target, random: Random): SampledRoIs {
    const boxes = new Float32Array(proposals.length + target.boxes.length);
    boxes.set(proposals);
    boxes.set(target.boxes, proposals.length); // so that every object has a region, however poor the proposals
    const matched = this.#matcher.matchBoxes(target.boxes, boxes);
    const labels = matched.map((gt) => (gt >= 0 ? target.labels[gt]! : gt === BETWEEN_THRESHOLDS ? -1 : 0));
    const { positives, negatives } = this.#sampler.sample(labels, random);
    const chosen = Int32Array.from([...positives, ...negatives]).sort();
    return {
      boxes: takeBoxes(boxes, chosen),
      labels: chosen.map((i) => labels[i]!),
      matchedIndices: chosen.map((i) => (labels[i]! > 0 ? matched[i]! : -1)),
    };
  }
}
