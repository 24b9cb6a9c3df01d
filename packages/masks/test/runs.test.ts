import { RcnnError } from '@rcnn/core/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeColumns,
  decodeRows,
  encodeColumns,
  encodeRows,
  maskIoU,
  mergeRuns,
  runsArea,
  runsBox,
  runsFromBox,
  runsFromCounts,
  runsFromPolygons,
  runsFromString,
  runsToString,
} from '../src/index.ts';

/** A bitmap with object in the given rows and columns, ends included. */
function block(size: readonly [number, number], rows: [number, number], columns: [number, number]): Uint8Array {
  const bitmap = new Uint8Array(size[0] * size[1]);
  for (let y = rows[0]; y <= rows[1]; y++) bitmap.fill(1, y * size[1] + columns[0], y * size[1] + columns[1] + 1);
  return bitmap;
}

describe('values computed by pycocotools', () => {
  const a = encodeRows(block([4, 5], [1, 2], [1, 3]), [4, 5]);
  const b = encodeRows(block([4, 5], [2, 3], [2, 4]), [4, 5]);

  test('a block of rows 1-2, columns 1-3 in 4 x 5', () => {
    expect(runsToString(a)).toBe('5220003');
    expect([...a.counts]).toEqual([5, 2, 2, 2, 2, 2, 5]);
    expect(runsArea(a)).toBe(6);
    expect(runsBox(a)).toEqual([1, 1, 3, 2]);
    expect(runsToString(runsFromCounts([5, 2, 2, 2, 2, 2, 5], [4, 5]))).toBe('5220003');
  });

  test('IoU, as objects and as a crowd', () => {
    expect(runsToString(b)).toBe(':22000');
    expect(maskIoU([a], [b])[0]).toBe(0.2);
    expect(maskIoU([a], [b], [1])[0]).toBe(2 / 6);
  });

  test('polygons and boxes in 6 x 7', () => {
    const size = [6, 7] as const;
    expect(runsToString(runsFromPolygons([[1, 1, 1, 4, 5, 4, 5, 1]], size))).toBe('73300000;');
    expect(runsToString(runsFromBox([1, 1, 4, 3], size))).toBe('73300000;');
    expect(runsToString(runsFromPolygons([[1.5, 1.5, 5.2, 1.5, 3.3, 4.9]], size))).toBe('>152NN<');
    expect(runsToString(runsFromBox([1.4, 1.6, 2.2, 1.3], size))).toBe('815000`0');
    expect(runsToString(runsFromBox([0, 0, 7, 6], size))).toBe('0Z1');
  });
});

const bitmaps = fc
  .tuple(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 1, max: 23 }), fc.integer({ min: 1, max: 12 }))
  .chain(([height, width, run]) =>
    fc
      .array(fc.tuple(fc.integer({ min: 1, max: run }), fc.boolean()), { minLength: 1, maxLength: height * width })
      .map((runs) => {
        const bitmap = new Uint8Array(height * width);
        let at = 0;
        for (const [length, on] of runs) bitmap.fill(on ? 1 : 0, at, (at += length));
        return { bitmap, size: [height, width] as const };
      }),
  );

describe('round trips', () => {
  test('row-major and column-major bitmaps come back, and agree', () => {
    fc.assert(
      fc.property(bitmaps, ({ bitmap, size: [height, width] }) => {
        const runs = encodeRows(bitmap, [height, width]);
        expect(decodeRows(runs)).toEqual(bitmap);
        const columns = Uint8Array.from(bitmap, (_, i) => bitmap[(i % height) * width + Math.floor(i / height)]!);
        expect(decodeColumns(runs)).toEqual(columns);
        expect(encodeColumns(columns, [height, width])).toEqual(runs);
      }),
    );
  });

  test('strings come back', () => {
    fc.assert(
      fc.property(bitmaps, ({ bitmap, size }) => {
        const runs = encodeRows(bitmap, size);
        expect(runsFromString(runsToString(runs), size)).toEqual(runs);
      }),
    );
  });

  test('runs longer than 2^31 pixels keep every bit', () => {
    const size = [60_000, 60_000] as const;
    const runs = runsFromCounts([1, 3_000_000_000, 2, 5, 599_999_992], size);
    expect(runsFromString(runsToString(runs), size)).toEqual(runs);
  });

  test('any byte but 0 is object, wherever it stands in a word', () => {
    for (let at = 0; at < 16; at++) {
      const bitmap = new Uint8Array(16);
      bitmap[at] = 128;
      expect(runsArea(encodeRows(bitmap, [4, 4]))).toBe(1);
      expect(runsArea(encodeColumns(bitmap, [4, 4]))).toBe(1);
    }
  });

  test('a bitmap that does not begin at a word is read alike', () => {
    const bytes = new Uint8Array(65);
    bytes.fill(1, 10, 30);
    const shifted = bytes.subarray(1);
    expect(encodeColumns(shifted, [8, 8])).toEqual(encodeColumns(shifted.slice(), [8, 8]));
    expect(encodeRows(shifted, [8, 8])).toEqual(encodeRows(shifted.slice(), [8, 8]));
  });
});

