import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset, writeShapes } from '@rcnn/coco-data/node';
import { loadDetector } from '@rcnn/models/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluateModel, train } from '../src/index.ts';
import { ready } from './engine.ts';

const folder = mkdtempSync(join(tmpdir(), 'rcnn-weights-repeat-'));
const data = join(folder, 'shapes');

beforeAll(async () => {
  await ready;
  await writeShapes(data, { splits: { train: 4, val: 3 }, size: [64, 64], objects: [1, 2], tiny: 0, seed: 8 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('weights that are loaded find what the training says of them, with its options and losses', async () => {
  const model = { minSize: 64, maxSize: 64, proposals: 12, roisPerImage: 6, detections: 5 };
  const run = {
    data,
    preset: 'quick',
    arch: 'maskrcnn_small',
    model,
    batchSize: 2,
    steps: 2,
    evaluateEvery: 1,
    workers: 0,
  };
  const { folder: saved, scores } = await train({ ...run, scoreThreshold: 0, engine: 'onnxruntime', out: folder });
  const loaded = await loadDetector(saved.last, { scoreThreshold: 0 });
  expect(loaded.profile?.options).toMatchObject({ proposals: 12, roisPerImage: 6, detections: 5 });
  const again = await evaluateModel(loaded.model, await openDataset(data, { split: 'val' }));
  expect(again.scores['loss/val']).toBeGreaterThan(0);
  expect(again.scores).toEqual(scores);

  // Another training from these weights looks at as many regions as it is told, or as is usual.
  const { folder: next } = await train({ ...run, model: { minSize: 64, maxSize: 64 }, weights: saved.last, steps: 1, engine: 'onnxruntime', out: folder, name: 'next' }); // biome-ignore format: one line
  const { profile } = await loadDetector(next.last);
  expect(profile?.options).toMatchObject({ detections: 5 });
  expect(profile?.options).not.toHaveProperty('roisPerImage');
});
