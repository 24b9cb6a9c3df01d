import { bceWithLogits } from '@rcnn/boxes';
import {
  concatFloats,
  type InstanceMask,
  idleLoss,
  type Losses,
  Module,
  type Phase,
  type Pyramid,
  rowsWhere,
  type Target,
  takeObjects,
} from '@rcnn/core';
import { boxMask } from '@rcnn/detector';
import type { PasteMode } from '@rcnn/masks';
import { type HostMap, maskTargets } from '@rcnn/roi-align';
import {
  type BranchLossOptions,
  type BranchSpec,
  countRoIs,
  labelsOf,
  masksFor,
  onlyPositives,
  type RoIBranch,
  type RoIs,
  type SampledRoIs,
} from '@rcnn/roi-heads';
import * as tf from '@tensorflow/tfjs-core';
import { hostLogitsOfClass, logitsOfClass } from './class-logits.ts';
import type { CoarseMaskHead } from './coarse-head.ts';
import { gridPoints, placeInMap, placeInOwnMaps, pointsInPixels, repeatPoints } from './place-points.ts';
import type { PointHead } from './point-head.ts';
import { sampleHostMaps, samplePoints, sampleValues } from './sample-points.ts';
import { type AskPoints, subdivide } from './subdivide.ts';
import { type DrawPoints, drawFrom, type TrainingPointsOptions, trainingPoints } from './training-points.ts';

export interface PointRendParts {
  readonly coarse: CoarseMaskHead;
  readonly point: PointHead;
  /** Pixels between two cells of the finest map. */
  readonly stride: number;
}

export interface PointRendOptions {
  /** The points to learn from. */
  readonly training?: TrainingPointsOptions | undefined;
  /** How often the 7x7 mask is doubled: 5 gives 224x224. Default 5. */
  readonly subdivisionSteps?: number | undefined;
  /** Points of a region that are asked again after each doubling. Default 784. */
  readonly subdivisionPoints?: number | undefined;
  /** How a mask is laid into its box. Default `detectron2`: by the exact box. */
  readonly maskPaste?: PasteMode | undefined;
}

/** The two networks of the branch on the host, asked elsewhere: in a compiled model. */
export interface AskPointRend {
  /** Regions `[R * 14 * 14 * C]` to logits `[R * 7 * 7 * K]`. */
  coarse(regions: Float32Array): Promise<Float32Array>;
  /** Features `[M * C]` and coarse logits `[M * K]` of points to logits `[M * K]`. */
  point(fine: Float32Array, coarse: Float32Array): Promise<Float32Array>;
}

/** Logits of masks of one class each, `[R * side * side]`. */
type DrawnMasks = Awaited<ReturnType<typeof subdivide>>;

/** Regions whose masks are drawn at once: they bound the memory. */
const REGIONS_AT_ONCE = 32;

/**
 * Masks with sharp edges: a coarse mask of the region, and a head that is asked point by point where the mask is unsure.
 * Takes the place of the mask branch. Children `mask_head.coarse_head`, `mask_head.point_head`, detectron2's names.
 *
 * Its numbers meet detectron2's, class by class; there the background is the last class and has no masks, here it is 0
 * and has none.
 * @see Kirillov et al. 2020 (arXiv:1912.08193)
 */
export class PointRendBranch extends Module implements RoIBranch {
  readonly spec: BranchSpec;
  readonly parts: PointRendParts;
  readonly #options: PointRendOptions;

  constructor({ coarse, point, stride }: PointRendParts, options: PointRendOptions = {}) {
    super();
    this.parts = { coarse, point, stride };
    this.register('mask_head.coarse_head', coarse);
    this.register('mask_head.point_head', point);
    this.#options = options;
    this.spec = {
      numClasses: coarse.numObjectClasses + 1,
      learnsFrom: ['masks'],
      finds: ['masks'],
      // Every layer of the point head sees the coarse mask of each class.
      isPredictor: (name) =>
        name.startsWith('mask_head.coarse_head.prediction.') || name.startsWith('mask_head.point_head.'),
    };
  }

