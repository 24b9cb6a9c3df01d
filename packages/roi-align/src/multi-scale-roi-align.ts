import { type Boxes, boxArea, countBoxes } from '@rcnn/boxes';
import { type Pyramid, RcnnError } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';
import { alignHostMaps, alignRoIs } from './align-rois.ts';
import type { PlacedRoIs, RoIAlignShape } from './placed-rois.ts';
import { sizeOf } from './roi-align.ts';

const { floor, fround, log2, max, min, sqrt } = Math;

export interface MultiScaleRoIAlignOptions {
  /** Height and width of the result, or one number for both. */
  readonly outputSize: number | readonly [height: number, width: number];
  /** Strides of the levels to read, finest first: powers of two, each twice the one before. Default 4, 8, 16, 32. */
  readonly strides?: readonly number[];
  /** Sample points per bin and axis; 0 is adaptive. Default 2. */
  readonly samplingRatio?: number;
  /** Default false, as torchvision's models. */
  readonly aligned?: boolean;
  /** A box of this side is read from the canonical level. Default 224, ImageNet's size. */
  readonly canonicalSize?: number;
  /** `log2` of the canonical level's stride. Default 4. */
  readonly canonicalLevel?: number;
}

/** A level of a pyramid on the host. */
export interface HostMap {
  /** Row-major. */
  readonly data: Float32Array;
  readonly shape: readonly [images: number, height: number, width: number, channels: number];
}

/**
 * RoIAlign over a pyramid: small boxes are read from fine levels.
 * @see Lin et al. 2017, equation 1 (arXiv:1612.03144)
 */
export class MultiScaleRoIAlign {
  readonly outputSize: readonly [height: number, width: number];
  /** Strides of the levels that are read, finest first. */
  readonly strides: readonly number[];
  /** Of the result, and how it is sampled. */
  readonly shape: RoIAlignShape;
  readonly #canonicalSize: number;
  readonly #canonicalLevel: number;

  /** @throws INVALID_ARGUMENT when the strides do not double from level to level */
  constructor({
    outputSize,
    strides = [4, 8, 16, 32],
    samplingRatio = 2,
    aligned = false,
    canonicalSize = 224,
    canonicalLevel = 4,
  }: MultiScaleRoIAlignOptions) {
    if (strides.length === 0 || strides.some((stride, i) => stride !== strides[0]! * 2 ** i)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'MultiScaleRoIAlign',
        problem: 'each stride must be twice the one before',
        found: `[${strides.join(', ')}]`,
      });
    }
    const [height, width] = sizeOf(outputSize);
    this.outputSize = [height, width];
    this.strides = strides;
    this.shape = { height, width, samplingRatio, aligned };
    this.#canonicalSize = canonicalSize;
    this.#canonicalLevel = canonicalLevel;
  }

  /**
   * Reads the boxes of every image: `[R, h, w, C]`, image by image in the order of the boxes.
   * @param features at least as many levels as strides, finest first; coarser ones (P6) are not read
   * @param boxes per image `[Ri * 4]` in pixels of the resized image
   * @throws SHAPE_MISMATCH
   */
  forward(features: Pyramid, boxes: readonly Boxes[]): tf.Tensor4D {
    const maps = this.#levelsOf(features, boxes);
    return alignRoIs(maps, this.#scales, this.#place(boxes), this.shape);
  }

  /** The same of maps on the host, without any engine: `[R * h * w * C]`, as a new array. */
  forwardOnHost(features: readonly HostMap[], boxes: readonly Boxes[]): Float32Array {
    const maps = this.#levelsOf(features, boxes);
    const [images, , , channels] = maps[0]!.shape;
    const scales = this.#scales;
    const shapes = maps.map(({ shape }, i) => ({ height: shape[1], width: shape[2], scale: scales[i]! }));
    const values = maps.map(({ data }) => data);
    return alignHostMaps(values, { shapes, images, channels }, this.#place(boxes), this.shape);
  }

  get #scales(): number[] {
    return this.strides.map((stride) => 1 / stride);
  }

  /** The levels that are read. */
  #levelsOf<Map extends { readonly shape: readonly number[] }>(
    features: readonly Map[],
    boxes: readonly Boxes[],
  ): readonly Map[] {
    const maps = features.slice(0, this.strides.length);
    const images = maps[0]?.shape[0];
    if (maps.length === this.strides.length && images === boxes.length) return maps;
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'MultiScaleRoIAlign.forward',
      problem: 'the pyramid and the boxes do not fit',
      found: `${features.length} levels of ${images ?? 0} images, boxes of ${boxes.length} images`,
      expected: `at least ${this.strides.length} levels, and boxes for each image`,
    });
  }

  /** Which level each box is read from: an index into the strides. `[R]` */
  levels(boxes: Boxes): Int32Array {
    return Int32Array.from(boxArea(boxes), (area) => this.levelOfArea(area));
  }

  /** Which level a box of this area, in square pixels, is read from: grows with it. */
  levelOfArea(area: number): number {
    const finest = log2(this.strides[0]!);
    const coarsest = finest + this.strides.length - 1;
    // Float32 step by step: a box of side 112 sits exactly on the border of two levels.
    const octaves = fround(log2(fround(fround(sqrt(area)) / this.#canonicalSize)));
    const level = floor(fround(fround(this.#canonicalLevel + octaves) + fround(1e-6)));
    return (Number.isNaN(level) ? finest : min(max(level, finest), coarsest)) - finest;
  }

  #place(boxes: readonly Boxes[]): PlacedRoIs {
    const counts = boxes.map((ofImage) => countBoxes(ofImage, 'MultiScaleRoIAlign.forward'));
    const count = counts.reduce((sum, n) => sum + n, 0);
    const all = new Float32Array(count * 4);
    const images = new Int32Array(count);
    let at = 0;
    boxes.forEach((ofImage, image) => {
      all.set(ofImage, at * 4);
      images.fill(image, at, at + counts[image]!);
      at += counts[image]!;
    });
    return { count, boxes: all, images, levels: this.levels(all) };
  }
}
