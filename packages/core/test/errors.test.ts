import { expect, test } from 'vitest';
import { isRcnnError, packError, RcnnError, unpackError } from '../src/errors.ts';

test('an error keeps every fact on its way between threads', () => {
  const thrown = new RcnnError('RLE_INVALID', {
    where: 'results.json',
    place: '/3/segmentation',
    problem: 'the runs do not cover the image',
    found: '90 pixels',
    expected: '100 pixels',
    hint: 'Is the size of this image?',
  });
  const arrived = unpackError(structuredClone(packError(thrown)));
  expect(isRcnnError(arrived, 'RLE_INVALID')).toBe(true);
  const { code, message, where, place, found, expected, hint } = thrown;
  expect(arrived).toMatchObject({ code, message, where, place, found, expected, hint });
});
