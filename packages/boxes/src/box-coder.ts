import { RcnnError } from '@rcnn/core';
import { type Boxes, countBoxes } from './geometry.ts';

const { exp, fround, log, min } = Math;

/** Four factors for `dx, dy, dw, dh`. */
export type BoxCoderWeights = readonly [dx: number, dy: number, dw: number, dh: number];

export interface BoxCoderOptions {
  /** Default `[1, 1, 1, 1]`, the RPN's; the box head's are `[10, 10, 5, 5]`. */
  readonly weights?: BoxCoderWeights;
  /** `dw` and `dh` are cut to this from above before `exp`. Default `ln(1000 / 16)`. */
  readonly maxLogScale?: number;
}

/** Boxes as deltas from other boxes, and back. {@link BoxCoder} is one. */
export interface BoxCoding {
  /** The deltas `[R * 4]` that lead from each box of `boxes` to the one of `gtBoxes` at the same place. */
  encode(gtBoxes: Boxes, boxes: Boxes): Float32Array;
  /** Decodes the four deltas at `d` against the box at `p` into the four numbers at `q`. */
  decodeOne(deltas: ArrayLike<number>, d: number, boxes: Boxes, p: number, into: Boxes, q: number): void;
}

/**
 * Boxes as offsets from other boxes: `dx = (xg - xa) / wa`, `dw = ln(wg / wa)`, of centres and sides, each times its
 * weight. Every step is float32.
 * @see Girshick et al. 2014, appendix C (arXiv:1311.2524)
 */
export class BoxCoder implements BoxCoding {
  readonly weights: BoxCoderWeights;
  readonly maxLogScale: number;

  constructor({ weights = [1, 1, 1, 1], maxLogScale = log(1000 / 16) }: BoxCoderOptions = {}) {
    this.weights = weights;
    this.maxLogScale = maxLogScale;
  }

  /**
   * The deltas `[R * 4]` that lead from each box of `boxes` to the one of `gtBoxes` at the same place.
   * A side of 0 gives infinities or NaN: reject such boxes earlier. @throws SHAPE_MISMATCH
   */
  encode(gtBoxes: Boxes, boxes: Boxes): Float32Array {
    if (countBoxes(gtBoxes, 'BoxCoder.encode') !== countBoxes(boxes, 'BoxCoder.encode')) {
      throw mismatch('BoxCoder.encode', 'one gt box per box is needed', gtBoxes.length / 4, boxes.length / 4);
    }
    const [wx, wy, ww, wh] = this.weights;
    const deltas = new Float32Array(boxes.length);
    for (let p = 0; p < boxes.length; p += 4) {
      const width = fround(boxes[p + 2]! - boxes[p]!);
      const height = fround(boxes[p + 3]! - boxes[p + 1]!);
      const gtWidth = fround(gtBoxes[p + 2]! - gtBoxes[p]!);
      const gtHeight = fround(gtBoxes[p + 3]! - gtBoxes[p + 1]!);
      const dx = fround(centre(gtBoxes[p]!, gtWidth) - centre(boxes[p]!, width));
      const dy = fround(centre(gtBoxes[p + 1]!, gtHeight) - centre(boxes[p + 1]!, height));
      deltas[p] = fround(wx * dx) / width;
      deltas[p + 1] = fround(wy * dy) / height;
      deltas[p + 2] = ww * fround(log(fround(gtWidth / width)));
      deltas[p + 3] = wh * fround(log(fround(gtHeight / height)));
    }
    return deltas;
  }

  /**
   * The boxes that `deltas` lead to. With K sets of deltas per box (`[R * K * 4]`, class-major) the result is
   * `[R * K * 4]` too. @throws SHAPE_MISMATCH
   */
  decode(deltas: Float32Array, boxes: Boxes): Boxes {
    const count = countBoxes(boxes, 'BoxCoder.decode');
    const perBox = count === 0 ? 0 : deltas.length / boxes.length;
    if (!Number.isInteger(perBox) || (count === 0 && deltas.length > 0)) {
      throw mismatch('BoxCoder.decode', 'every box needs the same number of deltas', deltas.length / 4, count);
    }
    const decoded = new Float32Array(deltas.length);
    for (let i = 0, d = 0; i < count; i++) {
      for (let k = 0; k < perBox; k++, d += 4) this.decodeOne(deltas, d, boxes, i * 4, decoded, d);
    }
    return decoded;
  }

  /** Decodes the four deltas at `d` against the box at `p` into the four numbers at `q`, without allocating. */
  decodeOne(deltas: ArrayLike<number>, d: number, boxes: Boxes, p: number, into: Boxes, q: number): void {
    const [wx, wy, ww, wh] = this.weights;
    const width = fround(boxes[p + 2]! - boxes[p]!);
    const height = fround(boxes[p + 3]! - boxes[p + 1]!);
    const x = fround(fround(fround(deltas[d]! / wx) * width) + centre(boxes[p]!, width));
    const y = fround(fround(fround(deltas[d + 1]! / wy) * height) + centre(boxes[p + 1]!, height));
    const limit = this.maxLogScale; // from above only: a tiny box is a legal answer
    const halfWidth = fround(0.5 * fround(fround(exp(min(fround(deltas[d + 2]! / ww), limit))) * width));
    const halfHeight = fround(0.5 * fround(fround(exp(min(fround(deltas[d + 3]! / wh), limit))) * height));
    into[q] = x - halfWidth;
    into[q + 1] = y - halfHeight;
    into[q + 2] = x + halfWidth;
    into[q + 3] = y + halfHeight;
  }
}

function centre(low: number, side: number): number {
  return fround(low + fround(0.5 * side));
}

function mismatch(where: string, problem: string, found: number, boxes: number): RcnnError {
  return new RcnnError('SHAPE_MISMATCH', { where, problem, found: `${found} for ${boxes} boxes` });
}
