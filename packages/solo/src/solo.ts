import {
  type Backbone,
  type DetectOptions,
  type Detector,
  type DetectorSpec,
  type ImageInput,
  type Losses,
  type LossOptions,
  type MaskDetection,
  Module,
  type Phase,
  Random,
  type Target,
} from '@rcnn/core';
import { batchMask, type ModelTransform, prepare, prepareToLearn } from '@rcnn/detector';
import * as tf from '@tensorflow/tfjs-core';
import { assignToGrids } from './assign.ts';
import { bytesOfStep } from './bytes-of-step.ts';
import type { HeadOutputs, LocationHead } from './head.ts';
import { checkPyramid } from './levels.ts';
import { categoryLoss, maskLoss } from './location-losses.ts';
import { type SelectOptions, selectObjects } from './select-objects.ts';

/** What the detector is made of. Each part can be somebody else's. */
export interface SOLOParts {
  readonly transform: ModelTransform;
  /** Gives P2 to P6. */
  readonly backbone: Backbone;
  readonly head: LocationHead;
}

export interface SOLOOptions extends SelectOptions {
  /** Side of an object's center region as a share of its box: the cells in it answer for the object. Default 0.2. */
  readonly centerRegion?: number | undefined;
}

/** Where the head's parameters are: mmdetection's name. */
const HEAD = 'mask_head.';

/**
 * Segmenting objects by locations: no boxes, no regions; each cell of a few grids says what has its center there and
 * which pixels belong to it. The head decides how masks are made: SOLO, decoupled SOLO or SOLOv2. Boxes of detections are
 * those of their masks.
 * @see Wang et al. 2019 (arXiv:1912.04488), Wang et al. 2020 (arXiv:2003.10152)
 */
export class SOLO extends Module implements Detector<MaskDetection> {
  readonly transform: ModelTransform;
  readonly backbone: Backbone;
  readonly head: LocationHead;
  readonly spec: DetectorSpec;
  readonly #options: SOLOOptions;

  constructor({ transform, backbone, head }: SOLOParts, options: SOLOOptions = {}) {
    super();
    checkPyramid('SOLO', backbone.outputs);
    this.transform = transform;
    this.backbone = this.register('backbone', backbone);
    this.head = this.register('mask_head', head);
    this.#options = options;
    this.spec = {
      numClasses: head.numClasses,
      learnsFrom: ['masks'],
      finds: ['boxes', 'masks'],
      input: transform.input,
      isPredictor: (name) => name.startsWith(HEAD) && head.isPredictor(name.slice(HEAD.length)),
      bytesOfStep: (size) => bytesOfStep(this.namedParameters(), size, head.levels),
    };
  }

  /**
   * Finds the objects of each image, best score first, masks made when asked for. Plain data; no tensor is left behind.
   * @throws IMAGE_INVALID naming image and pixel
   */
  async detect(images: readonly ImageInput[], options: DetectOptions = {}): Promise<MaskDetection[][]> {
    const { images: pixels, placements, paddedSize } = await prepare('detect', this.transform, images);
    const outputs = this.#forward(pixels, 'predict');
    try {
      const scores = await scoresOf(outputs);
      const found: MaskDetection[][] = [];
      for (const [image, placement] of placements.entries()) {
        const own = scores.map((all) => partOf(all, image, images.length));
        const { masks, ...objects } = await selectObjects(outputs, image, own, this.head.levels, this.#options);
        const size = outputs.maskSizes[0]!;
        const inBatch = { ...objects, masks: masks.map((mask) => batchMask(mask, size, paddedSize)) };
        found.push(placement.toImage(inBatch, options) as MaskDetection[]);
      }
      return found;
    } finally {
      outputs.dispose();
    }
  }

  /**
   * What the model should learn from these images, as scalars: `loss_cls` and `loss_mask`. For gradients, call it inside
   * `valueAndGradients` of `@rcnn/core`. The caller disposes them.
   * @throws IMAGE_INVALID, TARGET_INVALID, NON_FINITE, BOX_DEGENERATE, LABEL_OUT_OF_RANGE, MASK_SIZE_MISMATCH
   */
  async losses(
    images: readonly ImageInput[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: LossOptions = {},
  ): Promise<Losses> {
    const batch = await prepareToLearn('losses', this, images, targets, { phase, random });
    const { levels, sharedCells } = this.head;
    const { centerRegion } = this.#options;
    try {
      const truth = batch.targets.map((target) =>
        assignToGrids(target, batch.paddedSize, { levels, sharedCells, centerRegion }),
      );
      return tf.tidy(() => {
        const outputs = this.#forward(batch.images, phase);
        return { loss_cls: categoryLoss(outputs, truth), loss_mask: maskLoss(outputs, truth, batch.paddedSize) };
      });
    } finally {
      batch.images.dispose();
    }
  }

  /** Takes the images over: it disposes them. */
  #forward(images: tf.Tensor4D, phase: Phase): HeadOutputs {
    const held: tf.Tensor[] = [images];
    try {
      const features = this.backbone.forward(images, phase);
      held.push(...features);
      return this.head.forward(features, phase);
    } finally {
      tf.dispose(held); // a tape keeps what it needs by itself
    }
  }
}

/** Probabilities of all images, per level: `[N, S, S, K]`. */
async function scoresOf({ categories }: HeadOutputs): Promise<Float32Array[]> {
  const scores = categories.map((logits) => tf.sigmoid(logits));
  try {
    return await Promise.all(scores.map((level) => level.data<'float32'>()));
  } finally {
    tf.dispose(scores);
  }
}

/** One image's part of what a batch has. */
function partOf(values: Float32Array, image: number, count: number): Float32Array {
  const size = values.length / count;
  return values.subarray(image * size, (image + 1) * size);
}
