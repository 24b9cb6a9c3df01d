/**
 * Asserts that two arrays of numbers have the same bits, and names the first difference. For arrays of any size: deep
 * equality of a test runner takes minutes for millions of numbers, and prints them all. 0 and -0 differ; any NaN
 * equals any other, because engines fill in the bits that carry no value as they like.
 */
export function expectSameBits(actual: ArrayBufferView, expected: ArrayBufferView, what = 'expectSameBits'): void {
  if (actual.constructor !== expected.constructor) {
    throw new Error(`${what}: a ${actual.constructor.name}, expected a ${expected.constructor.name}`);
  }
  const a = bytesOf(actual);
  const e = bytesOf(expected);
  const width = (actual as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  if (a.length !== e.length) {
    throw new Error(`${what}: ${a.length / width} values, expected ${e.length / width}`);
  }
  for (let at = 0; at < e.length; at++) {
    if (a[at] === e[at]) continue;
    const index = Math.floor(at / width);
    const [x, y] = [actual, expected].map((array) => (array as unknown as ArrayLike<unknown>)[index]);
    if (Number.isNaN(x) && Number.isNaN(y)) continue;
    throw new Error(
      `${what}: index ${index} of ${e.length / width} is ${String(x)}, expected ${String(y)}; the first difference`,
    );
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
