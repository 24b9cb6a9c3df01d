import '@tensorflow/tfjs-backend-cpu';
import { type Detection, Random, resizeBilinear } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { Mask } from '@rcnn/masks';
import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { AffinePlacement, batchMask, boxMask, mapMask, type Placement, resizeAxis, resizeMap } from '../src/index.ts';

describe('the way there', () => {
  test('boxes and key points move by the real ratio of the sides, and masks follow', () => {
    const unread = (): never => {
      throw new Error('not needed');
    };
    const mask = { size: [3, 4] as const, bitmap: () => new Uint8Array(12).fill(1), runLengths: unread };
    const moved = new AffinePlacement({ originalSize: [3, 4], resizedSize: [5, 7] }).toModel({
      boxes: Float32Array.of(1, 1, 3, 2),
      labels: Int32Array.of(1),
      masks: [mask],
      keypoints: Float32Array.of(1, 2, 2, 4, 3, 0),
      area: Float64Array.of(2),
      crowd: Uint8Array.of(0),
      imageId: 7,
    });
    expectClose(moved.boxes, [1.75, 5 / 3, 5.25, 10 / 3]);
    expectClose(moved.keypoints!, [1.75, 10 / 3, 2, 7, 5, 0]);
    expectClose(moved.area!, [(2 * 35) / 12]);
    expect(moved.masks![0]!.size).toEqual([5, 7]);
    expect(moved.masks![0]!.bitmap().every((bit) => bit === 1)).toBe(true);
    expect({ crowd: moved.crowd, imageId: moved.imageId }).toEqual({ crowd: Uint8Array.of(0), imageId: 7 });
  });

  test('with an offset, a mask lies in its canvas', () => {
    const placement = new AffinePlacement({ originalSize: [1, 2], resizedSize: [2, 4], offset: [1, 0], size: [4, 4] });
    const { boxes, masks } = placement.toModel({
      boxes: Float32Array.of(1, 0, 2, 1),
      labels: Int32Array.of(1),
      masks: [Mask.fromBox([1, 0, 1, 1], [1, 2])],
    });
    expect([...boxes]).toEqual([2, 1, 4, 3]);
    expect([...masks![0]!.bitmap()]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]);
    expect(Mask.fromRuns(masks![0]!.runLengths()).area()).toBe(4);
  });
});

describe('the way back', () => {
  const found = (...rows: number[][]) => ({
    boxes: Float32Array.from(rows.flat()),
    scores: Float32Array.from(rows, (_, i) => 0.9 - 0.1 * i),
    labels: Int32Array.from(rows, (_, i) => i + 1),
  });

  test('there and back is where it was', () => {
    const placement = new AffinePlacement({
      originalSize: [30, 50],
      resizedSize: [61, 99],
      offset: [7, 3],
      size: [80, 110],
    });
    const boxes = Float32Array.of(1, 2, 30, 20, 0, 0, 50, 30);
    const keypoints = Float32Array.of(4, 5, 2, 6, 7, 1);
    const moved = placement.toModel({ boxes, labels: Int32Array.of(1, 2), keypoints });
    const back = placement.toImage({
      boxes: moved.boxes,
      scores: Float32Array.of(1, 1),
      labels: moved.labels,
      keypoints: moved.keypoints!,
    });
    expectClose(back.flatMap(({ box }) => [...box]), boxes, { absolute: 1e-4 }); // biome-ignore format: one line
    expectClose(back.flatMap(({ keypoints: points }) => points!.flat()), keypoints, { absolute: 1e-4 }); // biome-ignore format: one line
    expect(back.map(({ label }) => label)).toEqual([1, 2]);
  });

  test('with a margin boxes are clipped to the image; those in the margin are nothing', () => {
    const placement = new AffinePlacement({ originalSize: [10, 20], resizedSize: [20, 40], offset: [10, 0], size: [40, 40] }); // biome-ignore format: one line
    const detections = placement.toImage(found([0, 0, 40, 9], [0, 5, 10, 40], [4, 12, 8, 20]));
    expect(detections.map(({ label, box }) => [label, ...box])).toEqual([
      [2, 0, 0, 5, 10],
      [3, 2, 1, 4, 5],
    ]);
  });

  test('nothing found is nothing', () => {
    const placement = new AffinePlacement({ originalSize: [10, 20], resizedSize: [20, 40] });
    expect(placement.toImage({ ...found(), masks: [], keypoints: new Float32Array() })).toEqual([]);
  });

  test('a mask in its box, at the threshold that is asked for', () => {
    const placement = new AffinePlacement({ originalSize: [16, 16], resizedSize: [32, 32] });
    const masks = [boxMask(new Float32Array(16).fill(0.6))];
    const area = (maskThreshold?: number): number => {
      const [{ mask } = {}] = placement.toImage({ ...found([8, 8, 24, 24]), masks }, { maskThreshold });
      return mask!.bitmap().reduce((sum, bit) => sum + bit, 0);
    };
    expect(area()).toBeGreaterThan(40); // the box has 64 pixels; its edge is soft
    expect(area(0.7)).toBe(0);
  });
});

