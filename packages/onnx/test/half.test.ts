import { expect, test } from 'vitest';
import { toHalf } from '../src/graph/half.ts';

/** The value of a half float by its definition. */
function valueOf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

const finite = Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 0x7c00) !== 0x7c00);

test('every half float comes back as itself', () => {
  const back = toHalf(Float32Array.from(finite, valueOf));
  expect(finite.findIndex((half, i) => back[i] !== half)).toBe(-1);
});

test('between two of them the nearer is taken, and in the middle the even one', () => {
  const positive = finite.filter((half) => half < 0x7bff);
  const middle = (half: number): number => (valueOf(half) + valueOf(half + 1)) / 2;
  const even = toHalf(Float32Array.from(positive, middle));
  expect(positive.findIndex((half, i) => even[i] !== half + (half & 1))).toBe(-1);
  const quarter = (half: number): number => valueOf(half) + (valueOf(half + 1) - valueOf(half)) / 4;
  const low = toHalf(Float32Array.from(positive, quarter));
  expect(positive.findIndex((half, i) => low[i] !== half)).toBe(-1);
});

test('what is too large becomes infinite, what is no number stays none', () => {
  expect([...toHalf(Float32Array.of(65519, 65520, -1e9, Number.NaN))]).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7e00]);
});
