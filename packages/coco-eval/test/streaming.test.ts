import { Random } from '@rcnn/core/random';
import { describe, expect, test } from 'vitest';
import { evaluate, StreamingEvaluator } from '../src/index.ts';
import { digests } from './helpers.ts';
import { randomDataset } from './reference-cases.ts';

describe('image by image', () => {
  test('in any order, the arrays are those of the whole, to the last bit', () => {
    for (let seed = 0; seed < 150; seed++) {
      const { kind, truth, results, useCategories } = randomDataset(seed);
      const options = { iouType: kind, useCategories };
      const stream = new StreamingEvaluator(truth, options);
      const ids = new Random(seed).shuffle(truth.images.map(({ id }) => id));
      for (const id of ids) {
        const own = results.filter(({ image_id }) => image_id === id);
        if (own.length > 0 || seed % 2 === 0) stream.add(id, own);
      }
      const evaluation = stream.finish();
      const expected = evaluate(truth, results, options);
      expect(digests(evaluation)).toEqual(digests(expected));
      expect(evaluation.summary).toBe(expected.summary);
    }
  });

  test('part of the images and categories, as the whole does it', () => {
    for (let seed = 0; seed < 60; seed++) {
      const { kind, truth, results } = randomDataset(seed);
      const imageIds = truth.images.filter((_, i) => i % 2 === 0).map(({ id }) => id);
      const categoryIds = truth.categories!.filter((_, i) => i % 2 === 0).map(({ id }) => id);
      const options = { iouType: kind, imageIds, categoryIds };
      const stream = new StreamingEvaluator(truth, options);
      for (const { id } of truth.images)
        stream.add(
          id,
          results.filter(({ image_id }) => image_id === id),
        );
      expect(digests(stream.finish())).toEqual(digests(evaluate(truth, results, options)));
    }
  });

  const truth = {
    images: [{ id: 5 }, { id: 6 }],
    categories: [{ id: 1 }],
    annotations: [
      { id: 1, image_id: 5, category_id: 1, bbox: [0, 0, 10, 10], area: 100 },
      { id: 2, image_id: 6, category_id: 1, bbox: [0, 0, 10, 10], area: 100 },
    ],
  };
  const found = { category_id: 1, bbox: [0, 0, 10, 10], score: 1 };

  test('images that never came count as missed, unless left out', () => {
    const one = (onlyAdded: boolean): number => {
      const stream = new StreamingEvaluator(truth);
      stream.add(5, [found]);
      return stream.finish({ onlyAdded }).stats[8]!;
    };
    expect([one(false), one(true)]).toEqual([0.5, 1]);
  });

  test.each([
    ['an unknown image', 'UNKNOWN_ID', (s: StreamingEvaluator) => s.add(7, [])],
    ['an image twice', 'INVALID_ARGUMENT', (s: StreamingEvaluator) => (s.add(5, []), s.add(5, []))],
    ['a NaN score', 'DETECTION_INVALID', (s: StreamingEvaluator) => s.add(5, [found, { ...found, score: Number.NaN }])],
  ])('%s is refused', (_, code, body) => {
    expect(() => body(new StreamingEvaluator(truth))).toThrow(expect.objectContaining({ code }));
  });
});
