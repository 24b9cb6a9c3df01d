/** Which sources make up each target along one axis, and how much each counts. */
export interface AxisWeights {
  /** First source of each target, and how many. */
  readonly first: Int32Array;
  readonly taps: Int32Array;
  /** `taps` weights per target, `stride` apart. They sum to one. */
  readonly stride: number;
  readonly values: Float64Array;
}

/**
 * The weights that make `after` values of `before` along one axis: bilinear with half-pixel centers, and the mean of what
 * is covered when it shrinks. Pillow's `precompute_coeffs` with its triangle filter, to the bit.
 * @param antialias whether the filter widens when it shrinks; else it always looks at two neighbors. Default true
 */
export function triangleWeights(before: number, after: number, antialias = true): AxisWeights {
  const scale = before / after;
  const widen = antialias ? Math.max(1, scale) : 1;
  const stride = Math.ceil(widen) * 2 + 1;
  const first = new Int32Array(after);
  const taps = new Int32Array(after);
  const values = new Float64Array(after * stride);
  for (let i = 0; i < after; i++) {
    const center = (i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(center - widen + 0.5));
    const count = Math.min(before, Math.trunc(center + widen + 0.5)) - from;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const weight = Math.max(0, 1 - Math.abs((k + from - center + 0.5) * (1 / widen)));
      values[i * stride + k] = weight;
      sum += weight;
    }
    for (let k = 0; k < count; k++) if (sum !== 0) values[i * stride + k]! /= sum;
    first[i] = from;
    taps[i] = count;
  }
  return { first, taps, stride, values };
}