describe('merge', () => {
  test('union and intersection equal those of the bitmaps', () => {
    fc.assert(
      fc.property(bitmaps, bitmaps, ({ bitmap, size }, other) => {
        const second = new Uint8Array(bitmap.length);
        second.set(other.bitmap.subarray(0, Math.min(bitmap.length, other.bitmap.length)));
        const masks = [encodeRows(bitmap, size), encodeRows(second, size)];
        const union = bitmap.map((v, i) => v | second[i]!);
        const shared = bitmap.map((v, i) => v & second[i]!);
        expect(mergeRuns(masks, 'union')).toEqual(encodeRows(union, size));
        expect(mergeRuns(masks, 'intersection')).toEqual(encodeRows(shared, size));
        const count = (b: Uint8Array): number => b.reduce((sum, v) => sum + v, 0);
        expect(maskIoU([masks[0]!], [masks[1]!])[0]).toBe(count(shared) === 0 ? 0 : count(shared) / count(union));
      }),
    );
  });

  test('masks of different sizes have no union and an IoU of -1', () => {
    const a = encodeRows(block([4, 5], [1, 2], [1, 3]), [4, 5]);
    const b = encodeRows(block([5, 4], [1, 2], [1, 3]), [5, 4]);
    expect(maskIoU([a], [b])[0]).toBe(-1);
    expect(() => mergeRuns([a, b])).toThrow(expect.objectContaining({ code: 'MASK_SIZE_MISMATCH' }));
  });
});

describe('masks without pixels', () => {
  test('an empty mask has area 0, no box and no overlap', () => {
    const empty = runsFromCounts([20], [4, 5]);
    expect([runsArea(empty), runsBox(empty), maskIoU([empty], [empty])[0]]).toEqual([0, [0, 0, 0, 0], 0]);
  });

  test('an image without pixels', () => {
    expect([...encodeRows(new Uint8Array(0), [0, 7]).counts]).toEqual([0]);
    expect(decodeRows(runsFromCounts([], [0, 7]))).toEqual(new Uint8Array(0));
  });

  test('runs of no pixels do not bend the box', () => {
    const runs = runsFromCounts([0, 0, 0, 0, 5, 2, 13], [4, 5]);
    expect(runsBox(runs)).toEqual([1, 1, 1, 2]);
  });
});

describe('what cannot be a mask is refused', () => {
  const refused = (body: () => unknown): string => {
    try {
      body();
    } catch (error) {
      if (error instanceof RcnnError) return error.code;
      throw error;
    }
    return 'accepted';
  };

  test.each([
    ['too few pixels', '522', [4, 5]],
    ['too many pixels', '5220003', [4, 4]],
    ['a character outside the code', '52 0003', [4, 5]],
    ['a character beyond bytes', '52Ā0003', [4, 5]],
    ['cut in the middle of a number', '522000`', [4, 5]],
    ['a number that never ends', 'oooooooooooo0', [4, 5]],
    ['a negative run', 'O', [4, 5]],
    ['an impossible size', '5220003', [1e9, 1e9]],
    ['a size that is not whole', '5220003', [4.5, 5]],
    ['a negative size', '5220003', [-4, -5]],
  ])('%s', (_, counts, size) => {
    expect(refused(() => runsFromString(counts, size as unknown as [number, number]))).toBe('RLE_INVALID');
  });

  test('counts that are negative, broken or too many', () => {
    expect(refused(() => runsFromCounts([5, -2, 17], [4, 5]))).toBe('RLE_INVALID');
    expect(refused(() => runsFromCounts([5.5, 14.5], [4, 5]))).toBe('RLE_INVALID');
    expect(refused(() => runsFromCounts([5, Number.NaN], [4, 5]))).toBe('RLE_INVALID');
    expect(refused(() => runsFromCounts([1e12], [4, 5]))).toBe('RLE_INVALID');
  });

  test('random strings are read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (text) => {
        expect(['accepted', 'RLE_INVALID']).toContain(refused(() => runsFromString(text, [7, 9])));
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['no polygon', []],
    ['two points', [[1, 1, 2, 2]]],
    ['an odd number of coordinates', [[1, 1, 2, 2, 3, 3, 4]]],
    ['not a number', [[1, 1, 2, Number.NaN, 3, 3]]],
    ['infinity', [[1, 1, 2, Number.POSITIVE_INFINITY, 3, 3]]],
    ['far outside 32 bits', [[1, 1, 2, 1e12, 3, 3]]],
    ['a flat list', [1, 1, 2, 2, 3, 3] as unknown as number[][]],
  ])('polygons: %s', (_, polygons) => {
    expect(refused(() => runsFromPolygons(polygons, [6, 7]))).toBe('POLYGON_INVALID');
  });

  test('a polygon that crosses its columns very often is filled alike from any start', () => {
    const fan = Array.from({ length: 20_000 }, (_, i) => [i % 2 === 0 ? 1 : 4, (i * i) % 401]).flat();
    const runs = runsFromPolygons([fan], [480, 640]);
    expect(runsArea(runs)).toBeGreaterThan(0);
    expect(runsFromPolygons([[...fan.slice(2468), ...fan.slice(0, 2468)]], [480, 640])).toEqual(runs);
  });

  test('a huge polygon costs no more than the image is wide', () => {
    const far = 4e8;
    const runs = runsFromPolygons([[-far, -far, far, -far, far, far, -far, far]], [480, 640]);
    expect(runsArea(runs)).toBe(480 * 640);
  });
});
