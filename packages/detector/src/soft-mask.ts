import type { DetectionMask, ImageSize, RunLengths } from '@rcnn/core';
import { cropRuns, encodeRows, polygonsFromRuns, runsToString } from '@rcnn/masks';

export interface SoftMaskOptions {
  /** A pixel above it belongs to the object. Default 0.5. */
  readonly threshold?: number | undefined;
}

export interface SoftPartOptions extends SoftMaskOptions {
  /** A smaller part in which all pixels above the threshold lie, where there is one. Default the part itself. */
  readonly near?: (() => SoftPart) | undefined;
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
  return new SoftMask(size, () => wholePart(compute(), size), threshold);
}

/** A rectangle of an image with the probabilities in it; outside of it they are 0. */
export interface SoftPart {
  /** Of its first row and column, in pixels of the image. */
  readonly top: number;
  readonly left: number;
  /** `[height, width]` */
  readonly size: ImageSize;
  /** Row-major, `[height * width]`. */
  readonly values: Float32Array;
}

/**
 * The same from a function that computes the probabilities of a part of the image alone: an object covers little of it,
 * and every form costs what its part costs.
 */
export function softPartMask(
  size: ImageSize,
  compute: () => SoftPart,
  { threshold = 0.5, near }: SoftPartOptions = {},
): DetectionMask {
  return new SoftMask(size, compute, threshold, near);
}

class SoftMask implements DetectionMask {
  readonly size: ImageSize;
  readonly #compute: () => SoftPart;
  readonly #threshold: number;
  readonly #near: () => SoftPart;

  constructor(size: ImageSize, compute: () => SoftPart, threshold: number, near: () => SoftPart = compute) {
    this.size = size;
    this.#compute = compute;
    this.#threshold = threshold;
    this.#near = near;
  }

  soft(): Float32Array {
    const part = this.#compute();
    return isWhole(part, this.size) ? part.values : laidOver(new Float32Array(area(this.size)), this.size, part);
  }

  bitmap(): Uint8Array {
    const part = this.#part();
    const bits = above(part.values, this.#threshold);
    if (isWhole(part, this.size)) return bits;
    return laidOver(new Uint8Array(area(this.size)), this.size, { ...part, values: bits });
  }

  runLengths(): RunLengths {
    const part = this.#part();
    const runs = encodeRows(above(part.values, this.#threshold), part.size);
    return isWhole(part, this.size) ? runs : cropRuns(runs, -part.top, -part.left, this.size);
  }

  rle(): { size: [number, number]; counts: string } {
    return { size: [this.size[0], this.size[1]], counts: runsToString(this.runLengths()) };
  }

  polygons(): number[][] {
    return polygonsFromRuns(this.runLengths());
  }

  /** What the threshold is held against: the part, unless even the zeros around it are above. */
  #part(): SoftPart {
    return this.#threshold < 0 ? wholePart(this.soft(), this.size) : this.#near();
  }
}

/** All of an image as a part of it. */
export function wholePart(values: Float32Array, size: ImageSize): SoftPart {
  return { top: 0, left: 0, size, values };
}

function isWhole({ size }: SoftPart, [height, width]: ImageSize): boolean {
  return size[0] === height && size[1] === width;
}

function area([height, width]: ImageSize): number {
  return height * width;
}

function above(values: Float32Array, threshold: number): Uint8Array {
  const bits = new Uint8Array(values.length);
  for (let i = 0; i < bits.length; i++) if (values[i]! > threshold) bits[i] = 1;
  return bits;
}

/** Lays a rectangle over an image, row by row. */
function laidOver<T extends Float32Array | Uint8Array>(
  image: T,
  [, width]: ImageSize,
  { top, left, size, values }: Omit<SoftPart, 'values'> & { readonly values: T },
): T {
  for (let row = 0; row < size[0]; row++) {
    image.set(values.subarray(row * size[1], (row + 1) * size[1]), (row + top) * width + left);
  }
  return image;
}
