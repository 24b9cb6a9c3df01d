import { isRcnnError } from '@rcnn/core';
import { expect, test } from 'vitest';
import { AnchorGenerator, pyramidAnchors } from '../src/index.ts';

test('base anchors of a pyramid, rounded half to even', () => {
  const shapes = (w: number, h: number, s: number): number[] => [-w, -h, w, h, -s, -s, s, s, -h, -w, h, w];
  expect(pyramidAnchors(5).baseAnchors.map((base) => [...base])).toEqual([
    shapes(23, 11, 16),
    shapes(45, 23, 32),
    shapes(91, 45, 64),
    shapes(181, 91, 128),
    shapes(362, 181, 256),
  ]);
});

test('halves go to the even whole number, on both sides of 0', () => {
  const base = (size: number): number[] => [
    ...new AnchorGenerator({ sizes: [[size]], aspectRatios: [1] }).baseAnchors[0]!,
  ];
  expect(base(33)).toEqual([-16, -16, 16, 16]); // 16.5
  expect(base(35)).toEqual([-18, -18, 18, 18]); // 17.5
  expect(base(34.98)).toEqual([-17, -17, 17, 17]);
});

test('800 x 1088: the number of anchors and the first of them', () => {
  const grids = [200, 100, 50, 25, 13].map((rows, i) => [rows, [272, 136, 68, 34, 17][i]!] as const);
  const anchors = pyramidAnchors(5).forward(grids, [800, 1088]);
  expect(anchors.map((level) => level.length / 4)).toEqual([163200, 40800, 10200, 2550, 663]);
  expect([...anchors[0]!.subarray(0, 16)]).toEqual([
    -23, -11, 23, 11, -16, -16, 16, 16, -11, -23, 11, 23, -19, -11, 27, 11,
  ]);
  // P6 has 13 rows: its step is floor(800 / 13) = 61 down and 64 across.
  expect([...anchors[4]!.subarray(17 * 12, 17 * 12 + 4)]).toEqual([-362, -181 + 61, 362, 181 + 61]);
  expect([...anchors[4]!.subarray(12, 16)]).toEqual([-362 + 64, -181, 362 + 64, 181]);
});

test('several sizes on a level: ratio outside, size inside', () => {
  const [base] = new AnchorGenerator({ sizes: [[10, 20]], aspectRatios: [1, 4] }).baseAnchors;
  expect([...base!]).toEqual([-5, -5, 5, 5, -10, -10, 10, 10, -2, -10, 2, 10, -5, -20, 5, 20]); // 2.5 to 2
  expect(new AnchorGenerator().anchorsPerCell).toEqual([9]);
});

test('ratios may differ by level', () => {
  const { baseAnchors } = new AnchorGenerator({ sizes: [[16], [16]], aspectRatios: [[1], [0.25, 4]] });
  expect(baseAnchors.map((base) => base.length / 4)).toEqual([1, 2]);
});

test('the same sizes give the same array again; many sizes do not pile up', () => {
  const generator = pyramidAnchors(1);
  const first = generator.forward([[3, 4]], [12, 16]);
  expect(generator.forward([[3, 4]], [12, 16])).toBe(first);
  expect(generator.forward([[3, 4]], [24, 16])).not.toBe(first);
  for (let i = 1; i < 40; i++) generator.forward([[i, 1]], [64, 64]);
  expect(generator.forward([[3, 4]], [12, 16])).not.toBe(first);
  expect(generator.forward([[3, 4]], [12, 16])).toEqual(first);
});

test('another number of levels is refused', () => {
  for (const [call, code] of [
    [() => pyramidAnchors(2).forward([[1, 1]], [32, 32]), 'SHAPE_MISMATCH'],
    [() => new AnchorGenerator({ sizes: [[8]], aspectRatios: [[1], [1]] }), 'INVALID_ARGUMENT'],
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
