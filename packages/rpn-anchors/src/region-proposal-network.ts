import {
  BalancedSampler,
  BETWEEN_THRESHOLDS,
  BoxCoder,
  type BoxCoding,
  type Boxes,
  type BoxMatcher,
  bceWithLogits,
  Matcher,
  type Sampler,
  smoothL1,
  takeBoxes,
} from '@rcnn/boxes';
import {
  concatFloats,
  type FeatureSpec,
  type ImageSize,
  Module,
  type Phase,
  type Pyramid,
  Random,
  RcnnError,
  takeRows,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { type AnchorSource, pyramidAnchors } from './anchor-generator.ts';
import { type ProposalRules, type Proposals, selectProposals } from './proposals.ts';
import { type HostRPNOutputs, type ProposalHead, RPNHead, type RPNOutputs } from './rpn-head.ts';

/** Options of the RPN, by torchvision's names. */
export interface RPNOptions {
  /** Default {@link pyramidAnchors}: sizes 32, 64, … from the finest level, ratios 0.5, 1, 2. */
  readonly rpnAnchorGenerator?: AnchorSource | undefined;
  /** Default an {@link RPNHead} with one 3x3 convolution. */
  readonly rpnHead?: ProposalHead | undefined;
  /** Kept per level and image before NMS when training. Default 2000. */
  readonly rpnPreNmsTopNTrain?: number | undefined;
  /** The same when detecting. Default 1000. */
  readonly rpnPreNmsTopNTest?: number | undefined;
  /** Kept per image after NMS when training. Default 2000. */
  readonly rpnPostNmsTopNTrain?: number | undefined;
  /** The same when detecting. Default 1000. */
  readonly rpnPostNmsTopNTest?: number | undefined;
  /** Suppress above this IoU. Default 0.7. */
  readonly rpnNmsThresh?: number | undefined;
  /** An anchor is an object from this IoU on. Default 0.7. */
  readonly rpnFgIouThresh?: number | undefined;
  /** An anchor is background below this IoU. Default 0.3. */
  readonly rpnBgIouThresh?: number | undefined;
  /** Links anchors with objects. Default a `Matcher` of the two options above, with low-quality matches. */
  readonly rpnMatcher?: BoxMatcher | undefined;
  /** Boxes as deltas and back. Default a `BoxCoder` with weights of 1. */
  readonly rpnBoxCoder?: BoxCoding | undefined;
  /** Anchors per image in the losses. Default 256. */
  readonly rpnBatchSizePerImage?: number | undefined;
  /** At most this fraction of them is positive. Default 0.5. */
  readonly rpnPositiveFraction?: number | undefined;
  /** Drop proposals below this score. Default 0. */
  readonly rpnScoreThresh?: number | undefined;
  /** Chooses the anchors of the losses. Default a {@link BalancedSampler} of the two options above. */
  readonly rpnSampler?: Sampler | undefined;
  /** Where the smooth L1 of the box loss becomes straight; 0 is plain L1, detectron2's. Default 1/9. */
  readonly rpnLossBeta?: number | undefined;
  /**
   * What both losses are divided by: the anchors that were `sampled`, as in torchvision, or as many as a full sample of
   * every image would have (`full`), as in detectron2. Default `sampled`.
   */
  readonly rpnLossNorm?: 'sampled' | 'full' | undefined;
  /** Draws the weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/** What the proposals are for: the two uses keep different numbers of them. */
export type ProposalUse = 'train' | 'test';

/** The RPN's two losses, by torchvision's names. */
export interface RPNLosses {
  readonly loss_objectness: tf.Scalar;
  readonly loss_rpn_box_reg: tf.Scalar;
}

/** Proposals with a shorter side are dropped, in pixels. */
const MIN_SIZE = 1e-3;

/**
 * Region Proposal Network: says where objects may be. Child `head`.
 * @see Ren et al. 2015, section 3.1 (arXiv:1506.01497)
 */
export class RegionProposalNetwork extends Module {
  readonly head: ProposalHead;
  readonly anchorGenerator: AnchorSource;
  readonly coder: BoxCoding;
  readonly #options: RPNOptions;
  readonly #fullSample: number;
  readonly #matcher: BoxMatcher;
  readonly #sampler: Sampler;

  /** @param inputs channels and stride of each level, finest first: any `fpn.outputs` */
  constructor(inputs: readonly FeatureSpec[], options: RPNOptions = {}) {
    super();
    this.#options = options;
    this.anchorGenerator = options.rpnAnchorGenerator ?? pyramidAnchors(inputs.length);
    const { channels, anchorsPerCell } = sharedShape(inputs, this.anchorGenerator);
    this.head = this.register(
      'head',
      options.rpnHead ?? new RPNHead(channels, anchorsPerCell, { random: options.random }),
    );
    const { rpnFgIouThresh: foreground = 0.7, rpnBgIouThresh: background = 0.3 } = options;
    this.coder = options.rpnBoxCoder ?? new BoxCoder();
    this.#matcher = options.rpnMatcher ?? new Matcher({ foreground, background, lowQuality: true });
    const { rpnBatchSizePerImage: batchSize = 256, rpnPositiveFraction: positiveFraction = 0.5 } = options;
    this.#fullSample = batchSize;
    this.#sampler = options.rpnSampler ?? new BalancedSampler({ batchSize, positiveFraction });
  }

  /** Objectness and deltas of every anchor. The caller owns them. */
  forward(features: Pyramid, phase: Phase = 'predict'): RPNOutputs {
    return this.head.forward(features, phase);
  }

  /**
   * Reads the outputs back and chooses the proposals of each image. No gradient flows through them.
   * @param sizes of the resized images, without padding: proposals are clipped to them
   * @param paddedSize of the batch
   * @throws SHAPE_MISMATCH
   */
  async propose(
    outputs: RPNOutputs,
    sizes: readonly ImageSize[],
    paddedSize: ImageSize,
    use: ProposalUse,
  ): Promise<Proposals[]> {
    checkImages('RegionProposalNetwork.propose', outputs, sizes.length);
    const grids = gridsOf(outputs);
    const logits = await Promise.all(outputs.logits.map((level) => level.data<'float32'>()));
    const deltas = await Promise.all(outputs.deltas.map((level) => level.data<'float32'>()));
    return this.proposeFrom({ grids, logits, deltas }, sizes, paddedSize, use);
  }

  /** The same from outputs that are on the host already. */
  proposeFrom(
    { grids, logits, deltas }: HostRPNOutputs,
    sizes: readonly ImageSize[],
    paddedSize: ImageSize,
    use: ProposalUse,
  ): Proposals[] {
    const anchors = this.anchorGenerator.forward(grids, paddedSize);
    const rules = this.rules(use);
    return sizes.map((size, image) => {
      const levels = anchors.map((ofLevel, level) => ({
        anchors: ofLevel,
        logits: ofImage(logits[level]!, image, ofLevel.length / 4),
        deltas: ofImage(deltas[level]!, image, ofLevel.length),
      }));
      return selectProposals(levels, this.coder, size, rules);
    });
  }

  /**
   * Objectness: binary cross-entropy, mean over all sampled anchors of all images. Boxes: smooth L1 (beta 1/9), sum
   * over the positives / number of sampled anchors. Both unless the options say otherwise. Taped; nothing is read back.
   * @param gtBoxes of each image, in pixels of the resized image; none is a normal value
   * @param random draws the sample
   * @throws SHAPE_MISMATCH
   */
  losses(
    outputs: RPNOutputs,
    gtBoxes: readonly Boxes[],
    paddedSize: ImageSize,
    random: Random = new Random(0),
  ): RPNLosses {
    checkImages('RegionProposalNetwork.losses', outputs, gtBoxes.length);
    const sampled = this.#sample(this.#anchors(outputs, paddedSize), gtBoxes, random);
    return tf.tidy(() => {
      const { rpnLossBeta: beta, rpnLossNorm: norm = 'sampled' } = this.#options;
      const total = norm === 'full' ? this.#fullSample * gtBoxes.length : Math.max(1, sampled.labels.length);
      const logits = gatherRows(outputs.logits, sampled.byLevel, 1);
      const objectness = bceWithLogits(tf.squeeze<tf.Tensor1D>(logits, [1]), tf.tensor1d(sampled.labels));
      const deltas = gatherRows(outputs.deltas, sampled.positivesByLevel, 4);
      const truth = tf.tensor2d(sampled.targets, [sampled.targets.length / 4, 4]);
      return {
        loss_objectness: tf.div(tf.sum(objectness), total) as tf.Scalar,
        loss_rpn_box_reg: tf.div(tf.sum(smoothL1(tf.sub(deltas, truth), beta)), total) as tf.Scalar,
      };
    });
  }

  /** Which proposals stay. */
  rules(use: ProposalUse): ProposalRules {
    const options = this.#options;
    const train = use === 'train';
    return {
      preNmsTopN: train ? (options.rpnPreNmsTopNTrain ?? 2000) : (options.rpnPreNmsTopNTest ?? 1000),
      postNmsTopN: train ? (options.rpnPostNmsTopNTrain ?? 2000) : (options.rpnPostNmsTopNTest ?? 1000),
      nmsThreshold: options.rpnNmsThresh ?? 0.7,
      scoreThreshold: options.rpnScoreThresh ?? 0,
      minSize: MIN_SIZE,
    };
  }

  #anchors(outputs: RPNOutputs, paddedSize: ImageSize): readonly Float32Array[] {
    return this.anchorGenerator.forward(gridsOf(outputs), paddedSize);
  }

  #sample(anchors: readonly Float32Array[], gtBoxes: readonly Boxes[], random: Random): SampledAnchors {
    const all = concatFloats(anchors);
    const starts = [0];
    for (const level of anchors) starts.push(starts.at(-1)! + level.length / 4);
    const sampled = new SampleBuilder(starts);
    gtBoxes.forEach((boxes, image) => {
      const matched = this.#matcher.matchBoxes(boxes, all);
      const labels = matched.map((gt) => (gt >= 0 ? 1 : gt === BETWEEN_THRESHOLDS ? -1 : 0));
      const { positives, negatives } = this.#sampler.sample(labels, random);
      const truth = takeBoxes(
        boxes,
        positives.map((anchor) => matched[anchor]!),
      );
      sampled.add(image, positives, this.coder.encode(truth, takeBoxes(all, positives)));
      sampled.add(image, negatives);
    });
    return sampled.build();
  }
}

