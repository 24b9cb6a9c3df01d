import { type Detector, type PixelImage, Random, type Target, useEngine } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { architectures, checkOptions } from '../src/index.ts';

// Who trains on things of one kind, as most do, has one class beside the background: for each method it is an edge.
const SIDE = 64;
const small = architectures.filter(({ name }) => name.endsWith('_small'));

beforeAll(() => useEngine('onnxruntime'));

function picture(seed: number): PixelImage {
  const random = new Random(seed);
  const data = Float32Array.from({ length: 3 * SIDE * SIDE }, () => random.uniform());
  return { data, height: SIDE, width: SIDE, channels: 3 };
}

/** A square in each quarter, of the one class that there is. */
function truth(): Target {
  const corners = [8, 40];
  const boxes = corners.flatMap((y) => corners.flatMap((x) => [x, y, x + 20, y + 20]));
  const masks = corners.flatMap((y) =>
    corners.map((x) => {
      const bitmap = new Uint8Array(SIDE * SIDE);
      for (let row = y; row < y + 20; row++) bitmap.fill(1, row * SIDE + x, row * SIDE + x + 20);
      return Mask.fromBitmap(bitmap, [SIDE, SIDE]);
    }),
  );
  const keypoints = Float32Array.from({ length: 4 * 17 * 3 }, (_, i) => {
    const [object, of] = [Math.floor(i / 51), i % 3];
    return of === 2 ? 2 : boxes[4 * object + of]! + 10;
  });
  return { boxes: Float32Array.from(boxes), labels: new Int32Array(4).fill(1), masks, keypoints };
}

test.each(small.map(({ name }) => name))('%s learns and finds one class', async (name) => {
  const architecture = small.find((one) => one.name === name)!;
  const model: Detector = architecture.build({
    numClasses: 2,
    options: checkOptions(architecture, {}),
    scoreThreshold: 0,
    random: new Random(1),
  });
  const losses = await model.losses([picture(1), picture(2)], [truth(), truth()], { random: new Random(2) });
  for (const [loss, value] of Object.entries(losses)) expect([loss, Number.isFinite(value.dataSync()[0])]).toEqual([loss, true]); // biome-ignore format: one line
  tf.dispose(Object.values(losses));
  const [found] = await model.detect([picture(3)]);
  expect(new Set(found!.map(({ label }) => label))).toEqual(new Set([1]));
  model.dispose();
});

test('these are all the small ones', () => expect(small.length).toBe(9));