  /** Coarse mask logits `[R, 7, 7, K]` of the regions `boxes` of each image. The caller owns them. */
  coarse(features: Pyramid, boxes: readonly Float32Array[], phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      const { inSide } = this.parts.coarse;
      const regions = countRoIs(boxes.map((ofImage) => ({ boxes: ofImage })));
      const grid = repeatPoints(gridPoints(inSide), regions);
      const rows = samplePoints(finest(features), placeInMap(grid, boxes, this.parts.stride));
      return this.parts.coarse.forward(tf.reshape(rows, [regions, inSide, inSide, -1]), phase);
    });
  }

  /**
   * Logits `[R * P, K]` of points of the regions `boxes` of each image. The caller owns them.
   * @param coarse of the same regions
   * @param points `[R * P * 2]`: x, y, 0 to 1 of the box
   */
  points(
    features: Pyramid,
    coarse: tf.Tensor4D,
    boxes: readonly Float32Array[],
    points: Float32Array,
    phase?: Phase,
  ): tf.Tensor2D {
    return tf.tidy(() => {
      const fine = samplePoints(finest(features), placeInMap(points, boxes, this.parts.stride));
      const [regions, side] = coarse.shape;
      return this.parts.point.forward(fine, samplePoints(coarse, placeInOwnMaps(points, regions, side)), phase);
    });
  }

  /** Of each point the logit of its region's own class, read back: `[R * P]`. */
  async pointsOfClass(
    features: Pyramid,
    coarse: tf.Tensor4D,
    { boxes, labels }: { readonly boxes: readonly Float32Array[]; readonly labels: Int32Array },
    points: Float32Array,
  ): Promise<Float32Array> {
    const answers = tf.tidy(() => logitsOfClass(this.points(features, coarse, boxes, points), labels));
    return answers.data<'float32'>().finally(() => answers.dispose());
  }

  /**
   * `loss_mask`: binary cross-entropy on the coarse logits of the true class. The target is 1 where at least half of the
   * cell is the object's. `loss_mask_point`: the same on the chosen points, whose targets are the mask read at the point,
   * not rounded. Each a mean over all positives. No positives: 0.
   */
  losses(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    { phase, random }: BranchLossOptions,
  ): Promise<Losses> {
    return this.lossesWith(features, sampled, targets, phase, drawFrom(random));
  }

  /** As {@link losses}, the points drawn by `draw`: for comparing trainings. */
  async lossesWith(
    features: Pyramid,
    sampled: readonly SampledRoIs[],
    targets: readonly Target[],
    phase: Phase,
    draw: DrawPoints,
  ): Promise<Losses> {
    const positives = sampled.map(onlyPositives);
    if (countRoIs(positives) === 0) return { loss_mask: idleLoss(this), loss_mask_point: tf.scalar(0) };
    const truths = positives.map((ofImage, i) => masksFor('PointRendBranch.losses', targets[i]!, ofImage, i));
    const boxes = positives.map((ofImage) => ofImage.boxes);
    const labels = labelsOf(positives);
    const coarse = this.coarse(features, boxes, phase);
    const [regions, side, , classes] = coarse.shape;
    let loss: tf.Scalar | undefined;
    let logits: tf.Tensor1D | undefined;
    try {
      const cells = regions * side * side;
      logits = tf.tidy(() => logitsOfClass(tf.reshape(coarse, [cells, classes]), labels));
      const truth = positives.map((ofImage, i) =>
        maskTargets(truths[i]!, ofImage.boxes, ofImage.matchedIndices, side, { aligned: true, threshold: 0.5 }),
      );
      loss = tf.tidy(() => tf.mean(bceWithLogits(logits!, tf.tensor1d(concatFloats(truth)))) as tf.Scalar);
      const points = trainingPoints(await logits.data<'float32'>(), side, draw, this.#options.training);
      const answers: Float32Array[] = [];
      let at = 0;
      for (const [i, ofImage] of positives.entries()) {
        const end = at + (ofImage.labels.length * points.length) / regions;
        answers.push(pointTargets(truths[i]!, ofImage, points.subarray(at, end)));
        at = end;
      }
      const ofPoints = tf.tidy(() => {
        const found = logitsOfClass(this.points(features, coarse, boxes, points, phase), labels);
        return tf.mean(bceWithLogits(found, tf.tensor1d(concatFloats(answers)))) as tf.Scalar;
      });
      return { loss_mask: loss, loss_mask_point: ofPoints };
    } catch (error) {
      loss?.dispose();
      throw error;
    } finally {
      coarse.dispose(); // a tape keeps what it needs by itself
      logits?.dispose();
    }
  }

  detect(features: Pyramid, rois: readonly RoIs[]): Promise<RoIs[]> {
    return this.#detectWith((piece) => this.#draw(features, piece), rois);
  }

  /** As {@link detect}, the networks asked elsewhere. @param finest map of the pyramid */
  detectBy(ask: AskPointRend, finest: HostMap, rois: readonly RoIs[]): Promise<RoIs[]> {
    return this.#detectWith((piece) => this.#drawBy(ask, finest, piece), rois);
  }

  async #detectWith(draw: (piece: RoIs[]) => Promise<DrawnMasks>, rois: readonly RoIs[]): Promise<RoIs[]> {
    const masks = rois.map((): ReturnType<typeof boxMask>[] => []);
    for (const piece of pieces(rois)) {
      const { logits, side } = await draw(piece);
      let at = 0;
      for (const [image, { labels }] of piece.entries()) {
        for (let r = 0; r < labels.length; r++, at += side * side) {
          const cells = logits.slice(at, at + side * side).map((logit) => 1 / (1 + Math.exp(-logit)));
          masks[image]!.push(boxMask(cells, this.#options.maskPaste ?? 'detectron2'));
        }
      }
    }
    return rois.map((ofImage, i) => ({ ...ofImage, masks: masks[i]! }));
  }

  async #draw(features: Pyramid, rois: readonly RoIs[]): Promise<DrawnMasks> {
    const boxes = rois.map((ofImage) => ofImage.boxes);
    const labels = labelsOf(rois);
    const coarse = this.coarse(features, boxes);
    try {
      return await this.#subdivide(labels.length, (asked) =>
        this.pointsOfClass(features, coarse, { boxes, labels }, asked),
      );
    } finally {
      coarse.dispose();
    }
  }

  async #drawBy(ask: AskPointRend, finest: HostMap, rois: readonly RoIs[]): Promise<DrawnMasks> {
    const boxes = rois.map((ofImage) => ofImage.boxes);
    const labels = labelsOf(rois);
    const regions = labels.length;
    const { coarse: head, stride } = this.parts;
    const { inSide, outSide: side, numObjectClasses: classes } = head;
    const grid = repeatPoints(gridPoints(inSide), regions);
    const data = await ask.coarse(sampleHostMaps(finest, placeInMap(grid, boxes, stride)));
    const coarse: HostMap = { data, shape: [regions, side, side, classes] };
    return this.#subdivide(regions, async (points) => {
      const fine = sampleHostMaps(finest, placeInMap(points, boxes, stride));
      const shown = sampleHostMaps(coarse, placeInOwnMaps(points, regions, side));
      return hostLogitsOfClass(await ask.point(fine, shown), labels, classes);
    });
  }

  #subdivide(regions: number, ask: AskPoints): Promise<DrawnMasks> {
    const { subdivisionSteps: steps, subdivisionPoints: points } = this.#options;
    return subdivide(regions, ask, { side: this.parts.coarse.outSide, steps, points });
  }
}

