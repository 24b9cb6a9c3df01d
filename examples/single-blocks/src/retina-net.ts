import {
  BETWEEN_THRESHOLDS,
  BoxCoder,
  type Boxes,
  clipBoxes,
  Matcher,
  nms,
  smoothL1,
  takeBoxes,
  topK,
} from '@rcnn/boxes';
import {
  type Backbone,
  Conv2d,
  constant,
  type Detection,
  type ImageSize,
  Module,
  normal,
  type Random,
  type Target,
} from '@rcnn/core';
import { FPN } from '@rcnn/fpn';
import { AnchorGenerator } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';
import { focalLoss } from './focal-loss.ts';

/** What the head says about every anchor of a batch, levels one after the other. */
type Predictions = {
  /** `[N, anchors, numClasses]` */
  readonly logits: tf.Tensor3D;
  /** `[N, anchors, 4]` */
  readonly deltas: tf.Tensor3D;
  readonly anchors: Boxes;
};

/** Before training, every anchor is an object with this probability. @see Lin et al. 2017, section 4.1 */
const PRIOR = 0.01;

/**
 * A one-stage detector: a pyramid, and on each level a class and a box for every anchor.
 * Classes count from 0 inside; a label is the class plus 1, because 0 is the background everywhere in this toolkit.
 * @see Lin et al. 2017 (arXiv:1708.02002)
 */
export class RetinaNet extends Module {
  readonly #backbone: Backbone;
  readonly #fpn: FPN;
  readonly #hidden: Conv2d;
  readonly #classes: Conv2d;
  readonly #boxes: Conv2d;
  readonly #anchors: AnchorGenerator;
  readonly #coder = new BoxCoder();
  readonly #matcher = new Matcher({ foreground: 0.5, background: 0.4, lowQuality: true });
  readonly #numClasses: number;

