import { isRcnnError, Random } from '@rcnn/core';
import { expect, test } from 'vitest';
import { BalancedSampler, firstInOrderSampler } from '../src/index.ts';

const labels = Int8Array.from({ length: 100 }, (_, i) => (i % 10 === 0 ? -1 : i % 3 === 0 ? 1 : 0));
const random = (): Random => new Random(3);

test('the share of positives is a ceiling, negatives fill the rest', () => {
  const { positives, negatives } = new BalancedSampler({ batchSize: 20, positiveFraction: 0.25 }).sample(
    labels,
    random(),
  );
  expect([positives.length, negatives.length]).toEqual([5, 15]);
});

test('few positives leave room for negatives, few negatives leave the batch short', () => {
  const some = [1, 0, 0, 0, -1];
  const counts = (batchSize: number): number[] => {
    const { positives, negatives } = new BalancedSampler({ batchSize, positiveFraction: 0.5 }).sample(some, random());
    return [positives.length, negatives.length];
  };
  expect(counts(4)).toEqual([1, 3]);
  expect(counts(10)).toEqual([1, 3]);
  expect(counts(3)).toEqual([1, 2]);
});

test('every choice has its label, comes once and in ascending order', () => {
  const { positives, negatives } = new BalancedSampler({ batchSize: 40, positiveFraction: 0.5 }).sample(
    labels,
    random(),
  );
  for (const [list, label] of [
    [positives, 1],
    [negatives, 0],
  ] as const) {
    expect([...list].every((i) => labels[i] === label)).toBe(true);
    expect([...list]).toEqual([...new Set(list)].sort((a, b) => a - b));
  }
});

test('the same seed chooses the same, other seeds others', () => {
  const sampler = new BalancedSampler({ batchSize: 16, positiveFraction: 0.5 });
  const choose = (seed: number): number[] => [...sampler.sample(labels, new Random(seed)).negatives];
  expect(choose(1)).toEqual(choose(1));
  expect(choose(1)).not.toEqual(choose(2));
});

test('each candidate is as likely as the others', () => {
  const sampler = new BalancedSampler({ batchSize: 5, positiveFraction: 0 });
  const counts = new Int32Array(20);
  const stream = new Random(9);
  for (let i = 0; i < 4000; i++) for (const j of sampler.sample(new Int8Array(20), stream).negatives) counts[j]!++;
  // 1000 expected each, deviation 27: 5 deviations
  expect(Math.min(...counts)).toBeGreaterThan(865);
  expect(Math.max(...counts)).toBeLessThan(1135);
});

test('in order: the first candidates, and nothing drawn', () => {
  const stream = random();
  const before = stream.state;
  const { positives, negatives } = firstInOrderSampler({ batchSize: 6, positiveFraction: 0.5 }).sample(labels, stream);
  expect([...positives]).toEqual([3, 6, 9]);
  expect([...negatives]).toEqual([1, 2, 4]);
  expect(stream.state).toEqual(before);
});

test('options outside their range are refused', () => {
  for (const options of [
    { batchSize: -1, positiveFraction: 0.5 },
    { batchSize: 4, positiveFraction: 1.5 },
  ]) {
    let caught: unknown;
    try {
      expect(new BalancedSampler(options)).toBeUndefined();
    } catch (error) {
      caught = error;
    }
    expect(isRcnnError(caught, 'INVALID_ARGUMENT')).toBe(true);
  }
});
