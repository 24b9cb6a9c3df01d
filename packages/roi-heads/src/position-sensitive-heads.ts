import { BoxCoder, type BoxCoding, type BoxMatcher, Matcher, smoothL1, softmaxCrossEntropy } from '@rcnn/boxes';
import {
  Conv2d,
  type ImageSize,
  type Losses,
  Module,
  normal,
  type Phase,
  type Pyramid,
  type Random,
  rowsWhere,
  type Target,
  takeObjects,
  takeRows,
} from '@rcnn/core';
import { psRoIPool, withImages } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import type { BoxBranchOptions } from './box-branch.ts';
import type { BoxPredictions } from './box-heads.ts';
import { splitRows } from './refine-boxes.ts';
import type { RegionHeads, RegionLossOptions, RegionSpec } from './region-heads.ts';
import { countRoIs, labelsOf, type RoIs, type SampledRoIs } from './rois.ts';
import { matchedBoxes, matchRegions } from './sample-regions.ts';
import { selectDetections } from './select-detections.ts';

export interface PositionSensitiveOptions
  extends Pick<BoxBranchOptions, 'boxScoreThresh' | 'boxNmsThresh' | 'boxDetectionsPerImg' | 'bboxRegWeights'> {
  /** Of the map that regions are read from: the last that the backbone gives. */
  readonly inChannels: number;
  /** Pixels of one cell of it. Default 16. */
  readonly stride?: number | undefined;
  /** Background included. */
  readonly numClasses: number;
  /** Channels of the map that score maps are made of. Default 1024. */
  readonly channels?: number | undefined;
  /** Bins on a side of a region. Default 7. */
  readonly bins?: number | undefined;
  /** Whether there are maps for the boxes of the background too, as in the authors' weights; nothing reads them. Default false. */
  readonly backgroundBoxes?: boolean | undefined;
  /** Links regions with objects. Default a `Matcher` at 0.5. */
  readonly boxMatcher?: BoxMatcher | undefined;
  /** Regions per image that are learned from, those with the highest losses. Default 128. */
  readonly hardRegions?: number | undefined;
  /** Where a region's bins begin and end. Default `torchvision`; `caffe` for the authors' weights. */
  readonly rule?: 'torchvision' | 'caffe' | undefined;
  readonly random?: Random | undefined;
}

/**
 * The second stage of R-FCN: the map says for each cell what a region's part would be if it lay there, for k x k parts of
 * every class; a region is the mean of what its parts say. Nothing is computed per region. Boxes are the same for all
 * classes. Children `conv_new`, `rfcn_cls`, `rfcn_bbox`.
 *
 * Learns from the regions with the highest losses of all that were proposed (online hard example mining).
 * @see Dai et al. 2016, section 2 (arXiv:1605.06409)
 */
export class PositionSensitiveHeads extends Module implements RegionHeads {
  readonly spec: RegionSpec;
  readonly coder: BoxCoding;
  readonly #conv: Conv2d;
  readonly #classes: Conv2d;
  readonly #boxes: Conv2d;
  readonly #options: PositionSensitiveOptions;
  readonly #matcher: BoxMatcher;

  constructor(options: PositionSensitiveOptions) {
    super();
    const { inChannels, numClasses, channels = 1024, bins = 7, backgroundBoxes = false, random } = options;
    const initialiser = normal(0.01);
    const shape = { kernelSize: 1, initialiser, random };
    this.#conv = this.register('conv_new', new Conv2d(inChannels, channels, { ...shape, activation: 'relu' }));
    this.#classes = this.register('rfcn_cls', new Conv2d(channels, bins * bins * numClasses, shape));
    this.#boxes = this.register('rfcn_bbox', new Conv2d(channels, bins * bins * (backgroundBoxes ? 8 : 4), shape));
    this.#options = options;
    this.coder = new BoxCoder({ weights: options.bboxRegWeights ?? [10, 10, 5, 5] });
    this.#matcher = options.boxMatcher ?? new Matcher({ foreground: 0.5, background: 0.5 });
    this.spec = {
      numClasses,
      learnsFrom: [],
      finds: ['boxes'],
      isPredictor: (name) => name.startsWith('rfcn_cls.'),
    };
  }

  /** Logits `[R, K]` and deltas `[R, 4]` of the regions `boxes` of each image. The caller owns them. */
  forward(features: Pyramid, boxes: readonly Float32Array[], phase: Phase = 'predict'): BoxPredictions {
    return tf.tidy(() => {
      const shared = this.#conv.forward(features.at(-1)!, phase);
      const rois = withImages(boxes);
      const logits = this.#vote(this.#classes.forward(shared, phase), rois);
      const deltas = this.#vote(this.#boxes.forward(shared, phase), rois);
      return { logits, deltas: tf.slice(deltas, [0, deltas.shape[1] - 4], [-1, 4]) };
    });
  }

