import { type ImageSize, type InputSpec, type Phase, type Random, RcnnError } from '@rcnn/core';
import { AffinePlacement } from './affine-placement.ts';
import type { HostImage } from './images.ts';
import { layOut } from './lay-out.ts';
import { type NormalizationOptions, normalizationOf, unusable } from './normalization.ts';
import type { ImageBatch, ModelTransform, TransformOptions } from './transform.ts';

export interface ImageTransformOptions extends NormalizationOptions {
  /** Pixels of the short side. A list is drawn from while training; prediction takes its last. Default 800. */
  readonly minSize?: number | readonly number[] | undefined;
  /** The same while training, where augmentation shows objects larger than they are met. Default `minSize`. */
  readonly trainMinSize?: number | readonly number[] | undefined;
  /** The long side is at most this. Default 1333. */
  readonly maxSize?: number | undefined;
  /** Both sides of the batch are padded to a multiple of this. Default 32, the coarsest stride of ResNet. */
  readonly sizeDivisor?: number | undefined;
  /** False when augmentation has fixed the size of training images already. Prediction resizes always. Default true. */
  readonly resizeInTraining?: boolean | undefined;
}

/**
 * torchvision's `GeneralizedRCNNTransform`: normalize, resize, pad right and bottom.
 *
 * Differs from the reference in one case: a side that would round down to 0 pixels (1x10000) becomes 1.
 */
export class ImageTransform implements ModelTransform {
  readonly minSizes: readonly number[];
  /** What training draws from. */
  readonly trainingSizes: readonly number[];
  readonly maxSize: number;
  readonly resizeInTraining: boolean;
  readonly input: InputSpec;

  constructor(options: ImageTransformOptions = {}) {
    const { minSize = 800, maxSize = 1333, sizeDivisor = 32, resizeInTraining = true } = options;
    const { trainMinSize = minSize } = options;
    this.minSizes = sidesOf('minSize', minSize);
    this.trainingSizes = sidesOf('trainMinSize', trainMinSize);
    this.maxSize = maxSize;
    this.resizeInTraining = resizeInTraining;
    if (!isSide(maxSize)) throw unusable('ImageTransform', 'maxSize', maxSize);
    if (!(Number.isInteger(sizeDivisor) && isSide(sizeDivisor)))
      throw unusable('ImageTransform', 'sizeDivisor', sizeDivisor);
    const own = this.minSizes.at(-1)!;
    const trainingSizes = this.trainingSizes.every((side) => side === own) ? undefined : this.trainingSizes;
    const resize = { rule: 'torchvision', minSize: own, maxSize, trainingSizes } as const;
    this.input = { resize, sizeDivisor, ...normalizationOf('ImageTransform', options) };
  }

  forward(images: readonly HostImage[], { phase = 'predict', random }: TransformOptions = {}): ImageBatch {
    const keep = phase === 'train' && !this.resizeInTraining;
    const placements = images.map(({ size: originalSize }) => {
      const resizedSize = keep ? originalSize : this.resizedSize(originalSize, this.#minSize(phase, random));
      return new AffinePlacement({ originalSize, resizedSize });
    });
    const padded = (side: 0 | 1): number => {
      const longest = Math.max(...placements.map(({ size }) => size[side]));
      return Math.ceil(longest / this.input.sizeDivisor) * this.input.sizeDivisor;
    };
    return layOut(images, placements, [padded(0), padded(1)], this.input);
  }

  /** `[height, width]` after resizing: `floor(side * s)`, `s = min(minSize / short, maxSize / long)` in doubles. */
  resizedSize([height, width]: ImageSize, minSize: number = this.minSizes.at(-1)!): ImageSize {
    const scale = Math.min(minSize / Math.min(height, width), this.maxSize / Math.max(height, width));
    return [Math.max(1, Math.floor(height * scale)), Math.max(1, Math.floor(width * scale))];
  }

  #minSize(phase: Phase, random: Random | undefined): number {
    if (phase === 'predict') return this.minSizes.at(-1)!;
    if (this.trainingSizes.length === 1) return this.trainingSizes[0]!;
    if (random !== undefined) return random.pick(this.trainingSizes);
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'ImageTransform.forward',
      place: 'random',
      problem: 'a list of sizes to draw from, and nothing to draw with',
      hint: 'Pass a Random when training with several minSize values.',
    });
  }
}

function sidesOf(name: string, given: number | readonly number[]): readonly number[] {
  const sides = typeof given === 'number' ? [given] : [...given];
  if (sides.length > 0 && sides.every(isSide)) return sides;
  throw unusable('ImageTransform', name, given);
}

function isSide(value: number): boolean {
  return Number.isFinite(value) && value >= 1;
}
