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

test('a batch has one shape, and there are floor(samples / size) of them', () => {
  const batches = planBatches(sizes, options);
  expect(batches).toHaveLength(5);
  for (const batch of batches) {
    expect(batch).toHaveLength(4);
    expect(new Set(batch.map((index) => sizes[index]!.join())).size).toBe(1);
  }
});

test('too few of a shape are topped up with their own kind', () => {
  const few: ImageSize[] = [
    [400, 300],
    [300, 400],
    [300, 400],
    [300, 400],
  ];
  const batches = planBatches(few, { ...options, batchSize: 2 });
  expect(batches).toHaveLength(2);
  for (const batch of batches) expect(new Set(batch.map((index) => few[index]!.join())).size).toBe(1);
});

test('without groups: in order, all of them, the last one short or left out', () => {
  const plain = { ...options, shuffle: false, aspectGroups: -1 };
  expect(planBatches(sizes.slice(0, 5), { ...plain, batchSize: 2 })).toEqual([[0, 1], [2, 3], [4]]);
  expect(planBatches(sizes.slice(0, 5), { ...plain, batchSize: 2, dropLast: true })).toEqual([
    [0, 1],
    [2, 3],
  ]);
});
