import '@tensorflow/tfjs-backend-cpu';
import { isRcnnError } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { MultiScaleRoIAlign, maskTargets, roiAlign, roiPool } from '../src/index.ts';

const map = tf.zeros<tf.Rank.R4>([2, 4, 4, 1]);
const mask = {
  size: [4, 4] as const,
  bitmap: () => new Uint8Array(16),
  runLengths: () => expect.unreachable() as never,
};

test('a tensor instead of numbers is told to be read first', () => {
  const rois = tf.tensor2d([[0, 0, 0, 1, 1]]) as unknown as Float32Array;
  const message = 'found a tensor [1,5], expected a Float32Array, row after row. Read the tensor first';
  expect(() => roiAlign(map, rois, { outputSize: 1 })).toThrow(message);
  expect(() => roiPool(map, rois, { outputSize: 1 })).toThrow(message);
  const boxes = tf.tensor2d([[0, 0, 1, 1]]) as unknown as Float32Array;
  const align = new MultiScaleRoIAlign({ outputSize: 1, strides: [4] });
  expect(() => align.forward([map], [boxes, boxes])).toThrow('MultiScaleRoIAlign.forward (boxes)');
  expect(() => align.forward([map], [boxes, boxes])).toThrow('found a tensor [1,4]');
});

test.each([
  ['RoIs of four numbers', () => roiAlign(map, new Float32Array(4), { outputSize: 1 }), 'SHAPE_MISMATCH', undefined],
  [
    'an image that is not there',
    () => roiAlign(map, Float32Array.of(0, 0, 0, 1, 1, 2, 0, 0, 1, 1), { outputSize: 1 }),
    'INVALID_ARGUMENT',
    'RoI 1',
  ],
  [
    'half an image',
    () => roiPool(map, Float32Array.of(0.5, 0, 0, 1, 1), { outputSize: 1 }),
    'INVALID_ARGUMENT',
    'RoI 0',
  ],
  [
    'a box without end',
    () => roiAlign(map, Float32Array.of(0, 0, 0, Number.POSITIVE_INFINITY, 1), { outputSize: 1 }),
    'NON_FINITE',
    'RoI 0',
  ],
  [
    'NaN',
    () => roiAlign(map, Float32Array.of(0, 0, 0, 1, 1, 0, 0, Number.NaN, 1, 1), { outputSize: 1 }),
    'NON_FINITE',
    'RoI 1',
  ],
  [
    'an output without size',
    () => roiAlign(map, new Float32Array(5), { outputSize: [0, 3] }),
    'INVALID_ARGUMENT',
    undefined,
  ],
  [
    'half a sample',
    () => roiAlign(map, new Float32Array(5), { outputSize: 1, samplingRatio: 0.5 }),
    'INVALID_ARGUMENT',
    undefined,
  ],
  [
    'strides that do not double',
    () => new MultiScaleRoIAlign({ outputSize: 7, strides: [4, 12] }),
    'INVALID_ARGUMENT',
    undefined,
  ],
  [
    'too few levels',
    () => new MultiScaleRoIAlign({ outputSize: 7 }).forward([map], [new Float32Array(), new Float32Array()]),
    'SHAPE_MISMATCH',
    undefined,
  ],
  [
    'boxes of another number of images',
    () => new MultiScaleRoIAlign({ outputSize: 7, strides: [4] }).forward([map], [new Float32Array()]),
    'SHAPE_MISMATCH',
    undefined,
  ],
  ['a box without its object', () => maskTargets([mask], new Float32Array(4), []), 'SHAPE_MISMATCH', undefined],
  ['an object without a mask', () => maskTargets([mask], new Float32Array(4), [1]), 'INVALID_ARGUMENT', 'box 0'],
] as const)('%s', (_, call, code, place) => {
  let caught: unknown;
  try {
    call();
  } catch (error) {
    caught = error;
  }
  expect(isRcnnError(caught, code)).toBe(true);
  expect((caught as { place?: string }).place).toBe(place);
});
