/** `size` float32 numbers in `[low, high)` that depend on `name` alone, as `tools/reference/conformance.py` computes them. */
export function uniform(name: string, size: number, low: number, high: number): Float32Array {
  const seed = fnv1a(name);
  return Float32Array.from(
    { length: size },
    (_, i) => low + ((high - low) * mix(seed + Math.imul(i, 0x9e3779b9))) / 2 ** 32,
  );
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