describe('a mask from a map over the image', () => {
  const box = [0, 0, 4, 4] as const;
  const soft = (placement: Placement, values: number[], size: [number, number], covers: [number, number]) =>
    mapMask(Float32Array.from(values), size, covers).toImage(placement, box).soft();

  test('a map of two cells over four pixels, half-pixel centers, clamped edges', () => {
    const placement = new AffinePlacement({ originalSize: [1, 4], resizedSize: [8, 8] });
    expectClose(soft(placement, [0, 1], [1, 2], [8, 8]), [0, 0.25, 0.75, 1]);
  });

  test('the part under a letterboxed image, not the margin', () => {
    // Batch 4 x 4, image in rows 1 and 2; the map has the batch's cells.
    const placement = new AffinePlacement({ originalSize: [2, 4], resizedSize: [2, 4], offset: [1, 0], size: [4, 4] });
    const map = [9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9];
    expectClose(soft(placement, map, [4, 4], [4, 4]), [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('every form says the same', () => {
    const placement = new AffinePlacement({ originalSize: [2, 3], resizedSize: [2, 3] });
    const mask = mapMask(Float32Array.of(0.1, 0.6, 0.9, 0.2, 0.5, 0.8), [2, 3], [2, 3]).toImage(placement, box);
    expect([...mask.bitmap()]).toEqual([0, 1, 1, 0, 0, 1]);
    expect([...mask.runLengths().counts]).toEqual([2, 1, 1, 2]);
    expect(Mask.fromRuns(mask.runLengths()).rle()).toEqual(mask.rle());
    expect(mask.polygons().length).toBe(1);
  });

  test('values that are computed when they are asked for', () => {
    const placement = new AffinePlacement({ originalSize: [1, 4], resizedSize: [8, 8] });
    let calls = 0;
    const values = (): Float32Array => Float32Array.of(0, (calls += 1));
    const mask = mapMask(values, [1, 2], [8, 8]).toImage(placement, box);
    expect(calls).toBe(0);
    expectClose(mask.soft(), [0, 0.25, 0.75, 1]);
  });

  test('an object in a corner of the map: every form says what the whole map would say', () => {
    const random = new Random(3);
    const size = [9, 7] as const;
    const placement = new AffinePlacement({ originalSize: [40, 30], resizedSize: [64, 64] });
    const part = [[0, 3, 0, 3], [5, 9, 2, 7], [4, 5, 3, 4], [0, 9, 0, 7], [0, 0, 0, 0]] as const; // biome-ignore format: rows, columns
    for (const [top, bottom, left, right] of part) {
      const inside = (i: number): boolean => {
        const [y, x] = [Math.floor(i / 7), i % 7];
        return y >= top && y < bottom && x >= left && x < right;
      };
      const values = Float32Array.from({ length: 63 }, (_, i) => (inside(i) ? random.uniform(0.01, 1) : 0));
      const soft = resizeMap(values, 7, resizeAxis(9, 40), resizeAxis(7, 30));
      for (const maskThreshold of [0.5, 0, -1]) {
        const mask = mapMask(values, size, [64, 64]).toImage(placement, box, { maskThreshold });
        const bits = soft.map((value) => (value > maskThreshold ? 1 : 0));
        const firstWrong = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
          soft.findIndex((_, i) => a[i] !== b[i]);
        expect(firstWrong(mask.soft(), soft)).toBe(-1);
        expect(firstWrong(mask.bitmap(), bits)).toBe(-1);
        expect(mask.rle()).toEqual(Mask.fromBitmap(Uint8Array.from(bits), [40, 30]).rle());
      }
    }
  });

  test('values that do not fill the map are refused', () => {
    expect(() => mapMask(new Float32Array(5), [2, 3], [4, 6])).toThrow('mapMask: the values do not fill the map');
  });
});

describe('objects that are found by their masks alone', () => {
  const placement = new AffinePlacement({
    originalSize: [9, 21],
    resizedSize: [18, 30],
    offset: [3, 2],
    size: [24, 32],
  });

  test('have the box around their mask, and none is there without a pixel', () => {
    const cells = (at: number): Float32Array => new Float32Array(6 * 8).map((_, i) => (i === at ? 1 : 0));
    const found = placement.toImage({
      scores: Float32Array.of(0.9, 0.8),
      labels: Int32Array.of(1, 2),
      masks: [new Float32Array(48), cells(8 * 2 + 3)].map((values) => batchMask(values, [6, 8], [24, 32])),
    });
    expect(found.map(({ label }) => label)).toEqual([2]);
    const [{ box, mask }] = found as [Detection];
    const bits = mask!.bitmap();
    const [x1, y1, x2, y2] = box;
    expect([x2 - x1, y2 - y1].every((side) => side >= 1)).toBe(true);
    const inside = bits.filter((_, i) => i % 21 >= x1 && i % 21 < x2 && i / 21 >= y1 && Math.floor(i / 21) < y2);
    expect(sumOf(inside)).toBe(sumOf(bits));
    expect(Mask.fromBitmap(bits, [9, 21]).box()).toEqual([...box]);
  });

  test('two steps are two resizes, and the pixels above a threshold are those of all probabilities', () => {
    const random = new Random(3);
    for (let k = 0; k < 20; k++) {
      const [rows, columns] = [2 + random.integer(6), 2 + random.integer(8)];
      const values = Float32Array.from({ length: rows * columns }, () => random.uniform() ** 4);
      const mask = batchMask(values, [rows, columns], [24, 32]).toImage(placement, [0, 0, 21, 9], {
        maskThreshold: 0.3,
      });
      const step = (map: Float32Array, from: [number, number], to: [number, number]) =>
        Float32Array.from(resizeBilinear(tf.tensor4d(map, [1, ...from, 1]), to).dataSync());
      const batch = step(values, [rows, columns], [24, 32]);
      const part = Float32Array.from(
        { length: 18 * 30 },
        (_, i) => batch[(3 + Math.floor(i / 30)) * 32 + 2 + (i % 30)]!,
      );
      expectClose(mask.soft(), step(part, [18, 30], [9, 21]), { absolute: 1e-5 });
      expectSameBits(
        mask.bitmap(),
        Uint8Array.from(mask.soft(), (value) => (value > 0.3 ? 1 : 0)),
      );
    }
    expect(() => batchMask(new Float32Array(3), [2, 2], [4, 4])).toThrow(/batchMask.*3 values/);
  });
});

const sumOf = (bits: Uint8Array): number => bits.reduce((sum, bit) => sum + bit, 0);
