import {
  type Backbone,
  concatFloats,
  type Detection,
  type DetectOptions,
  type Detector,
  type DetectorSpec,
  type ImageInput,
  type ImageSize,
  type Losses,
  type LossOptions,
  Module,
  type Phase,
  type Pyramid,
  Random,
  RcnnError,
  type Target,
} from '@rcnn/core';
import { type ModelTransform, prepare, prepareToLearn } from '@rcnn/detector';
import type { AnchorSource } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';
import { type AnchorLossOptions, anchorLosses, anchorMatcher } from './anchor-losses.ts';
import { bytesOfStep } from './bytes-of-step.ts';
import type { RetinaNetHead, RetinaNetOutputs } from './retinanet-head.ts';
import { type ImagePredictions, type SelectOptions, selectObjects } from './select-objects.ts';

/** What the detector is made of. Each part can be somebody else's. */
export interface RetinaNetParts {
  readonly transform: ModelTransform;
  readonly backbone: Backbone;
  readonly anchors: AnchorSource;
  readonly head: RetinaNetHead;
}

export interface RetinaNetOptions extends AnchorLossOptions, SelectOptions {}

/**
 * RetinaNet: one network says of every anchor of a pyramid which class it shows and where its box is; the focal loss
 * keeps the many that show nothing from drowning the few that do. Boxes alone.
 * @see Lin et al. 2017 (arXiv:1708.02002)
 */
export class RetinaNet extends Module implements Detector {
  readonly transform: ModelTransform;
  readonly backbone: Backbone;
  readonly anchors: AnchorSource;
  readonly head: RetinaNetHead;
  readonly spec: DetectorSpec;
  readonly #options: RetinaNetOptions;

  /** @throws INVALID_ARGUMENT when the head is made for other anchors */
  constructor({ transform, backbone, anchors, head }: RetinaNetParts, options: RetinaNetOptions = {}) {
    super();
    checkAnchors(anchors, backbone, head);
    this.transform = transform;
    this.backbone = this.register('backbone', backbone);
    this.anchors = anchors;
    this.head = this.register('head', head);
    this.#options = options;
    const strides = backbone.outputs.map(({ stride }) => stride);
    this.spec = {
      numClasses: head.numClasses,
      learnsFrom: [],
      finds: ['boxes'],
      input: transform.input,
      isPredictor: (name) => name.startsWith('head.classification_head.cls_logits.'),
      bytesOfStep: (size) => bytesOfStep(this.namedParameters(), size, strides),
    };
  }

  /**
   * Finds the objects of each image, best score first, in pixels of that image. Plain data; no tensor is left behind.
   * @throws IMAGE_INVALID naming image and pixel
   */
  async detect(images: readonly ImageInput[], options: DetectOptions = {}): Promise<Detection[][]> {
    const batch = await prepare('detect', this.transform, images);
    const held: tf.Tensor[] = [batch.images];
    try {
      const { features, outputs } = this.#forward(batch.images, 'predict');
      held.push(...features, ...Object.values(outputs));
      const scores = tf.sigmoid(outputs.logits);
      held.push(scores);
      const anchors = this.#anchors(features, batch.paddedSize);
      const read = await Promise.all([scores.data<'float32'>(), outputs.deltas.data<'float32'>()]);
      return batch.placements.map((placement, i) => {
        const [own, deltas] = read.map((values) => partOf(values, i, images.length)) as [Float32Array, Float32Array];
        const said: ImagePredictions = { scores: own, deltas };
        return placement.toImage(selectObjects(said, anchors, placement.size, this.#options), options);
      });
    } finally {
      tf.dispose(held);
    }
  }

  /**
   * What the model should learn from these images, as scalars: `classification` and `bbox_regression`. For gradients,
   * call it inside `valueAndGradients` of `@rcnn/core`. The caller disposes them.
   * @throws IMAGE_INVALID, TARGET_INVALID, NON_FINITE, BOX_DEGENERATE, LABEL_OUT_OF_RANGE
   */
  async losses(
    images: readonly ImageInput[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: LossOptions = {},
  ): Promise<Losses> {
    const batch = await prepareToLearn('losses', this, images, targets, { phase, random });
    const held: tf.Tensor[] = [batch.images];
    try {
      const { features, outputs } = this.#forward(batch.images, phase);
      held.push(...features, ...Object.values(outputs));
      const anchors = concatFloats(this.#anchors(features, batch.paddedSize));
      const matcher = anchorMatcher(this.#options);
      const matches = batch.targets.map(({ boxes }) => matcher.matchBoxes(boxes, anchors));
      return anchorLosses(outputs, anchors, batch.targets, matches, this.#options);
    } finally {
      tf.dispose(held); // a tape keeps what it needs by itself
    }
  }

  #forward(images: tf.Tensor4D, phase: Phase): { features: Pyramid; outputs: RetinaNetOutputs } {
    const features = this.backbone.forward(images, phase);
    try {
      return { features, outputs: this.head.forward(features, phase) };
    } catch (error) {
      tf.dispose([...features]);
      throw error;
    }
  }

  #anchors(features: Pyramid, paddedSize: ImageSize): readonly Float32Array[] {
    const grids = features.map(({ shape: [, height, width] }): ImageSize => [height, width]);
    return this.anchors.forward(grids, paddedSize);
  }
}

function checkAnchors({ anchorsPerCell }: AnchorSource, { outputs }: Backbone, head: RetinaNetHead): void {
  if (anchorsPerCell.length === outputs.length && anchorsPerCell.every((count) => count === head.anchorsPerCell))
    return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'RetinaNet',
    place: 'anchors',
    problem: 'the head is made for other anchors',
    found: `${anchorsPerCell.join(', ')} in a cell of each level`,
    expected: `${head.anchorsPerCell} on each of ${outputs.length} levels`,
  });
}

/** One image's part of what a batch has. */
function partOf(values: Float32Array, image: number, count: number): Float32Array {
  const size = values.length / count;
  return values.subarray(image * size, (image + 1) * size);
}