function finest(features: Pyramid): tf.Tensor4D {
  return features[0]!;
}

/** The regions in pieces of {@link REGIONS_AT_ONCE}, each a batch of as many images. */
function* pieces(rois: readonly RoIs[]): Generator<RoIs[]> {
  const total = countRoIs(rois);
  for (let from = 0; from < total; from += REGIONS_AT_ONCE) {
    let at = 0;
    yield rois.map((ofImage) => {
      const first = at;
      at += ofImage.labels.length;
      return takeObjects(
        ofImage,
        rowsWhere(ofImage, (row) => first + row >= from && first + row < from + REGIONS_AT_ONCE),
      );
    });
  }
}

/** The masks of the objects of some regions, read at points of each region: `[R * P]`. */
function pointTargets(
  masks: readonly InstanceMask[],
  { boxes, matchedIndices }: SampledRoIs,
  points: Float32Array,
): Float32Array {
  const places = pointsInPixels(points, boxes).map((pixel) => pixel - 0.5);
  const perRegion = matchedIndices.length === 0 ? 0 : places.length / matchedIndices.length;
  const bitmaps = new Map<number, Uint8Array>();
  const values = new Float32Array(points.length / 2);
  for (const [r, object] of matchedIndices.entries()) {
    const { size } = masks[object]!;
    let bitmap = bitmaps.get(object);
    if (bitmap === undefined) bitmaps.set(object, (bitmap = Uint8Array.from(masks[object]!.bitmap())));
    values.set(sampleValues(bitmap, size, places.subarray(r * perRegion, (r + 1) * perRegion)), (r * perRegion) / 2);
  }
  return values;
}
