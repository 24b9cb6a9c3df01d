import { type ImageSize, type InputSpec, type PerChannel, type Phase, type Random, RcnnError } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { HostImage } from './images.ts';
import { type ResizeAxis, resizeAxis } from './resize.ts';

export interface ImageTransformOptions {
  /** Pixels of the short side. A list is drawn from while training; prediction takes its last. Default 800. */
  readonly minSize?: number | readonly number[];
  /** The long side is at most this. Default 1333. */
  readonly maxSize?: number;
  /** Per channel, for images in [0, 1]. Default ImageNet's (0.485, 0.456, 0.406). */
  readonly mean?: PerChannel;
  /** Default ImageNet's (0.229, 0.224, 0.225). */
  readonly std?: PerChannel;
  /** Both sides of the batch are padded to a multiple of this. Default 32, the coarsest stride of ResNet. */
  readonly sizeDivisor?: number;
  /** False when augmentation has fixed the size of training images already. Prediction resizes always. Default true. */
  readonly resizeInTraining?: boolean;
}

/** Images as the backbone sees them. Whoever made the batch disposes `images`. */
export interface ImageBatch {
  /** `[N, H, W, 3]`: normalised, resized, padded right and bottom with zeros. */
  readonly images: tf.Tensor4D;
  /** Per image: its size after resizing, without the padding. */
  readonly sizes: readonly ImageSize[];
  /** Per image: its size at the door. */
  readonly originalSizes: readonly ImageSize[];
  /** `[H, W]` of `images`. */
  readonly paddedSize: ImageSize;
}

/** Brings images to the backbone and boxes back from it. Anything of this shape can be injected. */
export interface ModelTransform {
  /** What it does, for whoever keeps or shows it. */
  readonly input: InputSpec;
  forward(images: readonly HostImage[], options?: { phase?: Phase; random?: Random }): ImageBatch;
}

/**
 * torchvision's `GeneralizedRCNNTransform`: normalise, resize, pad. Works on the host and writes each pixel once,
 * straight into the batch.
 *
 * Differs from the reference in one case: a side that would round down to 0 pixels (1x10000) becomes 1.
 */
export class ImageTransform implements ModelTransform {
  readonly minSizes: readonly number[];
  readonly maxSize: number;
  readonly mean: PerChannel;
  readonly std: PerChannel;
  readonly sizeDivisor: number;
  readonly resizeInTraining: boolean;
  readonly input: InputSpec;

  constructor({
    minSize = 800,
    maxSize = 1333,
    mean = [0.485, 0.456, 0.406],
    std = [0.229, 0.224, 0.225],
    sizeDivisor = 32,
    resizeInTraining = true,
  }: ImageTransformOptions = {}) {
    this.minSizes = typeof minSize === 'number' ? [minSize] : [...minSize];
    this.maxSize = maxSize;
    this.mean = mean;
    this.std = std;
    this.sizeDivisor = sizeDivisor;
    this.resizeInTraining = resizeInTraining;
    checkOptions(this);
    const trainingSizes = this.minSizes.length > 1 ? this.minSizes : undefined;
    const resize = { rule: 'torchvision', minSize: this.minSizes.at(-1)!, maxSize, trainingSizes } as const;
    this.input = { resize, sizeDivisor, channelOrder: 'rgb', mean, std };
  }

