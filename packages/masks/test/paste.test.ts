import { readFileSync } from 'node:fs';
import { expectClose } from '@rcnn/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRows, pasteMask, runsArea, runsBox } from '../src/index.ts';

const ones = new Float32Array(28 * 28).fill(1);

describe('torchvision', () => {
  test('a full mask in box [10, 20, 38, 48], as torchvision has it', () => {
    const mask = pasteMask(ones, [10, 20, 38, 48], [60, 60]);
    const runs = mask.runLengths();
    expect(runsBox(runs)).toEqual([10, 20, 29, 29]);
    expect(runsArea(runs)).toBe(841);
    const soft = mask.soft();
    expect(soft[20 * 60 + 10]).toBeCloseTo(0.905567, 6);
    expect(soft[20 * 60 + 11]).toBeCloseTo(0.951613, 6);
  });

  test('a box that grows to [-.6964, .0964, 5.1964, 6.2036] begins at pixel 0', () => {
    const soft = pasteMask(ones, [-0.5, 0.3, 5, 6], [60, 60]).soft();
    const touched = [...soft.keys()].filter((i) => soft[i]! > 0);
    const columns = touched.map((i) => i % 60);
    const rows = touched.map((i) => Math.floor(i / 60));
    expect([Math.min(...columns), Math.min(...rows), Math.max(...columns), Math.max(...rows)]).toEqual([0, 0, 5, 6]);
  });
});

interface Pasted {
  sum: number;
  above: number;
  samples: [number, number][];
}
const fixture = JSON.parse(readFileSync(new URL('fixtures/paste.json', import.meta.url), 'utf8')) as {
  size: [number, number];
  cases: { side: number; soft: number[]; box: number[]; torchvision: Pasted; detectron2: Pasted }[];
};

describe.each(['torchvision', 'detectron2'] as const)('%s, by its own code (tools/reference/paste.py)', (mode) => {
  test.each(fixture.cases.map((c, i) => [i, c] as const))('mask %i', (_, { soft, box, ...answers }) => {
    const mask = pasteMask(
      Float32Array.from(soft, (v) => v / 256),
      box,
      fixture.size,
      { mode },
    );
    const { sum, above, samples } = answers[mode];
    const image = mask.soft();
    expect(runsArea(mask.runLengths())).toBe(above);
    expect(image.reduce((total, v) => total + v, 0)).toBeCloseTo(sum, 3);
    expectClose(
      samples.map(([position]) => image[position]!),
      samples.map(([, value]) => value),
      { absolute: 2e-6, relative: 0 },
    );
  });
});

const cases = fc.record({
  side: fc.constantFrom(1, 2, 7, 14, 28),
  seed: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 }),
  box: fc.tuple(
    fc.double({ min: -30, max: 70, noNaN: true }),
    fc.double({ min: -30, max: 70, noNaN: true }),
    fc.double({ min: 0, max: 90, noNaN: true }),
    fc.double({ min: 0, max: 90, noNaN: true }),
  ),
  threshold: fc.constantFrom(0.5, 0.3, 0.05, 0.99, 0, -1, 1),
  mode: fc.constantFrom('torchvision' as const, 'detectron2' as const),
});

describe('run lengths', () => {
  test('are those of the soft mask at the threshold, pixel for pixel', () => {
    fc.assert(
      fc.property(cases, ({ side, seed, box: [x, y, w, h], threshold, mode }) => {
        const soft = Float32Array.from({ length: side * side }, (_, i) => seed[(i * 7 + (i >> 4)) % 16]!);
        const mask = pasteMask(soft, [x, y, x + w, y + h], [41, 53], { threshold, mode });
        const above =
          mode === 'torchvision' ? (v: number) => v > threshold : (v: number) => v >= Math.fround(threshold);
        const expected = encodeRows(
          Uint8Array.from(mask.soft(), (v) => (above(v) ? 1 : 0)),
          [41, 53],
        );
        expect(mask.runLengths()).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('a value at the threshold is outside in torchvision and inside in detectron2', () => {
    const half = new Float32Array(28 * 28).fill(0.5);
    expect(runsArea(pasteMask(half, [5, 5, 33, 33], [40, 40]).runLengths())).toBe(0);
    // 27 x 27, not 28 x 28: in float32 the outermost centres fall a hair outside, in detectron2 as here.
    expect(runsArea(pasteMask(half, [5, 5, 33, 33], [40, 40], { mode: 'detectron2' }).runLengths())).toBe(729);
  });
});

describe('odd boxes', () => {
  test.each([
    ['outside the image', [100, 100, 130, 130]],
    ['left of the image', [-60, 10, -40, 30]],
  ])('%s: an empty mask', (_, box) => {
    expect(runsArea(pasteMask(ones, box, [60, 60]).runLengths())).toBe(0);
  });

  test('no width and no height: one pixel, as in torchvision', () => {
    expect(runsArea(pasteMask(ones, [10.2, 10.2, 10.2, 10.2], [60, 60]).runLengths())).toBe(1);
  });

  test.each([
    ['not a number', 'BOX_DEGENERATE', () => pasteMask(ones, [1, 2, Number.NaN, 4], [60, 60])],
    ['soft mask not square', 'SHAPE_MISMATCH', () => pasteMask(new Float32Array(27), [1, 2, 3, 4], [60, 60])],
    ['no size', 'RLE_INVALID', () => pasteMask(ones, [1, 2, 3, 4], [60, -1])],
    ['no threshold', 'INVALID_ARGUMENT', () => pasteMask(ones, [1, 2, 3, 4], [6, 6], { threshold: Number.NaN })],
  ])('%s is refused', (_, code, body) => {
    expect(body).toThrow(expect.objectContaining({ code }));
  });
});
