import '@tensorflow/tfjs-backend-cpu';
import { expectClose } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { MultiScaleRoIAlign, maskTargets, roiAlign } from '../src/index.ts';

const ramp = (): tf.Tensor4D => tf.reshape(tf.range(0, 16), [1, 4, 4, 1]);
const read = (box: number[], outputSize: number, aligned: boolean): tf.Tensor4D =>
  roiAlign(ramp(), Float32Array.of(0, ...box), { outputSize, samplingRatio: 2, aligned });

test('a ramp in both modes', () => {
  expectClose(read([0, 0, 4, 4], 2, false), [
    [
      [[5], [6.75]],
      [[12], [13.75]],
    ],
  ]);
  expectClose(read([0, 0, 4, 4], 2, true), [
    [
      [[2.5], [4.5]],
      [[10.5], [12.5]],
    ],
  ]);
});

test('a RoI below one cell grows to one only when not aligned', () => {
  expectClose(read([1, 1, 1.2, 1.2], 1, false), [[[[7.5]]]]);
  expectClose(read([1, 1, 1.2, 1.2], 1, true), [[[[3]]]]);
});

test('outside the map there is nothing, at its border the border', () => {
  expectClose(read([-3, -3, -1.5, -1.5], 1, false), [[[[0]]]]);
  expectClose(read([3.4, 3.4, 4.4, 4.4], 1, false), [[[[3.75]]]]);
});

test('boxes find their level by the root of their area', () => {
  const align = new MultiScaleRoIAlign({ outputSize: 7 });
  const sides = [1, 111.9, 112, 223.9, 224, 447.9, 448, 5000];
  const boxes = Float32Array.from(sides.flatMap((side) => [10, 20, 10 + side, 20 + side]));
  // Far from the origin float32 no longer holds these sides exactly.
  const exact = Float32Array.from(sides.flatMap((side) => [0, 0, side, side]));
  expect([...align.levels(exact)]).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  expect([...align.levels(boxes)]).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
});

test('the mask target of a square', () => {
  const bitmap = new Uint8Array(400);
  for (let y = 5; y < 15; y++) bitmap.fill(1, y * 20 + 5, y * 20 + 15);
  const mask = { size: [20, 20] as const, bitmap: () => bitmap, runLengths: () => expect.unreachable() as never };
  const target = maskTargets([mask], Float32Array.of(4, 4, 16, 16), [0]);
  expectClose(target.subarray(14 * 28, 14 * 28 + 3), [0.214286, 0.642857, 1], { absolute: 1e-6, relative: 0 });
  expectClose([target.reduce((sum, value) => sum + value, 0)], [545.556], { absolute: 1e-3, relative: 0 });
});
