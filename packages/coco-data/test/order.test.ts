import type { ImageSize } from '@rcnn/core';
import { expect, test } from 'vitest';
import { aspectEdges, aspectGroup, planBatches } from '../src/index.ts';

test('aspect groups of torchvision: edges and members', () => {
  const edges = aspectEdges(3);
  expect(edges.map((edge) => edge.toFixed(6))).toEqual([
    '0.500000',
    '0.629961',
    '0.793701',
    '1.000000',
    '1.259921',
    '1.587401',
    '2.000000',
  ]);
  const groups = [0.4, 0.5, 0.75, 1, 1.3333, 1.5, 2, 3].map((ratio) => aspectGroup([1000, 1000 * ratio], edges));
  expect(groups).toEqual([0, 1, 2, 4, 5, 5, 7, 7]);
  expect(aspectEdges(0)).toEqual([1]);
});

const sizes: ImageSize[] = Array.from({ length: 23 }, (_, i) => (i % 3 === 0 ? [400, 300] : [300, 400]));
const options = { batchSize: 4, seed: 1, epoch: 0, shuffle: true, dropLast: false, aspectGroups: 3 };

const shapesOf = (batch: readonly number[]): number => new Set(batch.map((index) => sizes[index]!.join())).size;

test('every sample once; batches of one shape while there are enough of it', () => {
  const batches = planBatches(sizes, options); // 8 upright, 15 wide
  expect(batches.map((batch) => batch.length)).toEqual([4, 4, 4, 4, 4, 3]);
  expect(batches.map(shapesOf)).toEqual([1, 1, 1, 1, 1, 1]);
  expect(batches.flat().toSorted((a, b) => a - b)).toEqual([...sizes.keys()]);
});

test('the odd shapes of a small dataset share a batch, neighbours in ratio together', () => {
  const few: ImageSize[] = [
    [400, 300],
    [400, 220],
    [100, 400],
    [300, 330],
    [300, 450],
  ];
  for (const epoch of [0, 1, 2]) {
    const batches = planBatches(few, { ...options, batchSize: 2, epoch });
    expect(batches.flat().toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    expect(batches.map((batch) => batch.toSorted((a, b) => a - b))).toEqual([[0, 1], [3, 4], [2]]);
  }
});

test('with full batches alone, what is left out changes from epoch to epoch: every sample is seen', () => {
  const seen = new Set<number>();
  for (let epoch = 0; epoch < 40; epoch++) {
    const batches = planBatches(sizes, { ...options, dropLast: true, epoch });
    expect(batches.map((batch) => batch.length)).toEqual([4, 4, 4, 4, 4]);
    for (const index of batches.flat()) seen.add(index);
  }
  expect(seen.size).toBe(sizes.length);
});

test('without groups: in order, all of them, the last one short or left out', () => {
  const plain = { ...options, shuffle: false, aspectGroups: -1 };
  expect(planBatches(sizes.slice(0, 5), { ...plain, batchSize: 2 })).toEqual([[0, 1], [2, 3], [4]]);
  expect(planBatches(sizes.slice(0, 5), { ...plain, batchSize: 2, dropLast: true })).toEqual([
    [0, 1],
    [2, 3],
  ]);
});
