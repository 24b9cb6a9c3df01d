import { firstInOrderSampler, Matcher } from '@rcnn/boxes';
import { Random } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { expect, test } from 'vitest';
import { matchedBoxes, matchRegions, sampleRegions } from '../src/index.ts';

const boxes = (...rows: number[][]): Float32Array => Float32Array.from(rows.flat());
const target = { boxes: boxes([2, 2, 20, 20], [18, 4, 38, 30]), labels: Int32Array.of(1, 2) };
const nothing = { boxes: boxes(), labels: new Int32Array() };
const how = {
  matcher: new Matcher({ foreground: 0.5, background: 0.5 }),
  sampler: firstInOrderSampler({ batchSize: 4, positiveFraction: 0.5 }),
  random: new Random(11),
};

test('the true boxes are proposals too, and carry their classes', () => {
  const { boxes: chosen, labels, matchedIndices } = sampleRegions(boxes([30, 0, 40, 8]), target, how);
  expect([...labels]).toEqual([0, 1, 2]);
  expect([...matchedIndices]).toEqual([-1, 0, 1]);
  expectClose(chosen.subarray(4, 8), [2, 2, 20, 20]);
});

test('at IoU 0.5 a region is an object, below it is background', () => {
  const gt = { boxes: boxes([0, 0, 10, 10]), labels: Int32Array.of(2) };
  const { labels } = sampleRegions(boxes([0, 0, 10, 5], [0, 0, 10, 4.9]), gt, how);
  expect([...labels]).toEqual([2, 0, 2]); // half of it, less than half, itself
});

test('positives up to their share, negatives for the rest, in order', () => {
  const near = Array.from({ length: 5 }, () => [2, 2, 20, 20]);
  const far = Array.from({ length: 5 }, () => [30, 0, 40, 3]);
  const { labels } = sampleRegions(boxes(...near, ...far), target, how);
  expect([...labels]).toEqual([1, 1, 0, 0]);
});

test('no objects: everything is background', () => {
  const { labels, matchedIndices } = sampleRegions(boxes([1, 1, 5, 5], [3, 3, 9, 9]), nothing, how);
  expect([...labels]).toEqual([0, 0]);
  expect([...matchedIndices]).toEqual([-1, -1]);
});

test('matching alone keeps every region in its place, those between the thresholds marked', () => {
  const matcher = new Matcher({ foreground: 0.7, background: 0.3 });
  const regions = matchRegions(boxes([18, 4, 38, 30], [2, 2, 20, 11], [30, 0, 40, 3]), target, matcher);
  expect([...regions.labels]).toEqual([2, -1, 0]);
  expect([...regions.matchedIndices]).toEqual([1, -1, -1]);
  expectClose(matchedBoxes({ ...regions, matchedIndices: Int32Array.of(1, 0, 0) }, target), [18, 4, 38, 30, 2, 2, 20, 20, 2, 2, 20, 20]); // biome-ignore format: one line
});
