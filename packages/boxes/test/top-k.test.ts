import { Random } from '@rcnn/core';
import { expect, test } from 'vitest';
import { topK } from '../src/index.ts';

function bySorting(scores: ArrayLike<number>, k: number): number[] {
  const value = (i: number): number => scores[i]!;
  const order = Array.from(scores, (_, i) => i);
  return order.sort((a, b) => (value(a) === value(b) ? a - b : value(b) - value(a))).slice(0, k);
}

test('best first, equal scores in input order', () => {
  expect([...topK([1, 3, 2, 3, -5], 3)]).toEqual([1, 3, 2]);
  expect([...topK([2, 2, 2, 2], 2)]).toEqual([0, 1]);
});

test('agrees with a stable sort', () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed);
    const scores = Float32Array.from({ length: 1 + random.integer(3000) }, () =>
      seed % 2 === 0 ? random.normal(0, 100) : random.integer(40) - 20,
    );
    for (const k of [1, 7, 500]) expect([...topK(scores, k)]).toEqual(bySorting(scores, k));
  }
});

test('fewer than asked for, none asked for, none there', () => {
  expect([...topK([5, 6], 10)]).toEqual([1, 0]);
  expect(topK([5, 6], 0)).toHaveLength(0);
  expect(topK([], 3)).toHaveLength(0);
});

test('zeros of both signs are equal, infinities are ends, NaN is last', () => {
  const scores = [Number.NaN, -0, 0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN];
  expect([...topK(scores, 6)]).toEqual([4, 1, 2, 3, 0, 5]);
  expect([...topK(scores, 3)]).toEqual([4, 1, 2]);
});
