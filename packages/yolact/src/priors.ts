import type { ImageSize } from '@rcnn/core';

export interface PriorOptions {
  /** For each level, finest first: sides of its priors in pixels of an image of `imageSize`. */
  readonly scales: readonly (readonly number[])[];
  /** Height over width. Default 1, 1/2, 2, in this order. */
  readonly ratios?: readonly number[] | undefined;
  /** The side of the image that scales are meant for, in pixels. */
  readonly imageSize: number;
  /**
   * Whether all priors are squares as wide as the ratio says: an oversight in the published models, whose weights
   * expect it. Default true.
   */
  readonly square?: boolean | undefined;
}

/** Boxes that predictions start from: `[P * 4]`, center x, center y, width, height, as shares of the image. */
export type Priors = Float32Array;

/** As in the paper, section 3.2, and in this order in the published models. */
export const RATIOS: readonly number[] = [1, 1 / 2, 2];

/**
 * The priors of all cells, in the order level, row, column, scale, ratio.
 * @param grids rows and columns of each level, finest first
 * @see Bolya et al. 2019, section 4 (arXiv:1904.02689)
 */
export function makePriors(grids: readonly ImageSize[], options: PriorOptions): Priors {
  const { scales, ratios = RATIOS, imageSize, square = true } = options;
  const priors: number[] = [];
  for (const [level, [rows, columns]] of grids.entries()) {
    const sides = scales[level]!.flatMap((scale) => ratios.map((ratio) => sidesOf(scale, ratio, imageSize, square)));
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (const [width, height] of sides) priors.push((column + 0.5) / columns, (row + 0.5) / rows, width, height);
      }
    }
  }
  return Float32Array.from(priors);
}

function sidesOf(scale: number, ratio: number, imageSize: number, square: boolean): readonly [number, number] {
  const width = (scale * Math.sqrt(ratio)) / imageSize;
  return [width, square ? width : scale / Math.sqrt(ratio) / imageSize];
}

const { fround } = Math;

/** The priors as boxes: `[P * 4]`, `x1, y1, x2, y2` as shares of the image. */
export function priorBoxes(priors: Priors): Float32Array {
  const boxes = new Float32Array(priors.length);
  for (let p = 0; p < priors.length; p += 4) {
    for (const c of [0, 1]) {
      const half = fround(priors[p + c + 2]! / 2);
      boxes[p + c] = priors[p + c]! - half;
      boxes[p + c + 2] = priors[p + c]! + half;
    }
  }
  return boxes;
}
