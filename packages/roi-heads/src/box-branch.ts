import { BoxCoder, type BoxCoderWeights, nms, smoothL1, softmaxCrossEntropy, takeBoxes } from '@rcnn/boxes';
import { type ImageSize, Module, type Phase, type Pyramid, type Target } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { BoxHead, BoxPredictions, BoxPredictor } from './box-heads.ts';
import { type BranchLosses, countRoIs, type RoIBranch, type RoIPooler, type RoIs, type SampledRoIs } from './rois.ts';

/** Options by torchvision's names. */
export interface BoxBranchOptions {
  /** A detection scores above this. Default 0.05. */
  readonly boxScoreThresh?: number;
  /** Of two of one class whose IoU is above this, the better stays. Default 0.5. */
  readonly boxNmsThresh?: number;
  /** Kept per image, best first. Default 100. */
  readonly boxDetectionsPerImg?: number;
  /** Factors of `dx, dy, dw, dh`. Default 10, 10, 5, 5. */
  readonly bboxRegWeights?: BoxCoderWeights;
}

export interface BoxParts {
  readonly pool: RoIPooler;
  readonly head: BoxHead;
  readonly predictor: BoxPredictor;
}

/** Detections with a shorter side are dropped, in pixels of the resized image. */
const SMALLEST = Math.fround(1e-2); // sides are float32: compare like with like

/**
 * Which class is a region, and how should its box move? Children `box_head`, `box_predictor`.
 * @see Girshick 2015 (arXiv:1504.08083)
 */
export class BoxBranch extends Module implements RoIBranch {
  readonly coder: BoxCoder;
  readonly numClasses: number;
  readonly #pool: RoIPooler;
  readonly #head: BoxHead;
  readonly #predictor: BoxPredictor;
  readonly #scoreThreshold: number;
  readonly #nmsThreshold: number;
  readonly #limit: number;

  constructor({ pool, head, predictor }: BoxParts, options: BoxBranchOptions = {}) {
    super();
    this.#pool = pool;
    this.#head = this.register('box_head', head);
    this.#predictor = this.register('box_predictor', predictor);
    this.numClasses = predictor.numClasses;
    this.coder = new BoxCoder({ weights: options.bboxRegWeights ?? [10, 10, 5, 5] });
    this.#scoreThreshold = Math.fround(options.boxScoreThresh ?? 0.05);
    this.#nmsThreshold = options.boxNmsThresh ?? 0.5;
    this.#limit = options.boxDetectionsPerImg ?? 100;
  }

  /** Logits and deltas of the regions `boxes` of each image. The caller owns them. */
  forward(features: Pyramid, boxes: readonly Float32Array[], phase: Phase = 'predict'): BoxPredictions {
    return tf.tidy(() => {
      const pooled = this.#pool.forward(features, boxes); // [R, S, S, C]
      const vectors = this.#head.forward(pooled, phase); // [R, features]
      pooled.dispose(); // a tape keeps what it needs by itself
      return { ...this.#predictor.forward(vectors, phase) };
    });
  }

  /**
   * `loss_classifier`: softmax cross-entropy, mean over all sampled regions. `loss_box_reg`: smooth L1 (beta 1/9) on
   * the deltas of the true class, sum over the positives / number of all sampled regions.
   */
  losses(features: Pyramid, sampled: readonly SampledRoIs[], targets: readonly Target[], phase: Phase): BranchLosses {
    const count = countRoIs(sampled);
    if (count === 0) return { loss_classifier: tf.scalar(0), loss_box_reg: tf.scalar(0) };
    return tf.tidy(() => {
      const labels = Int32Array.from(sampled.flatMap((rois) => [...rois.labels]));
      const { logits, deltas } = this.forward(
        features,
        sampled.map(({ boxes }) => boxes),
        phase,
      );
      const classifier = tf.mean(softmaxCrossEntropy(logits, labels));
      return {
        loss_classifier: classifier as tf.Scalar,
        loss_box_reg: this.#regressionLoss(deltas, labels, this.#targetDeltas(sampled, targets)),
      };
    });
  }

  async detect(features: Pyramid, rois: readonly RoIs[], sizes: readonly ImageSize[]): Promise<RoIs[]> {
    const none = (): RoIs => ({ boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() });
    if (countRoIs(rois) === 0) return rois.map(none);
    const [scoresOnDevice, deltasOnDevice] = tf.tidy(() => {
      const { logits, deltas } = this.forward(
        features,
        rois.map(({ boxes }) => boxes),
      );
      return [tf.softmax(logits), deltas] as [tf.Tensor2D, tf.Tensor2D];
    });
    const [scores, deltas] = await Promise.all([scoresOnDevice.data<'float32'>(), deltasOnDevice.data<'float32'>()]);
    tf.dispose([scoresOnDevice, deltasOnDevice]);
    let start = 0;
    return rois.map(({ boxes }, i) => {
      const end = start + boxes.length / 4;
      const k = this.numClasses;
      const found = this.#select(
        boxes,
        scores.subarray(start * k, end * k),
        deltas.subarray(start * k * 4, end * k * 4),
        sizes[i]!,
      );
      start = end;
      return found;
    });
  }

