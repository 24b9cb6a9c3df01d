import { expect, test } from 'vitest';
import { Memo } from '../src/pth/pickle/memo.ts';

test('values in a row, out of order, twice and under odd numbers', () => {
  const memo = new Memo();
  expect([memo.size, memo.get(0), memo.get(-1)]).toEqual([0, undefined, undefined]);
  for (const [index, value] of [[0, 'a'], [2, 'c'], [4_294_967_295, 'far'], [-1, 'below'], [1, 'b']] as const) // biome-ignore format: pairs
    memo.set(index, value);
  expect(memo.size).toBe(5);
  expect([0, 1, 2, 3, 4_294_967_295, -1].map((index) => memo.get(index))).toEqual(['a', 'b', 'c', undefined, 'far', 'below']); // biome-ignore format: one line
  memo.set(2, 'again'); // the number that the row has come to, which lay apart before
  memo.set(0, null);
  expect([memo.size, memo.get(2), memo.get(0)]).toEqual([5, 'again', null]);
});