  /** What the bins of each region say, on average: `[R, C]`. */
  #vote(maps: tf.Tensor4D, rois: Float32Array): tf.Tensor2D {
    const { bins = 7, stride = 16, rule } = this.#options;
    return tf.mean(psRoIPool(maps, rois, { bins, spatialScale: 1 / stride, rule }), [1, 2]);
  }

  async detect(features: Pyramid, proposals: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    const none = (): RoIs => ({ boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() });
    if (countRoIs(proposals) === 0) return proposals.map(none);
    const boxes = proposals.map((ofImage) => ofImage.boxes);
    const onDevice = tf.tidy(() => {
      const { logits, deltas } = this.forward(features, boxes);
      return { scores: tf.softmax(logits), deltas };
    });
    try {
      const read = [onDevice.scores, onDevice.deltas].map((tensor) => tensor.data<'float32'>());
      const [scores, deltas] = (await Promise.all(read)).map((rows) => splitRows(rows, boxes));
      const rules = {
        coder: this.coder,
        scoreThreshold: this.#options.boxScoreThresh ?? 0.05,
        nmsThreshold: this.#options.boxNmsThresh ?? 0.3,
        limit: this.#options.boxDetectionsPerImg ?? 100,
      };
      return boxes.map((ofImage, i) =>
        selectDetections({ boxes: ofImage, scores: scores![i]!, deltas: deltas![i]! }, sizes[i]!, rules),
      );
    } finally {
      tf.dispose(onDevice);
    }
  }

  /** `loss_classifier` and `loss_box_reg`, each a mean over the regions that are learned from. */
  async losses(
    features: Pyramid,
    proposals: readonly Float32Array[],
    targets: readonly Target[],
    { phase = 'train' }: Partial<RegionLossOptions> = {},
  ): Promise<Losses> {
    const matched = proposals.map((boxes, i) => matchRegions(boxes, targets[i]!, this.#matcher));
    if (countRoIs(matched) === 0) return { loss_classifier: tf.scalar(0), loss_box_reg: tf.scalar(0) };
    const boxes = matched.map((ofImage) => ofImage.boxes);
    const predictions = this.forward(features, boxes, phase);
    const truth = truthOf(matched, targets, this.coder);
    const each = regionLosses(predictions, truth);
    try {
      const [ofClass, ofBox] = await Promise.all([each.ofClass.data(), each.ofBox.data()]);
      const limit = (this.#options.hardRegions ?? 128) * proposals.length;
      const kept = hardest(ofClass.map((loss, r) => loss + ofBox[r]!) as Float32Array, limit);
      return tf.tidy(() => ({ loss_classifier: meanOf(each.ofClass, kept), loss_box_reg: meanOf(each.ofBox, kept) }));
    } finally {
      tf.dispose([each.ofClass, each.ofBox, { ...predictions }]); // a tape keeps what it needs by itself
    }
  }
}

/** What R regions should say. */
export interface RegionTruth {
  /** `[R]`; 0 is background. */
  readonly labels: Int32Array;
  /** `[R * 4]`: deltas to the object; not looked at for the background. */
  readonly deltas: Float32Array;
}

/**
 * What each region has wrong, on the tape where there is one: cross-entropy, and smooth L1 (beta 1) of the boxes of
 * those that are objects. `[R]` each.
 */
export function regionLosses(
  { logits, deltas }: BoxPredictions,
  truth: RegionTruth,
): { readonly ofClass: tf.Tensor1D; readonly ofBox: tf.Tensor1D } {
  const [ofClass, ofBox] = tf.tidy(() => {
    const isObject = tf.tensor1d(
      truth.labels.map((label) => Number(label > 0)),
      'float32',
    );
    const apart = smoothL1(tf.sub(deltas, tf.tensor2d(truth.deltas, [truth.labels.length, 4])), 1);
    return [softmaxCrossEntropy(logits, truth.labels), tf.mul(tf.sum(apart, 1), isObject)] as [
      tf.Tensor1D,
      tf.Tensor1D,
    ];
  });
  return { ofClass, ofBox };
}

/** The rows of the highest losses, in their order; of equal ones the first. */
export function hardest(losses: Float32Array, limit: number): Int32Array {
  const rows = Array.from(losses.keys());
  return Int32Array.from(rows.sort((a, b) => losses[b]! - losses[a]! || a - b).slice(0, limit)).sort();
}

function meanOf(losses: tf.Tensor1D, rows: Int32Array): tf.Scalar {
  return tf.mean(takeRows(tf.expandDims(losses, 1) as tf.Tensor2D, rows)) as tf.Scalar;
}

function truthOf(matched: readonly SampledRoIs[], targets: readonly Target[], coder: BoxCoding): RegionTruth {
  const deltas = new Float32Array(countRoIs(matched) * 4);
  let start = 0;
  for (const [i, regions] of matched.entries()) {
    const rows = rowsWhere(regions, (row) => regions.labels[row]! > 0);
    const objects = takeObjects(regions, rows);
    const encoded = coder.encode(matchedBoxes(objects, targets[i]!), objects.boxes);
    for (const [at, row] of rows.entries()) deltas.set(encoded.subarray(at * 4, at * 4 + 4), (start + row) * 4);
    start += regions.labels.length;
  }
  return { labels: labelsOf(matched), deltas };
}
