import { Random } from '@rcnn/core/random';
import { expectClose } from '@rcnn/core/testing';
import { expect, test } from 'vitest';
import {
  cropScene,
  flipScene,
  iouCrop,
  PatchMask,
  type Projection,
  resizeScene,
  type Scene,
  sceneOf,
  targetOf,
  warpScene,
  zoomOut,
} from '../src/index.ts';
import { pattern } from './scenes.ts';

/** A 6 x 8 image with one object: rows 1 … 3, columns 2 … 5. */
function oneObject(): Scene {
  const mask = PatchMask.fromPatch([6, 8], { x: 2, y: 1, width: 4, height: 3 }, new Uint8Array(12).fill(1));
  return sceneOf(pattern(6, 8), {
    boxes: Float32Array.of(2, 1, 6, 4),
    labels: Int32Array.of(3),
    masks: [mask],
    keypoints: Float32Array.of(2, 1, 2, 6, 4, 1, 0, 0, 0),
    area: Float64Array.of(12),
  });
}

test('flip: key points change places as the data say, where nobody says otherwise', () => {
  const scene = oneObject();
  const known = { ...scene, fields: { ...scene.fields, keypointPartners: [1, 0, 2] } };
  expect([...flipScene(known).objects[0]!.keypoints!]).toEqual([...flipScene(scene, [1, 0, 2]).objects[0]!.keypoints!]);
  expect(targetOf(sceneOf(known.image, targetOf(known))).keypointPartners).toEqual([1, 0, 2]);
});

test('flip: x becomes W - x for pixels, box, mask and keypoints', () => {
  const { image, objects } = flipScene(oneObject(), [1, 0, 2]);
  const before = oneObject().image;
  expect(image.data[0]).toBe(before.data[7 * 3]);
  expect(objects[0]!.box).toEqual([2, 1, 6, 4]);
  expect(objects[0]!.mask!.box).toEqual([2, 1, 6, 4]);
  expect([...objects[0]!.keypoints!]).toEqual([2, 4, 1, 6, 1, 2, 0, 0, 0]); // swapped; unlabelled stays zero
});

test('resize: boxes and keypoints by the real ratio per axis, area by both', () => {
  const { objects } = resizeScene(oneObject(), [9, 20]);
  expectClose(objects[0]!.box as unknown as number[], [5, 1.5, 15, 6]);
  expectClose(objects[0]!.keypoints!, [5, 1.5, 2, 15, 6, 1, 0, 0, 0]);
  expectClose(objects[0]!.area!, 12 * 1.5 * 2.5);
});

test('crop: a cut object gets the box of what is left, points outside are unlabelled', () => {
  const { image, objects, dropped } = cropScene(oneObject(), { x: 4, y: 0, width: 6, height: 3 });
  expect([image.height, image.width]).toEqual([3, 6]);
  expect([...image.data.subarray(4 * 3, 5 * 3)]).toEqual([123, 117, 104]); // beyond the image: mean colour
  expect(objects[0]!.box).toEqual([0, 1, 2, 3]);
  expect(objects[0]!.area).toBe(4);
  expect([...objects[0]!.keypoints!]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(dropped).toBe(0);
  expect(cropScene(oneObject(), { x: 0, y: 4, width: 8, height: 2 })).toMatchObject({ objects: [], dropped: 1 });
});

test('warp by a quarter turn equals turning by hand', () => {
  // (x, y) -> (6 - y, x): a 6 x 8 image becomes 8 x 6.
  const turn: Projection = [0, -1, 6, 1, 0, 0, 0, 0, 1];
  const { image, objects } = warpScene(oneObject(), turn, [8, 6]);
  const before = oneObject().image;
  for (let y = 0; y < 6; y++) {
    for (let x = 0; x < 8; x++) {
      const there = (x * 6 + (5 - y)) * 3;
      const here = (y * 8 + x) * 3;
      expect([...image.data.subarray(there, there + 3)]).toEqual([...before.data.subarray(here, here + 3)]);
    }
  }
  expect(objects[0]!.box).toEqual([2, 2, 5, 6]);
  expect(objects[0]!.mask!.area).toBe(12);
  expectClose(objects[0]!.keypoints!, [5, 2, 2, 2, 6, 1, 0, 0, 0]);
});

test('zoom out lays the whole image on a larger ground', () => {
  const scene = oneObject();
  for (let seed = 0; seed < 20; seed++) {
    const { image, objects } = zoomOut({ p: 1, side: [2, 2] }).apply(scene, new Random(seed));
    expect([image.height, image.width]).toEqual([12, 16]);
    const [x1, y1, x2, y2] = objects[0]!.box;
    expect([x2 - x1, y2 - y1, objects[0]!.mask!.area]).toEqual([4, 3, 12]);
  }
});

test('IoU crop keeps an object whose centre is inside, every time', () => {
  let cropped = 0;
  for (let seed = 0; seed < 200; seed++) {
    const { objects, image } = iouCrop({ overlaps: [0.1] }).apply(oneObject(), new Random(seed));
    expect(objects).toHaveLength(1);
    if (image.width < 8 || image.height < 6) cropped++;
  }
  expect(cropped).toBeGreaterThan(150);
});
