import { generationOf } from '@rcnn/shared/bench';
import { expect, test } from 'vitest';

const info = (vendor: string, family: number, model: number): string =>
  `processor\t: 0\nvendor_id\t: ${vendor}\ncpu family\t: ${family}\nmodel\t\t: ${model}\nmodel name\t: Some Processor\nstepping\t: 1\n`;

test.each([
  ['AuthenticAMD', 23, 1, 'Zen'],
  ['AuthenticAMD', 23, 49, 'Zen 2'],
  ['AuthenticAMD', 25, 1, 'Zen 3'],
  ['AuthenticAMD', 25, 17, 'Zen 4'],
  ['AuthenticAMD', 26, 2, 'Zen 5'],
  ['GenuineIntel', 6, 106, 'Ice Lake'],
  ['GenuineIntel', 6, 207, 'Emerald Rapids'],
  ['GenuineIntel', 6, 60, undefined],
  ['AuthenticAMD', 27, 0, undefined],
])('a benchmark says of %s, family %i, model %i: %s', (vendor, family, model, name) => {
  expect(generationOf(info(vendor, family, model))).toBe(name);
});

test('and nothing where nothing is said', () => {
  expect(generationOf('')).toBeUndefined();
});
