import { describe, expect, test } from 'vitest';
import { evaluate } from '../src/index.ts';
import { resolveParams } from '../src/params.ts';
import { digests } from './helpers.ts';
import { randomDataset } from './reference-cases.ts';

describe('thresholds have numpy’s bits', () => {
  const { iouThresholds, recallThresholds } = resolveParams('bbox');

  test('IoU', () => {
    expect(iouThresholds).toEqual([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95]);
  });

  test('recall: i * 0.01, not i / 100', () => {
    expect(recallThresholds).toEqual(Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01)));
    expect(recallThresholds[29]).toBe(0.29);
    expect(recallThresholds[35]).toBe(0.35000000000000003);
  });
});

test('more than 32 thresholds give what each gives alone', () => {
  for (const seed of [3, 11, 27]) {
    const { kind, truth, results } = randomDataset(seed);
    const iouThresholds = Array.from({ length: 40 }, (_, i) => 0.02 * (i + 1));
    const together = evaluate(truth, results, { iouType: kind, iouThresholds });
    const size = together.precision.length / 40;
    iouThresholds.forEach((threshold, t) => {
      const alone = evaluate(truth, results, { iouType: kind, iouThresholds: [threshold] });
      expect(together.precision.slice(t * size, (t + 1) * size)).toEqual(alone.precision);
    });
  }
});

test('a threshold of 0 lets pairs without overlap match', () => {
  const truth = {
    images: [{ id: 1, height: 9, width: 9 }],
    categories: [{ id: 1 }],
    annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 2, 2], area: 4 }],
  };
  const results = [{ image_id: 1, category_id: 1, bbox: [5, 5, 2, 2], score: 1 }];
  expect(evaluate(truth, results, { iouThresholds: [0] }).stats[0]).toBeCloseTo(1, 12);
  expect(evaluate(truth, results, { iouThresholds: [0.01] }).stats[0]).toBe(0);
});

test('a category that the truth does not have stays undefined on the axis', () => {
  const { kind, truth, results } = randomDataset(4);
  const known = truth.categories!.map(({ id }) => id);
  const { shape, precision } = evaluate(truth, results, { iouType: kind, categoryIds: [...known, 999, 999] });
  expect(shape[2]).toBe(known.length + 1);
  expect(precision.filter((_, i) => Math.floor(i / (shape[3] * shape[4])) % shape[2] === known.length)).toEqual(
    new Float64Array(10 * 101 * shape[3] * shape[4]).fill(-1),
  );
  expect(digests(evaluate(truth, results, { iouType: kind, categoryIds: known }))).toEqual(
    digests(evaluate(truth, results, { iouType: kind })),
  );
});

test.each([
  ['an unknown kind', { iouType: 'boxes' as 'bbox' }],
  ['no thresholds', { iouThresholds: [] }],
  ['a NaN threshold', { iouThresholds: [Number.NaN] }],
  ['no areas', { areaRanges: [] }],
])('%s is refused', (_, options) => {
  const { truth, results } = randomDataset(1);
  expect(() => evaluate(truth, results, options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
