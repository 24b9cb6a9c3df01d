import type { Priors } from './priors.ts';

const { exp, fround, log } = Math;

/** How far a delta of 1 moves a center (in sides of the prior), and how much it changes the logarithm of a side. */
const VARIANCES = [0.1, 0.2] as const;

/**
 * The deltas that lead from each prior to the box at the same place: `[R * 4]`.
 * @param boxes `[R * 4]`, `x1, y1, x2, y2` as shares of the image
 * @see Liu et al. 2016, equation 2 (arXiv:1512.02325), with the variances of its code
 */
export function encodeBoxes(boxes: Float32Array, priors: Priors): Float32Array {
  const deltas = new Float32Array(boxes.length);
  for (let p = 0; p < boxes.length; p += 4) {
    for (const c of [0, 1]) {
      const center = fround(fround(boxes[p + c]! + boxes[p + c + 2]!) / 2);
      const side = fround(boxes[p + c + 2]! - boxes[p + c]!);
      deltas[p + c] = fround(center - priors[p + c]!) / fround(VARIANCES[0] * priors[p + c + 2]!);
      deltas[p + c + 2] = fround(log(fround(side / priors[p + c + 2]!))) / VARIANCES[1];
    }
  }
  return deltas;
}

/**
 * The boxes that deltas lead to from priors: `[R * 4]`. Nothing is clipped.
 * @param rows which deltas and priors; default all
 */
export function decodeBoxes(
  deltas: Float32Array,
  priors: Priors,
  rows: Int32Array = Int32Array.from({ length: deltas.length / 4 }, (_, row) => row),
): Float32Array {
  const boxes = new Float32Array(rows.length * 4);
  for (const [i, row] of rows.entries()) {
    for (const c of [0, 1]) {
      const p = row * 4 + c;
      const center = fround(priors[p]! + fround(fround(deltas[p]! * VARIANCES[0]) * priors[p + 2]!));
      const side = fround(priors[p + 2]! * fround(exp(fround(deltas[p + 2]! * VARIANCES[1]))));
      const low = fround(center - fround(side / 2));
      boxes[i * 4 + c] = low;
      boxes[i * 4 + c + 2] = side + low;
    }
  }
  return boxes;
}
