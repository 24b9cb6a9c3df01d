import { BoxCoder } from '@rcnn/boxes';
import { expectClose } from '@rcnn/core/testing';
import { describe, expect, test } from 'vitest';
import { selectDetections } from '../src/index.ts';

const rules = { coder: new BoxCoder(), scoreThreshold: 0.05, nmsThreshold: 0.5, limit: 100 };
const boxes = Float32Array.of(0, 0, 20, 10, 30, 0, 40, 10);
const still = [0, 0, 0, 0];
const right = [0.5, 0, 0, 0]; // by half the width

describe('one box for all classes, or one for each', () => {
  const scores = Float32Array.of(0.1, 0.2, 0.7, 0.9, 0.04, 0.06);

  test('a region can be found under two classes, each with its own box', () => {
    const deltas = Float32Array.from([...still, ...still, ...right, ...still, ...still, ...right]);
    const found = selectDetections({ boxes, scores, deltas }, [32, 40], rules);
    expect([...found.labels]).toEqual([2, 1, 2]);
    expectClose(found.scores, [0.7, 0.2, 0.06]);
    expectClose(found.boxes, [10, 0, 30, 10, 0, 0, 20, 10, 35, 0, 40, 10]); // the last is clipped
  });

  test('the classes share a box', () => {
    const deltas = Float32Array.from([...right, ...still]);
    const found = selectDetections({ boxes, scores, deltas }, [32, 40], rules);
    expect([...found.labels]).toEqual([2, 1, 2]);
    expectClose(found.boxes, [10, 0, 30, 10, 10, 0, 30, 10, 30, 0, 40, 10]);
  });
});

test('slivers go, unless they are wanted', () => {
  const scores = Float32Array.of(0.1, 0.9);
  const found = (minSize?: number) =>
    selectDetections({ boxes: Float32Array.of(5, 5, 5.005, 9), scores, deltas: Float32Array.from(still) }, [10, 10], {
      ...rules,
      minSize,
    });
  expect(found().labels.length).toBe(0);
  expect(found(0).labels.length).toBe(1);
});

test('no regions, no detections', () => {
  const none = { boxes: new Float32Array(), scores: new Float32Array(), deltas: new Float32Array() };
  expect(selectDetections(none, [10, 10], rules)).toEqual({
    boxes: new Float32Array(),
    scores: new Float32Array(),
    labels: new Int32Array(),
  });
});

test('numbers that do not fit are refused', () => {
  const predictions = { boxes, scores: new Float32Array(6), deltas: new Float32Array(12) };
  expect(() => selectDetections(predictions, [10, 10], rules)).toThrow('scores and deltas do not fit the regions');
});