  /** Decodes what scores enough, clips it, drops slivers, then suppresses class by class. */
  #select(proposals: Float32Array, scores: Float32Array, deltas: Float32Array, [height, width]: ImageSize): RoIs {
    const boxes: number[] = [];
    const kept: number[] = [];
    const labels: number[] = [];
    const box = new Float32Array(4);
    const clip = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
    for (let row = 0, at = 0; row < proposals.length / 4; row++) {
      for (let label = 0; label < this.numClasses; label++, at++) {
        if (label === 0 || !(scores[at]! > this.#scoreThreshold)) continue;
        this.coder.decodeOne(deltas, at * 4, proposals, row * 4, box, 0);
        const x1 = clip(box[0]!, width);
        const y1 = clip(box[1]!, height);
        const x2 = clip(box[2]!, width);
        const y2 = clip(box[3]!, height);
        if (!(Math.fround(x2 - x1) >= SMALLEST && Math.fround(y2 - y1) >= SMALLEST)) continue;
        boxes.push(x1, y1, x2, y2);
        kept.push(scores[at]!);
        labels.push(label);
      }
    }
    const candidates = Float32Array.from(boxes);
    const groups = Int32Array.from(labels);
    const best = nms(candidates, kept, this.#nmsThreshold, { groups, limit: this.#limit });
    return {
      boxes: takeBoxes(candidates, best),
      scores: Float32Array.from(best, (i) => kept[i]!),
      labels: best.map((i) => groups[i]!),
    };
  }

  #targetDeltas(sampled: readonly SampledRoIs[], targets: readonly Target[]): Float32Array {
    const deltas = sampled.map(({ boxes, labels, matchedIndices }, i) => {
      const positives = [...labels.keys()].filter((row) => labels[row]! > 0);
      const truth = takeBoxes(
        targets[i]!.boxes,
        positives.map((row) => matchedIndices[row]!),
      );
      return this.coder.encode(truth, takeBoxes(boxes, positives));
    });
    return Float32Array.from(deltas.flatMap((part) => [...part]));
  }

  #regressionLoss(deltas: tf.Tensor2D, labels: Int32Array, target: Float32Array): tf.Scalar {
    if (target.length === 0) return tf.scalar(0);
    const rows = [...labels.keys()].filter((row) => labels[row]! > 0);
    const indices = rows.map((row) => row * this.numClasses + labels[row]!);
    const perClass = tf.reshape(deltas, [labels.length * this.numClasses, 4]);
    const ofTrueClass = tf.gather(perClass, tf.tensor1d(indices, 'int32')); // [P, 4]
    const difference = tf.sub(ofTrueClass, tf.tensor2d(target, [rows.length, 4]));
    return tf.div(tf.sum(smoothL1(difference)), labels.length) as tf.Scalar;
  }
}
