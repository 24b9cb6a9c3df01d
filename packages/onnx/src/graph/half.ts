const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/**
 * Float32 as IEEE 754 half floats, to the nearest, ties to even. What is too large for one becomes infinite: weights
 * of that size are refused by whoever calls.
 */
export function toHalf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, halfOf);
}

function halfOf(value: number): number {
  word[0] = value;
  const all = bits[0]!;
  const sign = (all >>> 16) & 0x8000;
  const magnitude = all & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to more than 65504
  if (magnitude < 0x38800000) return sign | subnormal(Math.abs(value));
  const kept = (magnitude - 0x38000000) >>> 13; // another bias of the exponent, 13 bits less of the fraction
  const rest = magnitude & 0x1fff;
  const up = rest > 0x1000 || (rest === 0x1000 && (kept & 1) === 1);
  return sign | (kept + (up ? 1 : 0));
}

/** Below 2^-14 halves are whole multiples of 2^-24. */
function subnormal(value: number): number {
  const steps = value * 2 ** 24;
  const low = Math.floor(steps);
  const rest = steps - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}
