import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PixelImage, Target } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import { afterAll, expect, test } from 'vitest';
import { loadBatch, saveBatch } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'failed-batch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes: PixelImage = { data: Uint8Array.from({ length: 36 }, (_, i) => i), height: 3, width: 4, channels: 3 };
const floats: PixelImage = { data: Float32Array.of(0.1, 0.2, 0.3), height: 1, width: 1, channels: 3 };

test('a batch comes back as the model was given it: every field of its targets', async () => {
  const full = {
    boxes: Float32Array.of(0, 0, 2, 2, 1, 1, 4, 3),
    labels: Int32Array.of(1, 2),
    masks: [Mask.fromBox([0, 0, 2, 2], [3, 4]), Mask.fromBox([1, 1, 3, 2], [3, 4])],
    keypoints: Float32Array.from({ length: 12 }, (_, i) => i / 7),
    crowd: Uint8Array.of(0, 1),
    area: Float64Array.of(0.1, 6),
    imageId: 12,
    difficult: Uint8Array.of(1, 0), // a field of one's own
  } satisfies Target & { difficult: Uint8Array };
  const empty: Target = { boxes: new Float32Array(), labels: new Int32Array(), masks: [], crowd: new Uint8Array() };
  const bare: Target = { boxes: Float32Array.of(0, 0, 1, 1), labels: Int32Array.of(3), imageId: 'b.png' };
  const path = join(folder, 'batch.safetensors');
  await saveBatch(path, [
    { images: [bytes, floats], targets: [full, empty] },
    { images: [floats], targets: [bare] },
  ]);
  const [first, second] = await loadBatch(path);
  expect(first!.images).toEqual([bytes, floats]);
  const [{ masks, ...numbers }, nothing] = first!.targets as [Target, Target];
  const { masks: expected, ...rest } = full;
  expect(numbers).toEqual(rest);
  expect(masks!.map((mask) => [...mask.bitmap()])).toEqual(expected.map((mask) => [...mask.bitmap()]));
  expect(nothing).toEqual(empty);
  expect(second).toEqual({ images: [floats], targets: [bare] });
});
