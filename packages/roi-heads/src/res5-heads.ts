import { BalancedSampler, type BoxMatcher, bceWithLogits, Matcher, type Sampler } from '@rcnn/boxes';
import {
  concatFloats,
  type ImageSize,
  idleLoss,
  type Layer,
  type Losses,
  Module,
  mergeLosses,
  type Phase,
  type Pyramid,
  Random,
  rowsWhere,
  type Target,
} from '@rcnn/core';
import { boxMask } from '@rcnn/detector';
import type { PasteMode } from '@rcnn/masks';
import { type MaskTargetRules, maskTargets } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import { BoxBranch, type BoxBranchOptions } from './box-branch.ts';
import type { BoxHead, BoxPredictor } from './box-heads.ts';
import type { MaskPredictor } from './mask-heads.ts';
import { masksFor, onlyPositives } from './positives.ts';
import type { RegionHeads, RegionLossOptions, RegionSpec } from './region-heads.ts';
import type { RoIHeadsOptions } from './roi-heads.ts';
import { countRoIs, labelsOf, type RoIPooler, type RoIs, type SampledRoIs } from './rois.ts';
import { sampleRegions } from './sample-regions.ts';

export interface Res5Parts {
  /** 14x14 cells of the one map. */
  readonly pool: RoIPooler;
  /** The last stage of the network, which runs on every region: `[R, 14, 14, C]` to `[R, 7, 7, D]`. */
  readonly res5: Layer & { readonly outChannels: number };
  readonly predictor: BoxPredictor;
  /** Draws masks from what `res5` gives. Default none: boxes alone. */
  readonly mask?: MaskPredictor | undefined;
}

type SharedOptions = Pick<
  RoIHeadsOptions,
  'boxFgIouThresh' | 'boxBgIouThresh' | 'boxMatcher' | 'boxBatchSizePerImage' | 'boxPositiveFraction' | 'boxSampler'
>;

export interface Res5HeadsOptions extends SharedOptions, BoxBranchOptions {
  /** How a mask is laid into its box: what the weights expect. Default `torchvision`. */
  readonly maskPaste?: PasteMode | undefined;
  /** What the masks learn. Default soft, torchvision's; detectron2's are `{ aligned: true, threshold: 0.5 }`. */
  readonly maskTargets?: MaskTargetRules | undefined;
}

/**
 * The second stage of a detector without a pyramid: the network's last stage runs on each region, its mean tells class
 * and box, and its map the mask. While learning, masks are drawn from what was computed for boxes; detecting runs the
 * stage once more, on the final boxes. Children `res5`, `box_predictor`, `mask_predictor`.
 * @see He et al. 2015, appendix A (arXiv:1512.03385); He et al. 2017, figure 4, left (arXiv:1703.06870)
 */
export class Res5Heads extends Module implements RegionHeads {
  readonly spec: RegionSpec;
  readonly #parts: Res5Parts;
  readonly #boxes: BoxBranch;
  readonly #matcher: BoxMatcher;
  readonly #sampler: Sampler;
  readonly #paste: PasteMode;
  readonly #targets: MaskTargetRules;

  constructor(parts: Res5Parts, options: Res5HeadsOptions = {}) {
    super();
    this.#parts = parts;
    this.register('res5', parts.res5);
    this.register('box_predictor', parts.predictor);
    if (parts.mask !== undefined) this.register('mask_predictor', parts.mask);
    // The box branch with the stage and its mean as a head; its parameters are registered above, under their own names.
    this.#boxes = new BoxBranch({ pool: parts.pool, head: meanOf(parts.res5), predictor: parts.predictor }, options);
    const { boxFgIouThresh: foreground = 0.5, boxBgIouThresh: background = 0.5 } = options;
    this.#matcher = options.boxMatcher ?? new Matcher({ foreground, background });
    const { boxBatchSizePerImage: batchSize = 512, boxPositiveFraction: positiveFraction = 0.25 } = options;
    this.#sampler = options.boxSampler ?? new BalancedSampler({ batchSize, positiveFraction });
    this.#paste = options.maskPaste ?? 'torchvision';
    this.#targets = options.maskTargets ?? {};
    this.spec = {
      numClasses: parts.predictor.numClasses,
      learnsFrom: parts.mask === undefined ? [] : ['masks'],
      finds: parts.mask === undefined ? ['boxes'] : ['boxes', 'masks'],
      isPredictor: (name) => /^(box_predictor|mask_predictor\.mask_fcn_logits)\./.test(name),
    };
  }