  constructor(backbone: Backbone, numClasses: number, random: Random) {
    super();
    const channels = 32;
    this.#numClasses = numClasses;
    this.#backbone = this.register('backbone', backbone);
    this.#fpn = this.register('fpn', new FPN(backbone.outputs, { outChannels: channels, random }));
    // Two sizes and three shapes per cell; the smallest anchor spans two cells of its level.
    const sizes = this.#fpn.outputs.map(({ stride }) => [2 * stride, 2 * stride * Math.SQRT2]);
    this.#anchors = new AnchorGenerator({ sizes });
    const perCell = this.#anchors.anchorsPerCell[0]!;
    const initialiser = normal(0.03);
    this.#hidden = this.register(
      'hidden',
      new Conv2d(channels, channels, { kernelSize: 3, activation: 'relu', random }),
    );
    const biasInitialiser = constant(-Math.log((1 - PRIOR) / PRIOR));
    const classes = { kernelSize: 3, initialiser, biasInitialiser, random };
    this.#classes = this.register('classes', new Conv2d(channels, perCell * numClasses, classes));
    this.#boxes = this.register('boxes', new Conv2d(channels, perCell * 4, { kernelSize: 3, initialiser, random }));
  }

  /** Focal loss plus smooth L1, both divided by the number of anchors on objects. Nothing is read back. */
  loss(images: tf.Tensor4D, targets: readonly Target[]): tf.Scalar {
    return tf.tidy(() => {
      const { logits, deltas, anchors } = this.#predict(images);
      const truth = targets.map((target) => this.#truthOf(target, anchors));
      const positives = truth.reduce((sum, { positives }) => sum + positives.length, 0);
      const perImage = truth.map(({ classes, counted, positives, deltas: wanted }, image) => {
        const shape: [number, number] = [anchors.length / 4, this.#numClasses];
        const own = (x: tf.Tensor3D): tf.Tensor2D => tf.squeeze(tf.slice(x, [image], [1]), [0]);
        const byClass = tf.mul(focalLoss(own(logits), tf.tensor2d(classes, shape)), counted);
        const found = tf.gather(own(deltas), tf.tensor1d(positives, 'int32'));
        const byBox = smoothL1(tf.sub(found, tf.tensor2d(wanted, [positives.length, 4])));
        return tf.add(tf.sum(byClass), tf.sum(byBox));
      });
      return tf.div(tf.addN(perImage), Math.max(1, positives)) as tf.Scalar;
    });
  }

  /** The best detections of one image, best first. */
  async detect(image: tf.Tensor4D, scoreThreshold = 0.3): Promise<Detection[]> {
    const { probabilities, deltas, anchors } = tf.tidy(() => {
      const { logits, ...rest } = this.#predict(image);
      return { probabilities: tf.sigmoid(logits), ...rest };
    });
    const [scores, offsets] = await Promise.all([probabilities.data(), deltas.data()]);
    tf.dispose([probabilities, deltas]);
    const [, height, width] = image.shape;
    const best = topK(scores, 200).filter((i) => scores[i]! > scoreThreshold);
    const classes = best.map((i) => i % this.#numClasses);
    const owners = best.map((i) => Math.floor(i / this.#numClasses));
    const decoded = this.#coder.decode(takeBoxes(offsets as Float32Array, owners), takeBoxes(anchors, owners));
    const boxes = clipBoxes(decoded, [height, width]);
    const bestScores = Float32Array.from(best, (i) => scores[i]!);
    return Array.from(nms(boxes, bestScores, 0.5, { groups: classes, limit: 100 }), (i) => ({
      box: [...boxes.subarray(i * 4, i * 4 + 4)] as unknown as Detection['box'],
      label: classes[i]! + 1,
      score: bestScores[i]!,
    }));
  }

  #predict(images: tf.Tensor4D): Predictions {
    const [n, height, width] = images.shape;
    const pyramid = this.#fpn.forward(this.#backbone.forward(images));
    const outputs = pyramid.map((map) => {
      const hidden = this.#hidden.forward(map);
      return [
        tf.reshape(this.#classes.forward(hidden), [n, -1, this.#numClasses]),
        tf.reshape(this.#boxes.forward(hidden), [n, -1, 4]),
      ] as [tf.Tensor3D, tf.Tensor3D];
    });
    const grids = pyramid.map(({ shape }): ImageSize => [shape[1], shape[2]]);
    const levels = this.#anchors.forward(grids, [height, width]);
    return {
      logits: tf.concat(
        outputs.map(([logits]) => logits),
        1,
      ),
      deltas: tf.concat(
        outputs.map(([, deltas]) => deltas),
        1,
      ),
      anchors: Float32Array.from(levels.flatMap((level) => [...level])),
    };
  }

  /** What the head should say about one image. Anchors that are neither object nor background do not count. */
  #truthOf({ boxes, labels }: Target, anchors: Boxes): AnchorTruth {
    const matched = this.#matcher.matchBoxes(boxes, anchors);
    const classes = new Float32Array(matched.length * this.#numClasses);
    const positives: number[] = [];
    matched.forEach((gt, anchor) => {
      if (gt < 0) return;
      positives.push(anchor);
      classes[anchor * this.#numClasses + labels[gt]! - 1] = 1;
    });
    const counts = Float32Array.from(matched, (gt) => (gt === BETWEEN_THRESHOLDS ? 0 : 1));
    const truth = takeBoxes(
      boxes,
      positives.map((anchor) => matched[anchor]!),
    );
    return {
      classes,
      counted: tf.tensor2d(counts, [counts.length, 1]),
      positives: Int32Array.from(positives),
      deltas: this.#coder.encode(truth, takeBoxes(anchors, positives)),
    };
  }
}

interface AnchorTruth {
  /** `[anchors * numClasses]`, 1 where the anchor is on an object of the class. */
  readonly classes: Float32Array;
  /** `[anchors, 1]`, 0 where an anchor is ignored. */
  readonly counted: tf.Tensor2D;
  readonly positives: Int32Array;
  /** `[positives * 4]` */
  readonly deltas: Float32Array;
}
