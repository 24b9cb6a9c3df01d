import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AnchorGenerator, type AnchorGeneratorOptions } from '../src/index.ts';

/** `x1, y1, x2, y2` of one map's anchors, as three programs have them. */
const fixture = JSON.parse(readFileSync(new URL('fixtures/orders.json', import.meta.url), 'utf8')) as Record<
  string,
  number[]
>;

const DOCUMENT = { rounded: false, outer: 'size' } as const;
const C4 = { ...DOCUMENT, sizes: [[32, 64, 128, 256, 512]], strides: [16] } as const;

// torchvision 0.29.1, the single-map detector of the VOC recipe, detectron2 at commit 02b5c4e2.
test.each<[string, AnchorGeneratorOptions, readonly [number, number], readonly [number, number]]>([
  ['c5.cell.torchvision', {}, [1, 1], [32, 32]],
  ['c5.cell.seed_document', DOCUMENT, [1, 1], [32, 32]],
  ['c4.cell.detectron2', C4, [1, 1], [16, 16]],
  ['c4.grid_3x4.detectron2', { ...C4, offset: 0.5 }, [3, 4], [45, 61]],
  ['c5.a.torchvision', {}, [8, 11], [256, 352]],
])('%s', (name, options, grid, padded) => {
  const [anchors] = new AnchorGenerator(options).forward([grid], padded);
  const expected = fixture[name]!;
  expect(anchors!.length).toBe(expected.length);
  const worst = anchors!.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(worst).toBeLessThan(1e-4);
});

test('strides for another number of levels are refused', () => {
  expect(() => new AnchorGenerator({ sizes: [[32], [64]], strides: [4] })).toThrow('one stride per level');
});
