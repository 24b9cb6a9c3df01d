import { Mask } from '@rcnn/masks';
import { expect, test } from 'vitest';
import { evaluate } from '../src/index.ts';
import { addEdge, reachOf } from '../src/match/mask-edges.ts';
import { MaskArena } from '../src/read/segmentations.ts';

/** The edge by its definition: pixels of the mask with one outside of it, or of the image, within reach. */
function edgeOf(bitmap: Uint8Array, [height, width]: readonly [number, number], reach: number): Uint8Array {
  return bitmap.map((bit, at) => {
    const [y, x] = [Math.floor(at / width), at % width];
    if (bit === 0) return 0;
    for (let i = y - reach; i <= y + reach; i++) {
      for (let j = x - reach; j <= x + reach; j++) {
        if (i < 0 || j < 0 || i >= height || j >= width || bitmap[i * width + j] === 0) return 1;
      }
    }
    return 0;
  });
}

function countsOf(arena: MaskArena, mask: number): number[] {
  const ends = [...arena.ends.subarray(arena.starts[mask]!, arena.starts[mask + 1]!)];
  return ends.map((end, i) => end - (ends[i - 1] ?? 0));
}

/** Numbers in [0, 1) that are the same every time. */
function stream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
}

test('how far an edge reaches: a fiftieth of the diagonal, halves to the even side, at least one pixel', () => {
  expect([reachOf(480, 640), reachOf(5, 5), reachOf(75, 100), reachOf(105, 140)]).toEqual([16, 1, 2, 4]); // 16, 0.14, 2.5, 3.5
});

test.each(Array.from({ length: 30 }, (_, seed) => seed))('edges of masks of any form, seed %i', (seed) => {
  const next = stream(seed + 1);
  const [height, width] = [1 + Math.floor(next() * 130), 1 + Math.floor(next() * 130)];
  const bitmap = new Uint8Array(height * width);
  for (let k = 0; k < 3; k++) {
    const [y, x] = [Math.floor(next() * height), Math.floor(next() * width)];
    const [h, w] = [Math.floor(next() * height), Math.floor(next() * width)];
    for (let i = y; i < Math.min(height, y + h); i++) bitmap.fill(next() < 0.02 ? 0 : 1, i * width + x, i * width + Math.min(width, x + w)); // biome-ignore format: one line
  }
  if (seed % 5 === 0) bitmap.fill(seed % 10 === 0 ? 0 : 1);
  const [masks, edges] = [new MaskArena(), new MaskArena()];
  masks.addCounts(Mask.fromBitmap(bitmap, [height, width]).runLengths().counts, height, width);
  addEdge(masks, 0, edges);
  const expected = Mask.fromBitmap(edgeOf(bitmap, [height, width], reachOf(height, width)), [height, width]);
  expect(countsOf(edges, 0).join()).toBe([...expected.runLengths().counts].join());
  expect(edges.areas[0]).toBe(expected.bitmap().reduce((sum, bit) => sum + bit, 0));
});

test('a square a pixel too large: its mask is nearly right, its edge is not', () => {
  const size = [100, 100] as const; // edges of 3 pixels
  const rle = (side: number) => Mask.fromBox([20, 20, side, side], size).rle();
  const truth = {
    images: [{ id: 1, height: 100, width: 100 }],
    categories: [{ id: 1, name: 'square' }],
    annotations: [
      { id: 1, image_id: 1, category_id: 1, iscrowd: 0, area: 2500, bbox: [20, 20, 50, 50], segmentation: rle(50) },
    ],
  };
  const found = (side: number) => [
    { image_id: 1, category_id: 1, score: 0.9, bbox: [20, 20, side, side], segmentation: rle(side) },
  ];
  const ap = (side: number, iouType: 'segm' | 'boundary') => evaluate(truth, found(side), { iouType }).stats[0]!;
  expect(ap(50, 'segm')).toBeCloseTo(1, 10);
  expect(ap(50, 'boundary')).toBeCloseTo(1, 10);
  // Masks: 2500 / 2601 = .961. Their edges, of 564 and 576 pixels, share two sides of three and two of two.
  expect(ap(51, 'segm')).toBeCloseTo(1, 10);
  const [own, larger] = [50, 51].map((side) => edgeOf(Mask.fromBox([20, 20, side, side], size).bitmap(), size, 3));
  const count = (edge: Uint8Array): number => edge.reduce((sum, bit) => sum + bit, 0);
  const both = count(own!.map((bit, at) => bit & larger![at]!));
  const iou = both / (count(own!) + count(larger!) - both);
  const reached = Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i).filter((threshold) => iou >= threshold).length;
  expect(reached).toBeLessThan(10);
  expect(ap(51, 'boundary')).toBeCloseTo(reached / 10, 10);
});
