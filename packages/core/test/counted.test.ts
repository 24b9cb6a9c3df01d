import { expect, test } from 'vitest';
import { counted } from '../src/errors.ts';

test('one, none and many', () => {
  expect([0, 1, 2].map((count) => counted(count, 'image'))).toEqual(['0 images', '1 image', '2 images']);
  expect([1, 3].map((count) => counted(count, 'box is', 'boxes are'))).toEqual(['1 box is', '3 boxes are']);
});
