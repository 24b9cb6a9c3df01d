import { isRcnnError } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { expect, test } from 'vitest';
import { boxArea, clipBoxes, countBoxes, pairwiseIoU, removeSmallBoxes, takeBoxes } from '../src/index.ts';

const boxes = (...rows: number[][]): Float32Array => Float32Array.from(rows.flat());

test('IoU of boxes worked out by hand', () => {
  const others = boxes([0, 0, 2, 2], [1, 1, 3, 3], [2, 2, 4, 4], [5, 5, 6, 6]);
  expectClose(pairwiseIoU(boxes([0, 0, 2, 2]), others), [1, 1 / 7, 0, 0]);
});

test('IoU is a row per box of the first and a column per box of the second', () => {
  const a = boxes([0, 0, 1, 1], [0, 0, 2, 1]);
  const b = boxes([0, 0, 2, 1], [0, 0, 4, 1], [0, 0, 1, 1]);
  expectClose(pairwiseIoU(a, b), [0.5, 0.25, 1, 1, 0.5, 0.5]);
});

test('no boxes in, no pairs out', () => {
  expect(pairwiseIoU(boxes(), boxes([0, 0, 1, 1]))).toHaveLength(0);
  expect(boxArea(boxes())).toHaveLength(0);
  expect(clipBoxes(boxes(), [10, 20])).toHaveLength(0);
});

test('area adds no pixel', () => expectClose(boxArea(boxes([1, 2, 4, 7], [3, 3, 3, 9])), [15, 0]));

test('clipping cuts x at the width and y at the height', () => {
  expectClose(clipBoxes(boxes([-5, -6, 30, 40], [3, 4, 5, 6]), [10, 20]), [0, 0, 20, 10, 3, 4, 5, 6]);
});

test('a box goes when either side is too short; the limit itself stays', () => {
  const candidates = boxes([0, 0, 1e-3, 5], [0, 0, 5, 9e-4], [2, 2, 1, 9], [0, 0, 5, 5]);
  expect([...removeSmallBoxes(candidates, 1e-3)]).toEqual([0, 3]);
});

test('boxes are taken in the order that is asked for', () => {
  expectClose(takeBoxes(boxes([1, 1, 2, 2], [3, 3, 4, 4]), [1, 0, 1]), [3, 3, 4, 4, 1, 1, 2, 2, 3, 3, 4, 4]);
});

test('an array that is not a list of boxes is refused', () => {
  try {
    countBoxes(new Float32Array(6), 'here');
    expect.unreachable();
  } catch (error) {
    expect(isRcnnError(error, 'SHAPE_MISMATCH')).toBe(true);
    expect((error as Error).message).toContain('here');
  }
});