  forward(
    images: readonly HostImage[],
    { phase = 'predict', random }: { phase?: Phase; random?: Random } = {},
  ): ImageBatch {
    const originalSizes = images.map(({ size }) => size);
    const keep = phase === 'train' && !this.resizeInTraining;
    const sizes = originalSizes.map((size) => (keep ? size : this.resizedSize(size, this.#minSize(phase, random))));
    const paddedSize: ImageSize = [
      roundUp(Math.max(...sizes.map(([height]) => height)), this.sizeDivisor),
      roundUp(Math.max(...sizes.map(([, width]) => width)), this.sizeDivisor),
    ];
    const [height, width] = paddedSize;
    const pixels = new Float32Array(images.length * height * width * 3); // zeros: the padding
    for (const [i, image] of images.entries()) {
      this.#write(image, sizes[i]!, pixels.subarray(i * height * width * 3, (i + 1) * height * width * 3), width);
    }
    return { images: tf.tensor4d(pixels, [images.length, height, width, 3]), sizes, originalSizes, paddedSize };
  }

  /** `[height, width]` after resizing: `floor(side * s)`, `s = min(minSize / short, maxSize / long)` in doubles. */
  resizedSize([height, width]: ImageSize, minSize: number = this.minSizes.at(-1)!): ImageSize {
    const scale = Math.min(minSize / Math.min(height, width), this.maxSize / Math.max(height, width));
    return [Math.max(1, Math.floor(height * scale)), Math.max(1, Math.floor(width * scale))];
  }

  #minSize(phase: Phase, random: Random | undefined): number {
    if (phase === 'predict' || this.minSizes.length === 1) return this.minSizes.at(-1)!;
    if (random !== undefined) return random.pick(this.minSizes);
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'ImageTransform.forward',
      place: 'random',
      problem: 'a list of sizes to draw from, and nothing to draw with',
      hint: 'Pass a Random when training with several minSize values.',
    });
  }

  /** Normalises and resizes one image (bilinear, half-pixel centres, no antialias) into the rows of the batch. */
  #write(image: HostImage, [height, width]: ImageSize, out: Float32Array, outWidth: number): void {
    const { data, scale } = image;
    const [oldHeight, oldWidth] = image.size;
    const rows = resizeAxis(oldHeight, height);
    const columns = resizeAxis(oldWidth, width);
    // Normalising is affine and the resize weights sum to 1, so it may as well come last: one pass, no copy.
    const gain = this.std.map((s) => scale / s);
    const shift = this.mean.map((m, c) => -m / this.std[c]!);
    for (let y = 0; y < height; y++) {
      const upper = rows.low[y]! * oldWidth * 3;
      const lower = rows.high[y]! * oldWidth * 3;
      blendRow(data, upper, lower, rows.weight[y]!, columns, gain, shift, out, y * outWidth * 3);
    }
  }
}

function blendRow(
  data: ArrayLike<number>,
  upper: number,
  lower: number,
  down: number,
  columns: ResizeAxis,
  gain: readonly number[],
  shift: readonly number[],
  out: Float32Array,
  at: number,
): void {
  const { low, high, weight } = columns;
  for (let x = 0; x < low.length; x++) {
    const left = low[x]! * 3;
    const right = high[x]! * 3;
    const across = weight[x]!;
    for (let c = 0; c < 3; c++) {
      const top = (1 - across) * data[upper + left + c]! + across * data[upper + right + c]!;
      const bottom = (1 - across) * data[lower + left + c]! + across * data[lower + right + c]!;
      out[at + x * 3 + c] = ((1 - down) * top + down * bottom) * gain[c]! + shift[c]!;
    }
  }
}

function checkOptions({ minSizes, maxSize, mean, std, sizeDivisor }: ImageTransform): void {
  const positive = (n: number): boolean => Number.isFinite(n) && n >= 1;
  const wrong =
    minSizes.length === 0 || !minSizes.every(positive)
      ? 'minSize'
      : !positive(maxSize)
        ? 'maxSize'
        : !(Number.isInteger(sizeDivisor) && sizeDivisor >= 1)
          ? 'sizeDivisor'
          : !std.every((s) => Number.isFinite(s) && s > 0)
            ? 'std'
            : !mean.every(Number.isFinite)
              ? 'mean'
              : undefined;
  if (wrong === undefined) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'ImageTransform',
    place: wrong,
    problem: 'not usable',
    found: JSON.stringify({ minSize: minSizes, maxSize, mean, std, sizeDivisor }),
  });
}

function roundUp(value: number, divisor: number): number {
  return Math.ceil(value / divisor) * divisor;
}
