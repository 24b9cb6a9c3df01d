import { expect, test } from 'vitest';
import { growthOf } from '../bench/growth/fit.ts';
import { asMarkdown } from '../bench/growth/table.ts';

const SIZES = [10, 100, 1000];

test('a power law gives its exponent, at every step', () => {
  const { exponent, steps } = growthOf(
    SIZES,
    SIZES.map((size) => 3 * size ** 1.5),
  );
  expect(exponent).toBeCloseTo(1.5, 10);
  expect(steps.map((step) => Number(step.toFixed(6)))).toEqual([1.5, 1.5]);
});

test('what is constant hides a square among small sizes, and the last step shows it', () => {
  const { exponent, steps } = growthOf(
    SIZES,
    SIZES.map((size) => 1e4 + size ** 2),
  );
  expect(exponent).toBeLessThan(1.1);
  expect(steps[1]).toBeGreaterThan(1.6);
});

test('the table has a line for each size and one for all', () => {
  const samples = SIZES.map((size) => ({ seconds: size, cpu: size / 10, peakBytes: 2 ** 30 }));
  const series = { title: 'Counting', against: 'sheep', sizes: SIZES, says: String };
  expect(
    asMarkdown([{ series, samples }])
      .split('\n')
      .slice(2)
      .map((line) => line.replaceAll(/ +/g, ' ')),
  ).toEqual([
    '| Counting | sheep: 10 | 1.00 s | 1024 MiB | | |',
    '| | 100 | 10.0 s | 1024 MiB | 1.00 | 0.00 |',
    '| | 1000 | 100.0 s | 1024 MiB | 1.00 | 0.00 |',
    '| | all, fitted | | | **1.00** | **0.00** |',
  ]);
});
