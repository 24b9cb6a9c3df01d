import {
  type DetectOptions,
  type Detector,
  type DetectorSpec,
  type ImageInput,
  Linear,
  type Losses,
  type LossOptions,
  type MaskDetection,
  Module,
  Random,
  type Target,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { FixedSizeTransform, type ModelTransform, mapMask, prepare, prepareToLearn } from '../src/index.ts';

const SIDE = 16;

/** Finds one object in each image: which class, and which pixels, from one dense layer of each pixel's color. */
export class ToyDetector extends Module implements Detector<MaskDetection> {
  readonly transform: ModelTransform;
  readonly spec: DetectorSpec;
  readonly #classes: Linear;
  readonly #mask: Linear;

  constructor(transform: ModelTransform = new FixedSizeTransform({ size: [SIDE, SIDE] }), numClasses = 3) {
    super();
    const random = new Random(5);
    this.transform = transform;
    this.#classes = this.register('classes', new Linear(3, numClasses, { random }));
    this.#mask = this.register('mask', new Linear(3, 1, { random }));
    this.spec = {
      numClasses,
      learnsFrom: ['masks'],
      finds: ['boxes', 'masks'],
      input: transform.input,
      isPredictor: (name) => name.startsWith('classes.'),
    };
  }

  async detect(images: readonly ImageInput[], options?: DetectOptions): Promise<MaskDetection[][]> {
    const { images: batch, placements, paddedSize } = await prepare('detect', this.transform, images);
    const held: tf.Tensor[] = [batch];
    try {
      const outputs = tf.tidy(() => {
        const { logits, pixels } = this.#forward(batch);
        return { scores: tf.softmax(logits), maps: tf.sigmoid(pixels) };
      });
      held.push(outputs.scores, outputs.maps);
      const scores = (await outputs.scores.array()) as number[][];
      const maps = await outputs.maps.data<'float32'>();
      const cells = paddedSize[0] * paddedSize[1];
      return placements.map((placement, i) => {
        const best = scores[i]!.slice(1).reduce((most, score) => Math.max(most, score));
        const found = {
          boxes: Float32Array.of(0, 0, placement.size[1], placement.size[0]),
          scores: Float32Array.of(best),
          labels: Int32Array.of(scores[i]!.lastIndexOf(best)),
          masks: [mapMask(maps.slice(i * cells, (i + 1) * cells), paddedSize, paddedSize)],
        };
        return placement.toImage(found, options) as MaskDetection[];
      });
    } finally {
      tf.dispose(held);
    }
  }

  async losses(
    images: readonly ImageInput[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: LossOptions = {},
  ): Promise<Losses> {
    const batch = await prepareToLearn('losses', this, images, targets, { phase, random });
    try {
      return tf.tidy(() => {
        const { logits, pixels } = this.#forward(batch.images);
        const wanted = tf.tensor1d(batch.targets.map(({ labels }) => labels[0] ?? 0), 'int32'); // biome-ignore format: one line
        const oneHot = tf.oneHot(wanted, this.spec.numClasses);
        const likely = tf.sum(tf.mul(tf.logSoftmax(logits), oneHot));
        const truth = batch.targets.map(({ masks: [mask] = [] }) => mask?.bitmap() ?? new Uint8Array(SIDE * SIDE));
        const bits = tf.tensor(Float32Array.from(truth.flatMap((bitmap) => [...bitmap])), pixels.shape);
        return {
          loss_class: tf.neg(likely) as tf.Scalar,
          loss_mask: tf.mean(tf.squaredDifference(tf.sigmoid(pixels), bits)) as tf.Scalar,
        };
      });
    } finally {
      batch.images.dispose();
    }
  }

  #forward(images: tf.Tensor4D): { logits: tf.Tensor2D; pixels: tf.Tensor2D } {
    const [count, height, width] = images.shape;
    const colors = tf.reshape(images, [count * height * width, 3]) as tf.Tensor2D;
    return {
      logits: this.#classes.forward(tf.mean(images, [1, 2]) as tf.Tensor2D),
      pixels: tf.reshape(this.#mask.forward(colors), [count, height * width]) as tf.Tensor2D,
    };
  }
}
