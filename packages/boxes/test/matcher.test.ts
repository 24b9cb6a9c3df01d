import { isRcnnError, Random } from '@rcnn/core';
import { expect, test } from 'vitest';
import { BELOW_THRESHOLD, BETWEEN_THRESHOLDS, Matcher, pairwiseIoU } from '../src/index.ts';

const rpn = { foreground: 0.7, background: 0.3, lowQuality: true };
const roi = { foreground: 0.5, background: 0.5 };
const golden = Float32Array.of(0.9, 0.5, 0.2, 0.25, 0.1, 0.6, 0.2, 0.65);

test("the worked example under the RPN's rule and the box head's", () => {
  expect([...new Matcher(rpn).match(golden, 2, 4)]).toEqual([0, BETWEEN_THRESHOLDS, BELOW_THRESHOLD, 1]);
  expect([...new Matcher(roi).match(golden, 2, 4)]).toEqual([0, 1, BELOW_THRESHOLD, 1]);
});

test('a threshold itself belongs to the upper class', () => {
  const half = Float32Array.of(0.5, 0.25, 0.125);
  expect([...new Matcher({ foreground: 0.5, background: 0.25 }).match(half, 1, 3)]).toEqual([0, -2, -1]);
});

test('a low-quality match takes the own best gt box, and all boxes that tie', () => {
  // Both boxes are the best of gt 1 (0.2), but box 0 overlaps gt 0 more.
  const iou = Float32Array.of(0.4, 0.1, 0.9, 0.2, 0.2, 0.1);
  expect([...new Matcher(rpn).match(iou, 2, 3)]).toEqual([0, 1, 0]);
});

test('as the reference, a gt box that overlaps nothing claims every box it does not overlap', () => {
  const iou = Float32Array.of(0.4, 0.1, 0.1, 0, 0, 0);
  expect([...new Matcher(rpn).match(iou, 2, 3)]).toEqual([0, 0, 0]);
  expect([...new Matcher(rpn).match(Float32Array.of(0.4, 0.1, 0.1), 1, 3)]).toEqual([0, -1, -1]);
});

test('equal IoU with two gt boxes goes to the first', () => {
  expect([...new Matcher(roi).match(Float32Array.of(0.8, 0.8), 2, 1)]).toEqual([0]);
});

test('without gt boxes everything is background', () => {
  expect([...new Matcher(rpn).matchBoxes(new Float32Array(), new Float32Array(12))]).toEqual([-1, -1, -1]);
  expect(new Matcher(rpn).matchBoxes(new Float32Array(4), new Float32Array())).toHaveLength(0);
});

test('boxes give the same as their matrix', () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed);
    const [gt, boxes] = [draw(9, random), draw(400, random)];
    for (const options of [rpn, roi]) {
      const matcher = new Matcher(options);
      expect(matcher.matchBoxes(gt, boxes)).toEqual(matcher.match(pairwiseIoU(gt, boxes), 9, 400));
    }
  }
});

test('thresholds in the wrong order and matrices of another size are refused', () => {
  expect(code(() => new Matcher({ foreground: 0.3, background: 0.7 }))).toBe('INVALID_ARGUMENT');
  expect(code(() => new Matcher(roi).match(golden, 2, 3))).toBe('SHAPE_MISMATCH');
});

function draw(count: number, random: Random): Float32Array {
  const boxes = Array.from({ length: count }, () => {
    const [x, y] = [random.integer(60), random.integer(60)];
    return [x, y, x + 5 + random.integer(30), y + 5 + random.integer(30)];
  });
  return Float32Array.from(boxes.flat());
}

function code(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return isRcnnError(error) ? error.code : String(error);
  }
}

test('an IoU of exactly the threshold is an object: 0.7 is 0.69999999 in float32', () => {
  const gt = Float32Array.of(0, 0, 10, 10);
  const boxes = Float32Array.of(0, 0, 10, 7, 0, 0, 10, 6.99); // IoU 0.7, and just below
  expect([...new Matcher({ foreground: 0.7, background: 0.7 }).matchBoxes(gt, boxes)]).toEqual([0, -1]);
});
