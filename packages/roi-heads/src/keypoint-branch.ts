import { idleLoss, type Losses, Module, type Phase, type Pyramid, RcnnError, type Target } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { AskRegions, BranchLossOptions, BranchSpec, RoIBranch } from './branch.ts';
import { decodeKeypoints, type KeypointScore } from './keypoint-decode.ts';
import type { KeypointHead, KeypointPredictor } from './keypoint-heads.ts';
import { keypointLoss } from './keypoint-loss.ts';
import { encodeKeypoints, type KeypointTargets, matchedKeypoints } from './keypoint-targets.ts';
import { onlyPositives } from './positives.ts';
import { countRoIs, type RoIPooler, type RoIs, type SampledRoIs } from './rois.ts';

export interface KeypointParts {
  readonly pool: RoIPooler;
  readonly head: KeypointHead;
  readonly predictor: KeypointPredictor;
}

export interface KeypointBranchOptions {
  /** What the score of a key point is. Default `logit`, torchvision's. */
  readonly keypointScore?: KeypointScore | undefined;
}

/**
 * Says where the key points of a region's object are: for final boxes only. Children `keypoint_head`,
 * `keypoint_predictor`.
 * @see He et al. 2017, section 5 (arXiv:1703.06870)
 */
export class KeypointBranch extends Module implements RoIBranch {
  readonly spec: BranchSpec;
  readonly parts: KeypointParts;
  readonly #score: KeypointScore;

  constructor({ pool, head, predictor }: KeypointParts, { keypointScore = 'logit' }: KeypointBranchOptions = {}) {
    super();
    this.parts = { pool, head, predictor };
    this.register('keypoint_head', head);
    this.register('keypoint_predictor', predictor);
    this.#score = keypointScore;
    this.spec = {
      learnsFrom: ['keypoints'],
      finds: ['keypoints'],
      numKeypoints: predictor.numKeypoints,
      isPredictor: (name) => name.startsWith('keypoint_predictor.'),
    };
  }

  /** Heatmaps of the regions `boxes` of each image: logits `[R, K, 56, 56]`. The caller owns them. */
  forward(features: Pyramid, boxes: readonly Float32Array[], phase: Phase = 'predict'): tf.Tensor4D {
    return tf.tidy(() => {
      const pooled = this.parts.pool.forward(features, boxes); // [R, 14, 14, C]
      const maps = this.parts.head.forward(pooled, phase);
      if (maps !== pooled) pooled.dispose(); // a tape keeps what it needs by itself
      return this.parts.predictor.forward(maps, phase);
    });
  }

  /**
   * `loss_keypoint`: see {@link keypointLoss}, over the labelled points of all positives. The target is the place inside
   * the **proposal**; a point outside of it does not count.
   */
  losses(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    { phase }: BranchLossOptions,
  ): Losses {
    const positives = sampled.map(onlyPositives);
    if (countRoIs(positives) === 0) return { loss_keypoint: idleLoss(this) };
    return tf.tidy(() => {
      const boxes = positives.map((regions) => regions.boxes);
      const logits = this.forward(features, boxes, phase);
      const size = logits.shape[2];
      const parts = positives.map((regions, i) => {
        checkKeypoints(targets[i]!, regions, i, this.parts.predictor.numKeypoints);
        return encodeKeypoints(matchedKeypoints(regions, targets[i]!), regions.boxes, size);
      });
      return { loss_keypoint: keypointLoss(logits, joined(parts)) };
    });
  }

  detect(features: Pyramid, rois: readonly RoIs[]): Promise<RoIs[]> {
    return this.detectBy(async (regions) => {
      const heatmaps = this.forward(
        features,
        regions.map(({ boxes }) => boxes),
      );
      return heatmaps.data<'float32'>().finally(() => heatmaps.dispose());
    }, rois);
  }

  /** As {@link detect}; `ask` gives the heatmaps `[R * K * 56 * 56]`. */
  async detectBy(ask: AskRegions<Float32Array>, rois: readonly RoIs[]): Promise<RoIs[]> {
    const count = countRoIs(rois);
    if (count === 0) return rois.map((ofImage) => ({ ...ofImage, keypoints: new Float32Array() }));
    const values = await ask(rois);
    const size = Math.sqrt(values.length / count / this.parts.predictor.numKeypoints);
    let start = 0;
    return rois.map((ofImage) => {
      const end = start + (ofImage.labels.length * values.length) / count;
      const keypoints = decodeKeypoints(values.subarray(start, end), ofImage.boxes, size, this.#score);
      start = end;
      return { ...ofImage, keypoints };
    });
  }
}

function joined(parts: readonly KeypointTargets[]): KeypointTargets {
  return {
    cells: Int32Array.from(parts.flatMap(({ cells }) => [...cells])),
    valid: Uint8Array.from(parts.flatMap(({ valid }) => [...valid])),
  };
}

function checkKeypoints(
  { keypoints, labels }: Target,
  { matchedIndices }: SampledRoIs,
  image: number,
  numKeypoints: number,
): void {
  const expected = labels.length * numKeypoints * 3;
  if (matchedIndices.length === 0 || keypoints?.length === expected) return;
  throw new RcnnError('TARGET_INVALID', {
    where: 'KeypointBranch.losses',
    place: `targets[${image}].keypoints`,
    problem: keypoints === undefined ? 'the key points are missing' : 'there are too few or too many numbers',
    found: `${keypoints?.length ?? 'none'}`,
    expected: `${labels.length} objects times ${numKeypoints} key points times x, y, visibility`,
  });
}
