import type { Detection } from '@rcnn/core';
import { type PasteMode, pasteMask } from '@rcnn/masks';
import type { RoIs } from '@rcnn/roi-heads';
import type { ImageBatch } from './transform.ts';

export interface RestoreOptions {
  /** Probability above which a pixel belongs to the object, in the mask's hard forms. Default 0.5. */
  readonly maskThreshold?: number;
  /** How soft masks are laid over the image. Default `torchvision`. */
  readonly pasteMode?: PasteMode;
}

const { fround } = Math;

/** Brings what was found in the resized images back to the original ones, as plain objects. */
export function restoreDetections(
  found: readonly RoIs[],
  { sizes, originalSizes }: Pick<ImageBatch, 'sizes' | 'originalSizes'>,
  { maskThreshold = 0.5, pasteMode = 'torchvision' }: RestoreOptions = {},
): Detection[][] {
  return found.map(({ boxes, scores, labels, masks }, i) => {
    const original = originalSizes[i]!;
    const [height, width] = sizes[i]!;
    const down = fround(original[0] / height);
    const across = fround(original[1] / width);
    return Array.from(scores, (score, k): Detection => {
      const [x1, y1, x2, y2] = boxes.subarray(k * 4, k * 4 + 4) as unknown as [number, number, number, number];
      const box = [fround(x1 * across), fround(y1 * down), fround(x2 * across), fround(y2 * down)] as const;
      const soft = masks?.[k];
      const found = { box, label: labels[k]!, score };
      if (soft === undefined) return found;
      return { ...found, mask: pasteMask(soft, box, original, { threshold: maskThreshold, mode: pasteMode }) };
    });
  });
}
