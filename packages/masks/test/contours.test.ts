import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contours, encodeRows, polygonsFromRuns, runsFromPolygons } from '../src/index.ts';

/** A mask drawn with characters; anything but a dot is object. */
function drawn(...rows: string[]): ReturnType<typeof encodeRows> {
  const bitmap = Uint8Array.from(rows.join(''), (c) => (c === '.' ? 0 : 1));
  return encodeRows(bitmap, [rows.length, rows[0]!.length]);
}

describe('contours', () => {
  test('a rectangle has four corners, clockwise from the top left', () => {
    const [part] = contours(drawn('.....', '.###.', '.###.', '.....'));
    expect(part).toEqual({ outer: expect.arrayContaining([1, 1, 4, 3]), holes: [] });
    expect(part!.outer).toHaveLength(8);
  });

  test('parts and holes are kept apart', () => {
    const parts = contours(drawn('####.#', '#..#.#', '####..', '#.##.#'));
    expect(parts.map(({ outer, holes }) => [outer.length / 2, holes.length])).toEqual([
      [8, 1],
      [4, 0],
      [4, 0],
    ]);
  });

  test('pixels that touch at a corner are two parts', () => {
    expect(contours(drawn('#.', '.#'))).toHaveLength(2);
    expect(contours(drawn('.#', '#.'))).toHaveLength(2);
  });

  test('nothing in, nothing out', () => expect(contours(drawn('...', '...'))).toEqual([]));
});

describe('polygons', () => {
  test('an island in a lake on an island comes back', () => {
    const runs = drawn('#######', '#.....#', '#.###.#', '#.#.#.#', '#.###.#', '#.....#', '#######');
    expect(runsFromPolygons(polygonsFromRuns(runs), runs.size)).toEqual(runs);
  });

  test('any mask fills to itself again', () => {
    const masks = fc
      .tuple(fc.integer({ min: 1, max: 14 }), fc.integer({ min: 1, max: 14 }))
      .chain(([h, w]) =>
        fc.tuple(fc.constant([h, w] as const), fc.array(fc.boolean(), { minLength: h * w, maxLength: h * w })),
      );
    fc.assert(
      fc.property(masks, ([size, pixels]) => {
        const runs = encodeRows(Uint8Array.from(pixels, Number), size);
        const polygons = polygonsFromRuns(runs);
        if (polygons.length === 0) return;
        expect(runsFromPolygons(polygons, size)).toEqual(runs);
      }),
      { numRuns: 400 },
    );
  });
});
