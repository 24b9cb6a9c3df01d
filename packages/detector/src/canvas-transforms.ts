import type { ImageSize, InputSpec } from '@rcnn/core';
import { AffinePlacement } from './affine-placement.ts';
import type { HostImage } from './images.ts';
import { layOut } from './lay-out.ts';
import { type NormalizationOptions, normalizationOf, unusable } from './normalization.ts';
import type { ImageBatch, ModelTransform } from './transform.ts';

export interface CanvasOptions extends NormalizationOptions {
  /** `[height, width]` of every batch, in pixels. */
  readonly size: ImageSize;
}

/**
 * Squeezes every image to one size; the ratio of its sides is not kept.
 * @see Bolya et al. 2019 (arXiv:1904.02689), which takes 550 x 550
 */
export class FixedSizeTransform implements ModelTransform {
  readonly input: InputSpec;
  readonly size: ImageSize;

  constructor(options: CanvasOptions) {
    this.size = sizeOf('FixedSizeTransform', options);
    const normalization = normalizationOf('FixedSizeTransform', options);
    this.input = { resize: { rule: 'fixed', size: this.size }, sizeDivisor: 1, ...normalization };
  }

  forward(images: readonly HostImage[]): ImageBatch {
    const placements = images.map(({ size }) => {
      return new AffinePlacement({ originalSize: size, resizedSize: this.size });
    });
    return layOut(images, placements, this.size, this.input);
  }
}

/** Scales every image until it fits inside one size, keeping the ratio of its sides, and centers it there. */
export class LetterboxTransform implements ModelTransform {
  readonly input: InputSpec;
  readonly size: ImageSize;

  constructor(options: CanvasOptions) {
    this.size = sizeOf('LetterboxTransform', options);
    const normalization = normalizationOf('LetterboxTransform', options);
    this.input = { resize: { rule: 'letterbox', size: this.size }, sizeDivisor: 1, ...normalization };
  }

  forward(images: readonly HostImage[]): ImageBatch {
    const placements = images.map(({ size }) => this.#place(size));
    return layOut(images, placements, this.size, this.input);
  }

  #place(originalSize: ImageSize): AffinePlacement {
    const [height, width] = this.size;
    const scale = Math.min(height / originalSize[0], width / originalSize[1]);
    const side = (from: number, limit: number): number => Math.min(limit, Math.max(1, Math.round(from * scale)));
    const resizedSize: ImageSize = [side(originalSize[0], height), side(originalSize[1], width)];
    const offset = [Math.floor((height - resizedSize[0]) / 2), Math.floor((width - resizedSize[1]) / 2)] as const;
    return new AffinePlacement({ originalSize, resizedSize, offset, size: this.size });
  }
}

function sizeOf(where: string, { size }: CanvasOptions): ImageSize {
  if (size.every((side) => Number.isInteger(side) && side >= 1)) return size;
  throw unusable(where, 'size', size);
}