  async detect(features: Pyramid, proposals: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    const found = await this.#boxes.detect(features, proposals, sizes);
    const { mask } = this.#parts;
    if (mask === undefined) return found;
    if (countRoIs(found) === 0) return found.map((ofImage) => ({ ...ofImage, masks: [] }));
    const probabilities = tf.tidy(() => {
      const boxes = found.map((ofImage) => ofImage.boxes);
      return tf.sigmoid(mask.forward(this.#regions(features, boxes, 'predict'), labelsOf(found)));
    });
    const values = await probabilities.data<'float32'>().finally(() => probabilities.dispose());
    const cells = probabilities.shape[1] * probabilities.shape[2];
    let at = 0;
    return found.map((ofImage) => ({
      ...ofImage,
      masks: Array.from(ofImage.labels, () => boxMask(values.slice(at * cells, ++at * cells), this.#paste)),
    }));
  }

  /** `loss_classifier` and `loss_box_reg` as {@link BoxBranch} has them; with masks `loss_mask`, a mean over all cells. */
  // oxlint-disable-next-line typescript/require-await -- second stages may have to wait; this one need not
  async losses(
    features: Pyramid,
    proposals: readonly Float32Array[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: Partial<RegionLossOptions> = {},
  ): Promise<Losses> {
    const how = { matcher: this.#matcher, sampler: this.#sampler, random };
    const sampled = proposals.map((boxes, i) => sampleRegions(boxes, targets[i]!, how));
    if (countRoIs(sampled) === 0) {
      const ofBoxes = { loss_classifier: tf.scalar(0), loss_box_reg: tf.scalar(0) };
      return this.#parts.mask === undefined ? ofBoxes : { ...ofBoxes, loss_mask: tf.scalar(0) };
    }
    return tf.tidy(() => {
      const boxes = sampled.map((ofImage) => ofImage.boxes);
      const regions = this.#regions(features, boxes, phase);
      const predictions = this.#parts.predictor.forward(meanOverCells(regions), phase);
      const box = this.#boxes.lossesOf(predictions, sampled, targets);
      if (this.#parts.mask === undefined) return box;
      const mask = { loss_mask: this.#maskLoss(this.#parts.mask, regions, sampled, targets) };
      return mergeLosses('Res5Heads.losses', { box, mask });
    });
  }

  /** What the last stage says of each region: `[R, 7, 7, D]`. */
  #regions(features: Pyramid, boxes: readonly Float32Array[], phase: Phase): tf.Tensor4D {
    const pooled = this.#parts.pool.forward(features, boxes); // [R, 14, 14, C]
    const regions = this.#parts.res5.forward(pooled, phase);
    pooled.dispose(); // a tape keeps what it needs by itself
    return regions;
  }

  /** @param regions of all that were sampled; those of the positives are taken */
  #maskLoss(
    predictor: MaskPredictor,
    regions: tf.Tensor4D,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
  ): tf.Scalar {
    const rows = rowsOfPositives(sampled);
    if (rows.length === 0) return idleLoss(predictor);
    const positives = sampled.map(onlyPositives);
    const logits = predictor.forward(tf.gather(regions, tf.tensor1d(rows, 'int32')), labelsOf(positives));
    const truth = positives.map((ofImage, i) => {
      const masks = masksFor('Res5Heads.losses', targets[i]!, ofImage, i);
      return maskTargets(masks, ofImage.boxes, ofImage.matchedIndices, logits.shape[1], this.#targets);
    });
    return tf.mean(bceWithLogits(logits, tf.tensor3d(concatFloats(truth), logits.shape))) as tf.Scalar;
  }
}

/** The stage as a head: the mean of its cells. It owns nothing. */
function meanOf(res5: Res5Parts['res5']): BoxHead {
  return {
    outFeatures: res5.outChannels,
    forward: (x, phase) => tf.tidy(() => meanOverCells(res5.forward(x, phase))),
    namedParameters: () => new Map(),
    dispose: () => {},
  };
}

function meanOverCells(regions: tf.Tensor4D): tf.Tensor2D {
  return tf.mean(regions, [1, 2]);
}

function rowsOfPositives(sampled: readonly SampledRoIs[]): number[] {
  let start = 0;
  return sampled.flatMap((ofImage) => {
    const rows = Array.from(
      rowsWhere(ofImage, (row) => ofImage.labels[row]! > 0),
      (row) => start + row,
    );
    start += ofImage.labels.length;
    return rows;
  });
}
