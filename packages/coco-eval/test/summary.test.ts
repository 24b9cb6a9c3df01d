import { expect, test } from 'vitest';
import { pairwiseSum } from '../src/match/similarity.ts';
import { identity, sortByFallingScore } from '../src/match/sort.ts';
import { fixed } from '../src/score/summary.ts';

test.each([
  [0.0625, 3, '0.062'], // an exact tie goes to the even digit, as in Python
  [0.1875, 3, '0.188'],
  [0.4375, 3, '0.438'],
  [0.1235, 3, '0.123'], // no tie: the double is a little below
  [-1, 3, '-1.000'],
  [0.125, 2, '0.12'],
  [0.95, 2, '0.95'],
])('%d with %i decimals is %s', (value, digits, text) => expect(fixed(value, digits)).toBe(text));

// np.sum of 1 / (i + 1) on numpy 2.4; a plain loop differs in the last bits of all but the first.
test.each([
  [7, 2.5928571428571425],
  [130, 5.4485913382659765],
  [999, 7.484470860550346],
  [5000, 9.094508852984436],
])('%i numbers are summed in numpy’s order', (count, sum) => {
  const values = Array.from({ length: count }, (_, i) => 1 / (i + 1));
  expect(pairwiseSum(values, 0, count)).toBe(sum);
});

test('scores fall, equal ones keep their order, -0 equals 0', () => {
  const scores = Float64Array.of(0.5, -1, 0, 0.5, -0, 1e-300, 2, -1e9, 0.25);
  expect([...sortByFallingScore(identity(9), scores)]).toEqual([6, 0, 3, 8, 5, 2, 4, 1, 7]);
});
