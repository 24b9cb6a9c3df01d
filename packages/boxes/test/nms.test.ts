import { isRcnnError, Random } from '@rcnn/core';
import { expect, test } from 'vitest';
import { nms, pairwiseIoU, topK } from '../src/index.ts';

test('an IoU equal to the threshold suppresses nothing', () => {
  const boxes = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 5);
  expect([...nms(boxes, [0.9, 0.8], 0.5)]).toEqual([0, 1]);
  expect([...nms(boxes, [0.9, 0.8], 0.4999)]).toEqual([0]);
});

test('a suppressed box suppresses nothing', () => {
  const boxes = Float32Array.of(0, 0, 10, 10, 3, 0, 13, 10, 6, 0, 16, 10); // neighbours overlap by 7/13, ends by 4/16
  expect([...nms(boxes, [0.9, 0.8, 0.7], 0.5)]).toEqual([0, 2]);
});

test('equal scores keep input order', () => {
  const boxes = Float32Array.of(0, 0, 10, 10, 20, 0, 30, 10, 0, 0, 10, 10);
  expect([...nms(boxes, [0.5, 0.5, 0.5], 0.5)]).toEqual([0, 1]);
  expect([...nms(boxes, [0.5, 0.6, 0.5], 0.5)]).toEqual([1, 0]);
});

test('boxes compete only inside their group', () => {
  const boxes = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 10, 0, 0, 10, 10);
  expect([...nms(boxes, [0.7, 0.8, 0.9], 0.5, { groups: Int32Array.of(3, -1, 3) })]).toEqual([2, 1]);
});

test.each([0.3, 0.5, 0.7, 0.9])('just above %d a box goes, just below it stays, wherever it touches', (threshold) => {
  const random = new Random(3);
  for (let i = 0; i < 200; i++) {
    const [x, y, w, h] = [random.uniform(), random.uniform(), random.uniform(), random.uniform()].map((u) => 1 + 99 * u) as [number, number, number, number]; // biome-ignore format: one line
    const whole = [x, y, x + w, y + h];
    for (const [iou, expected] of [
      [threshold + 0.001, [0]],
      [threshold - 0.001, [0, 1]],
    ] as const) {
      const apart = (w * (1 - iou)) / (1 + iou);
      for (const other of [
        [x, y, x + w * iou, y + h], // within, at one end
        [x + w * (1 - iou), y, x + w, y + h],
        [x, y, x + w, y + h / iou], // around
        [x + apart, y, x + w + apart, y + h], // beside
      ]) {
        expect([...nms(Float32Array.of(...whole, ...other), [0.9, 0.8], threshold)]).toEqual(expected);
        expect([...nms(Float32Array.of(...other, ...whole), [0.9, 0.8], threshold)]).toEqual(expected);
      }
    }
  }
});

test('stops at the limit, with the same boxes first', () => {
  const { boxes, scores } = scene(400, new Random(5));
  const all = nms(boxes, scores, 0.3);
  expect(all.length).toBeGreaterThan(20);
  expect([...nms(boxes, scores, 0.3, { limit: 20 })]).toEqual([...all.subarray(0, 20)]);
  expect(nms(boxes, scores, 0.3, { limit: 0 })).toHaveLength(0);
});

test('empty boxes and no boxes', () => {
  expect(nms(new Float32Array(), [], 0.5)).toHaveLength(0);
  expect([...nms(new Float32Array(12), [0.1, 0.3, 0.2], 0.5)]).toEqual([1, 2, 0]); // 0 / 0 is above nothing
});

test('agrees with the definition on random scenes, at every threshold', () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed);
    const { boxes, scores, groups } = scene(150, random);
    for (const threshold of [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1]) {
      expect([...nms(boxes, scores, threshold, { groups })]).toEqual(byDefinition(boxes, scores, groups, threshold));
    }
  }
});

test('NaN boxes neither suppress nor are suppressed; NaN scores come last', () => {
  const boxes = Float32Array.of(0, 0, 10, 10, Number.NaN, 0, 10, 10, 0, 0, 10, 10);
  expect([...nms(boxes, [0.5, 0.6, Number.NaN], 0.5)]).toEqual([1, 0]);
});

test('boxes far to the left, of all widths, reversed and infinite ones included, as by definition', () => {
  const random = new Random(8);
  const boxes = Float32Array.from(
    Array.from({ length: 200 }, (_, i) => {
      const [x, y, w] = [-1e4 + random.integer(40), random.integer(10), 2 ** random.integer(9)];
      if (i % 50 === 7) return [x + w, y, x, y + 20];
      if (i % 50 === 9) return [Number.NEGATIVE_INFINITY, y, x + w, y + 20];
      return [x, y, x + w, y + 20 + random.integer(3)];
    }).flat(),
  );
  const scores = Float32Array.from({ length: 200 }, () => random.uniform());
  for (const threshold of [0, 0.2, 0.5, 0.95, 1, 1.5]) {
    expect([...nms(boxes, scores, threshold)]).toEqual(byDefinition(boxes, scores, new Int32Array(200), threshold));
  }
});

test('arrays that do not fit and thresholds below 0 are refused', () => {
  for (const [call, code] of [
    [() => nms(new Float32Array(8), [1], 0.5), 'SHAPE_MISMATCH'],
    [() => nms(new Float32Array(4), [1], 0.5, { groups: new Int32Array(2) }), 'SHAPE_MISMATCH'],
    [() => nms(new Float32Array(4), [1], -0.1), 'INVALID_ARGUMENT'],
    [() => nms(new Float32Array(4), [1], Number.NaN), 'INVALID_ARGUMENT'],
  ] as const) {
    let caught: unknown;
    try {
      call();
    } catch (error) {
      caught = error;
    }
    expect(isRcnnError(caught, code)).toBe(true);
  }
});

/** Boxes of very different sizes, many of them alike, some equal, with few distinct scores. */
function scene(count: number, random: Random): { boxes: Float32Array; scores: Float32Array; groups: Int32Array } {
  const boxes = new Float32Array(count * 4);
  for (let i = 0; i < count; i++) {
    const side = 2 ** random.integer(8);
    const [x, y] = [random.integer(100), random.integer(100)];
    boxes.set([x, y, x + side + random.integer(4), y + side + random.integer(4)], i * 4);
  }
  const scores = Float32Array.from({ length: count }, () => random.integer(60) / 60);
  return { boxes, scores, groups: Int32Array.from({ length: count }, () => random.integer(3)) };
}

function byDefinition(boxes: Float32Array, scores: Float32Array, groups: Int32Array, threshold: number): number[] {
  const iou = pairwiseIoU(boxes, boxes);
  const kept: number[] = [];
  for (const i of topK(scores, scores.length)) {
    const rival = kept.find((j) => groups[i] === groups[j] && iou[i * scores.length + j]! > threshold);
    if (rival === undefined) kept.push(i);
  }
  return kept;
}
