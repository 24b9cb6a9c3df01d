import type { DetectionMask, ImageSize, RunLengths } from '@rcnn/core';
import { encodeRows, polygonsFromRuns, runsToString } from '@rcnn/masks';

export interface SoftMaskOptions {
  /** A pixel above it belongs to the object. Default 0.5. */
  readonly threshold?: number | undefined;
}

/**
 * The mask of a detection from a function that computes its probabilities, which is called when a form is asked for.
 * @param compute gives `[height * width]`, row-major
 */
export function softMask(
  size: ImageSize,
  compute: () => Float32Array,
  { threshold = 0.5 }: SoftMaskOptions = {},
): DetectionMask {
  return new SoftMask(size, compute, threshold);
}

class SoftMask implements DetectionMask {
  readonly size: ImageSize;
  readonly soft: () => Float32Array;
  readonly #threshold: number;

  constructor(size: ImageSize, compute: () => Float32Array, threshold: number) {
    this.size = size;
    this.soft = compute;
    this.#threshold = threshold;
  }

  bitmap(): Uint8Array {
    return Uint8Array.from(this.soft(), (value) => (value > this.#threshold ? 1 : 0));
  }

  runLengths(): RunLengths {
    return encodeRows(this.bitmap(), this.size);
  }

  rle(): { size: [number, number]; counts: string } {
    return { size: [this.size[0], this.size[1]], counts: runsToString(this.runLengths()) };
  }

  polygons(): number[][] {
    return polygonsFromRuns(this.runLengths());
  }
}
