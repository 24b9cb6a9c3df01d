/** Every `step`-th cell of `[N, H, W, C]` values and every `skip`-th channel, in the order of `[N, C, H, W]`. */
export function sampleChannelsFirst(
  values: ArrayLike<number>,
  [count, height, width, channels]: readonly [number, number, number, number],
  { step = 1, skip = 1 }: { step?: number; skip?: number } = {},
): Float32Array {
  const out: number[] = [];
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < channels; c += skip) {
      for (let y = 0; y < height; y += step) {
        for (let x = 0; x < width; x += step) out.push(values[((n * height + y) * width + x) * channels + c]!);
      }
    }
  }
  return Float32Array.from(out);
}

/** The largest difference, as a share of the largest expected value. */
export function relativeToMaximum(actual: ArrayLike<number>, expected: ArrayLike<number>, maximum?: number): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values, expected ${expected.length}`);
  let worst = 0;
  let largest = maximum ?? 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= worst)) worst = difference;
    if (maximum === undefined) largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return worst === 0 ? 0 : worst / largest;
}

/** The share of expected boxes that have an own counterpart within `tolerance` pixels on every side. */
export function shareOfBoxesFound(actual: Float32Array, expected: Float32Array, tolerance: number): number {
  const free = new Set(Array.from({ length: actual.length / 4 }, (_, i) => i));
  let found = 0;
  for (let k = 0; k < expected.length / 4; k++) {
    for (const i of free) {
      if ([0, 1, 2, 3].some((c) => Math.abs(actual[i * 4 + c]! - expected[k * 4 + c]!) > tolerance)) continue;
      free.delete(i);
      found++;
      break;
    }
  }
  return found / (expected.length / 4);
}

/** The errors that are not within a tolerance (NaN never is): a test expects none, and its failure names them. */
export function above(errors: Readonly<Record<string, number>>, tolerance: number): Record<string, number> {
  return Object.fromEntries(Object.entries(errors).filter(([, error]) => !(error <= tolerance)));
}

/** `|actual - expected| / |expected|`; 0 when both are 0. */
export function relativeError(actual: number, expected: number): number {
  return actual === expected ? 0 : Math.abs(actual - expected) / Math.abs(expected);
}
