import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ImageSize } from '@rcnn/core';
import { Random } from '@rcnn/core/random';
import { expectClose } from '@rcnn/core/testing';
import { expect, test } from 'vitest';
import { resizePixels, resizeShortestSide, toFloats } from '../src/index.ts';
import { pattern, randomScene } from './scenes.ts';

interface Fixture {
  cases: { before: ImageSize; after: ImageSize; sha256: string }[];
}
const { cases } = JSON.parse(readFileSync(new URL('fixtures/resized.json', import.meta.url), 'utf8')) as Fixture;

test.each(cases)("bilinear from $before to $after is Pillow's, bit for bit", ({ before, after, sha256 }) => {
  const { data } = resizePixels(pattern(...before), after);
  expect(createHash('sha256').update(data).digest('hex')).toBe(sha256);
});

test('float images are resized alike, without the rounding', () => {
  const image = pattern(20, 30);
  const floats = resizePixels({ ...image, data: toFloats(image) }, [33, 17]);
  expectClose(floats.data as Float32Array, toFloats(resizePixels(image, [33, 17])), {
    absolute: 1.01 / 255,
    relative: 0,
  });
});

test('without antialias: half-pixel centres, as the model resizes', () => {
  // Row 0 of the ramp 0 … 11 in 3 x 4, resized to 5 x 6 by torch.
  const data = Float32Array.from({ length: 36 }, (_, i) => Math.floor(i / 3));
  const resized = resizePixels({ data, height: 3, width: 4, channels: 3 }, [5, 6], { antialias: false });
  const row = Array.from({ length: 6 }, (_, x) => resized.data[x * 3]!);
  expectClose(row, [0, 0.5, 1.166_666_7, 1.833_333_3, 2.5, 3]);
});

test.each([
  [480, 640, 800, 1066],
  [427, 640, 800, 1199],
  [640, 427, 1199, 800],
  [1080, 1920, 749, 1333],
  [3000, 400, 1333, 177],
  [97, 97, 799, 799],
])('the short side of %i x %i becomes 800, at most 1333, floored: %i x %i', (height, width, newHeight, newWidth) => {
  const scene = {
    ...randomScene(1),
    objects: [],
    image: { data: new Uint8Array(height * width * 3), height, width, channels: 3 as const },
  };
  const { image } = resizeShortestSide(800).apply(scene, new Random(1));
  expect([image.height, image.width]).toEqual([newHeight, newWidth]);
});
