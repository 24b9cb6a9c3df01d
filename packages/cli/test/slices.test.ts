import { Mask } from '@rcnn/masks';
import { describe, expect, test } from 'vitest';
import { cut, detectInSlices, merged, placedRuns, slicesOf } from '../src/predict/slices.ts';
import { patches, picture } from './support/stand-in.ts';

describe('slices', () => {
  test.each([
    [[100, 100], 100, 0.2, 1],
    [[100, 250], 100, 0.2, 3],
    [[101, 100], 100, 0.5, 2],
    [[1, 1], 640, 0.2, 1],
    [[301, 517], 64, 0.9, 41 * 77],
  ] as const)('of %j at %i, overlap %d', (size, side, overlap, count) => {
    const slices = slicesOf(size, side, overlap);
    expect(slices).toHaveLength(count);
    const covered = new Uint8Array(size[0] * size[1]);
    for (const { left, top, width, height } of slices) {
      expect([width, height]).toEqual([Math.min(side, size[1]), Math.min(side, size[0])]);
      for (let y = top; y < top + height; y++) covered.fill(1, y * size[1] + left, y * size[1] + left + width);
    }
    expect(covered.indexOf(0)).toBe(-1);
    const lefts = [...new Set(slices.map(({ left }) => left))];
    lefts.slice(1).forEach((left, i) => expect(left - lefts[i]!).toBeLessThanOrEqual(Math.ceil(side * (1 - overlap))));
  });

  test('have the pixels of the image', () => {
    const image = picture([6, 8], [[3, 2, 2, 1]]);
    expect(cut(image, { left: 3, top: 2, width: 2, height: 3 })).toEqual(picture([3, 2], [[0, 0, 2, 1]]));
  });
});

test('masks of a part come to their place in the whole, to the last pixel', () => {
  const part = [7, 5] as const;
  for (let seed = 0; seed < 50; seed++) {
    const bits = Uint8Array.from({ length: 35 }, (_, i) => Number((i * 7919 + seed * 104729) % 13 < seed % 14));
    const [top, left] = [seed % 4, seed % 6];
    const size = [top + 7 + (seed % 3), left + 5 + (seed % 2)] as const;
    const whole = new Uint8Array(size[0] * size[1]);
    for (let y = 0; y < 7; y++) whole.set(bits.subarray(y * 5, y * 5 + 5), (y + top) * size[1] + left);
    const runs = placedRuns(Mask.fromBitmap(bits, [...part]).runLengths(), [top, left], size);
    expect(runs.counts.reduce((sum, count) => sum + count, 0)).toBe(size[0] * size[1]);
    expect(Mask.fromRuns(runs).bitmap()).toEqual(whole);
    expect(Mask.fromRuns(runs).rle()).toEqual(Mask.fromBitmap(whole, [...size]).rle());
  }
});

test('each object is found once, whole, whatever the slices cut', async () => {
  const squares = [[5, 5, 9, 1], [60, 20, 12, 2], [118, 70, 10, 3], [40, 40, 45, 3]] as const; // biome-ignore format: rows
  const image = picture([100, 130], squares);
  // A model that sees nothing smaller than an eighth of what it is shown: the whole picture hides the small ones.
  const blind = async (part: typeof image) =>
    (await patches.detect([part], { maskThreshold: 0.5 }))[0]!.filter(
      ({ box }) => box[2] - box[0] > Math.max(part.width, part.height) / 8,
    );
  expect(await blind(image)).toHaveLength(1);
  const found = await detectInSlices(blind, image, { side: 40, overlap: 0.5 });
  expect(found.map(({ box, label }) => [...box, label]).toSorted((a, b) => a[0]! - b[0]!)).toEqual(
    [...squares].map(([x, y, side, label]) => [x, y, x + side, y + side, label]).toSorted((a, b) => a[0]! - b[0]!),
  );
  for (const { mask, box } of found) {
    expect(mask!.size).toEqual([100, 130]);
    expect(mask!.bitmap().reduce((sum, bit) => sum + bit, 0)).toBe((box[2] - box[0]) ** 2);
    expect(mask!.soft().reduce((sum, value) => sum + value, 0)).toBe((box[2] - box[0]) ** 2);
  }
});

test('two objects of different classes in one place stay two', () => {
  const box = [0, 0, 10, 10] as const;
  const detections = [
    { box, label: 1, score: 0.9 },
    { box, label: 2, score: 0.8 },
    { box, label: 1, score: 0.7 },
    { box: [8, 0, 18, 10] as const, label: 1, score: 0.6 },
  ];
  expect(merged(detections).map(({ score }) => score)).toEqual([0.9, 0.8, 0.6]);
});
