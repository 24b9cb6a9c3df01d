import { expect, test } from 'vitest';
import { jsonListChunks } from '../src/files/json-list.ts';

const textOf = (items: readonly unknown[]): string =>
  Buffer.concat([...jsonListChunks(items)].map((chunk) => Buffer.from(chunk))).toString();

test.each([0, 1, 2, 999, 1000, 1001, 2000, 2500])('%i items are written as JSON.stringify writes them', (count) => {
  const items = Array.from({ length: count }, (_, i) => ({ image_id: i, name: `ä "${i}"`, bbox: [0.1, 1e21, -0, i] }));
  expect(textOf(items)).toBe(JSON.stringify(items));
});

test('no chunk is of more than a thousand items, so that none is too long', () => {
  const chunks = [...jsonListChunks(Array.from({ length: 2500 }, () => 7))].map(({ length }) => length);
  expect(chunks).toEqual([1, 1999, 2000, 1000, 1]); // digits and commas
});
