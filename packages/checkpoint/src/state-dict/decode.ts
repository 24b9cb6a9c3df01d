import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { DType } from '../dtypes.ts';

/** The numbers of a tensor as float32; null for types that have no plain numbers. 64-bit ones are rounded. */
export function decodeFloats(bytes: Uint8Array<ArrayBuffer>, dtype: DType): Float32Array<ArrayBuffer> | null {
  const { buffer, byteOffset } = bytes;
  if (byteOffset % 8 !== 0) return decodeFloats(new Uint8Array(bytes), dtype);
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, bytes.byteLength / 4);
    case 'float64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, bytes.byteLength / 8));
    case 'float16':
      return decodeHalf(new Uint16Array(buffer, byteOffset, bytes.byteLength / 2));
    case 'bfloat16':
      return decodeBrain(new Uint16Array(buffer, byteOffset, bytes.byteLength / 2));
    case 'int64':
      return Float32Array.from(new BigInt64Array(buffer, byteOffset, bytes.byteLength / 8), Number);
    case 'int32':
      return Float32Array.from(new Int32Array(buffer, byteOffset, bytes.byteLength / 4));
    case 'int16':
      return Float32Array.from(new Int16Array(buffer, byteOffset, bytes.byteLength / 2));
    case 'int8':
      return Float32Array.from(new Int8Array(buffer, byteOffset, bytes.byteLength));
    case 'uint8':
    case 'bool':
      return Float32Array.from(bytes);
    default:
      return null;
  }
}

/** bfloat16 is the upper half of a float32. */
function decodeBrain(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
  return new Float32Array(words.buffer);
}

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction. */
function decodeHalf(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(halves, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

/** All ones in a float32 that is NaN or infinite. Whole words are looked at because that is three times as fast. */
const EXPONENT = 0x7f800000;

/** How many numbers are NaN or infinite. */
export function countNonFinite(values: Float32Array): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let count = 0;
  for (let i = 0; i < words.length; i++) if ((words[i]! & EXPONENT) === EXPONENT) count++;
  return count;
}

/** Refuses NaN and infinity, naming the first one's index in PyTorch's order. @throws NON_FINITE */
export function checkFinite(values: Float32Array, where: string, name: string): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let index = 0;
  while (index < words.length && (words[index]! & EXPONENT) !== EXPONENT) index++;
  if (index === words.length) return;
  throw new RcnnError('NON_FINITE', {
    where,
    place: `tensor ${quoteName(name)}, index ${index}`,
    problem: 'the weights are not all finite',
    found: String(values[index]),
    hint: 'Did the training that wrote it diverge? In TypeScript `allowNonFinite: true` loads it all the same.',
  });
}
