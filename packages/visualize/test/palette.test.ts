import { expect, test } from 'vitest';
import { colorDistance, cssColor, paletteColor, readableOn } from '../src/index.ts';

test('the first 20 colours are distinct at a glance', () => {
  const colors = Array.from({ length: 20 }, (_, i) => paletteColor(i));
  for (const [i, a] of colors.entries()) {
    for (const b of colors.slice(0, i)) expect(colorDistance(a, b)).toBeGreaterThan(0.1);
  }
});

test('the list is endless, and the same whichever end is asked for first', () => {
  const late = paletteColor(1000);
  expect(paletteColor(1000)).toEqual(late);
  expect(late.every((value) => value >= 0 && value <= 255)).toBe(true);
  expect(paletteColor(-1)).toHaveLength(3);
});

test('letters are black on bright plates and white on dark ones', () => {
  expect(readableOn([255, 255, 0])).toEqual([0, 0, 0]);
  expect(readableOn([20, 20, 120])).toEqual([255, 255, 255]);
});

test('CSS spelling', () => {
  expect(cssColor([1, 2, 3])).toBe('rgb(1, 2, 3)');
  expect(cssColor([1, 2, 3], 0.5)).toBe('rgba(1, 2, 3, 0.5)');
});