interface SampledAnchors {
  /** Rows of each level's logits, over the batch. */
  readonly byLevel: readonly Int32Array[];
  readonly positivesByLevel: readonly Int32Array[];
  /** 1 or 0, in the order of `byLevel`. */
  readonly labels: Float32Array;
  /** Deltas to reach, in the order of `positivesByLevel`. */
  readonly targets: Float32Array;
}

/** Sorts sampled anchors, given by their place among all levels of an image, into rows of each level's batch. */
class SampleBuilder {
  readonly #starts: readonly number[];
  readonly #levels: { row: number; label: number; target: Float32Array | undefined }[][];

  constructor(starts: readonly number[]) {
    this.#starts = starts;
    this.#levels = starts.slice(1).map(() => []);
  }

  add(image: number, anchors: Int32Array, targets?: Float32Array): void {
    anchors.forEach((anchor, i) => {
      const level = this.#starts.findLastIndex((start) => start <= anchor);
      const start = this.#starts[level]!;
      const perImage = this.#starts[level + 1]! - start;
      const target = targets?.subarray(i * 4, i * 4 + 4);
      this.#levels[level]!.push({ row: image * perImage + anchor - start, label: target ? 1 : 0, target });
    });
  }

  build(): SampledAnchors {
    const positives = this.#levels.map((level) => level.filter(({ label }) => label === 1));
    const rows = (level: { row: number }[]): Int32Array => Int32Array.from(level, ({ row }) => row);
    return {
      byLevel: this.#levels.map(rows),
      positivesByLevel: positives.map(rows),
      labels: Float32Array.from(this.#levels.flat(), ({ label }) => label),
      targets: concatFloats(positives.flat().map(({ target }) => target!)),
    };
  }
}

/** The rows (of `width` numbers) of each level's map, one level after the other: `[rows, width]`. */
function gatherRows(maps: readonly tf.Tensor4D[], rows: readonly Int32Array[], width: number): tf.Tensor2D {
  const parts = maps.flatMap((map, level) => {
    if (rows[level]!.length === 0) return [];
    return [takeRows(tf.reshape(map, [-1, width]) as tf.Tensor2D, rows[level]!)];
  });
  // Nothing sampled: an empty slice keeps the outputs on the tape.
  if (parts.length === 0) return tf.slice(tf.reshape(maps[0]!, [-1, width]) as tf.Tensor2D, [0, 0], [0, width]);
  return tf.concat(parts, 0);
}

function gridsOf({ logits }: RPNOutputs): ImageSize[] {
  return logits.map(({ shape }) => [shape[1], shape[2]]);
}

function checkImages(where: string, { logits }: RPNOutputs, images: number): void {
  const found = logits[0]?.shape[0];
  if (found === images) return;
  throw new RcnnError('SHAPE_MISMATCH', {
    where,
    problem: 'the outputs are of another number of images',
    found: String(found),
    expected: String(images),
  });
}

function ofImage(values: Float32Array, image: number, perImage: number): Float32Array {
  return values.subarray(image * perImage, (image + 1) * perImage);
}

function sharedShape(
  inputs: readonly FeatureSpec[],
  anchors: AnchorSource,
): { channels: number; anchorsPerCell: number } {
  const channels = new Set(inputs.map((input) => input.channels));
  const perCell = new Set(anchors.anchorsPerCell);
  if (channels.size !== 1 || perCell.size !== 1 || inputs.length !== anchors.anchorsPerCell.length) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'RegionProposalNetwork',
      problem: 'one head is shared by all levels, so they must agree in channels and anchors per cell',
      found: `channels ${inputs.map((input) => input.channels)}; anchors per cell ${anchors.anchorsPerCell}`,
    });
  }
  return { channels: [...channels][0]!, anchorsPerCell: [...perCell][0]! };
}
