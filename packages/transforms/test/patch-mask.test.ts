import type { RunLengths } from '@rcnn/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PatchMask } from '../src/index.ts';

/** Row-major bitmap to column-major runs, the slow way. */
function runs(bitmap: ArrayLike<number>, height: number, width: number): RunLengths {
  const counts: number[] = [];
  let [value, run] = [0, 0];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if (bitmap[y * width + x] === value) run++;
      else {
        counts.push(run);
        [value, run] = [1 - value, 1];
      }
    }
  }
  return { size: [height, width], counts: Uint32Array.from([...counts, run]) };
}

const bitmaps = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })).chain(([height, width]) =>
  fc.record({
    height: fc.constant(height),
    width: fc.constant(width),
    bits: fc.array(fc.constantFrom<number[]>(0, 0, 1), { minLength: height * width, maxLength: height * width }),
  }),
);

/** A mask whose pixels come from a function of the old bitmap. */
function expected(height: number, width: number, pixel: (y: number, x: number) => number | undefined): number[] {
  return Array.from({ length: height * width }, (_, i) => pixel(Math.floor(i / width), i % width) ?? 0);
}

test('runs in, the same runs and the same bitmap out', () => {
  fc.assert(
    fc.property(bitmaps, ({ height, width, bits }) => {
      const patch = PatchMask.fromRunLengths(runs(bits, height, width));
      expect([...patch.bitmap()]).toEqual(bits);
      expect([...patch.runLengths().counts]).toEqual([...runs(bits, height, width).counts]);
      expect(patch.area).toBe(bits.reduce((sum: number, bit) => sum + bit, 0));
    }),
  );
});

test('flip, crop and resize move pixels as they would move in a bitmap', () => {
  const cases = fc.tuple(
    bitmaps,
    fc.integer({ min: -5, max: 8 }),
    fc.integer({ min: -5, max: 8 }),
    fc.integer({ min: 1, max: 14 }),
    fc.integer({ min: 1, max: 14 }),
  );
  fc.assert(
    fc.property(cases, ([{ height, width, bits }, dx, dy, h, w]) => {
      const patch = PatchMask.fromRunLengths(runs(bits, height, width));
      const at = (y: number, x: number): number | undefined =>
        x < 0 || y < 0 || x >= width || y >= height ? undefined : bits[y * width + x];
      expect([...patch.flip().bitmap()]).toEqual(expected(height, width, (y, x) => at(y, width - 1 - x)));
      expect([...patch.crop({ x: dx, y: dy, width: w, height: h }).bitmap()]).toEqual(
        expected(h, w, (y, x) => at(y + dy, x + dx)),
      );
      expect([...patch.resize([h, w]).bitmap()]).toEqual(
        expected(h, w, (y, x) => at(Math.floor((y * height) / h), Math.floor((x * width) / w))),
      );
    }),
    { numRuns: 500 },
  );
});

test('the box is tight after every step', () => {
  fc.assert(
    fc.property(bitmaps, bitmaps, ({ height, width, bits }, other) => {
      const mask = PatchMask.fromRunLengths(runs(bits, height, width));
      const above = PatchMask.fromRunLengths(runs(other.bits, other.height, other.width));
      const left = mask.without(above);
      const bitmap = left.bitmap();
      const [x1, y1, x2, y2] = left.box;
      const set = [...bitmap.keys()].filter((i) => bitmap[i] === 1);
      const xs = set.map((i) => i % width);
      const ys = set.map((i) => Math.floor(i / width));
      if (set.length === 0) expect(left.isEmpty).toBe(true);
      else
        expect([x1, y1, x2, y2]).toEqual([Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1]);
      for (const i of set) expect(above.has(i % width, Math.floor(i / width))).toBe(false);
    }),
  );
});
