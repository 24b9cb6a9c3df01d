import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainCoco } from '../src/main.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'train-coco-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 6, val: 2 }, size: [64, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

test('the recipe runs on a COCO folder, with the learning rate scaled to its batch', async () => {
  const {
    folder: run,
    position,
    scores,
  } = await trainCoco(join(folder, 'data'), {
    arch: 'maskrcnn_small',
    engine: 'onnxruntime',
    out: join(folder, 'runs'),
    epochs: 1,
  });
  expect(position.step).toBe(3); // six images, two at a time
  expect(scores?.['segm/AP']).toBeGreaterThanOrEqual(0);
  expect(readFileSync(run.config, 'utf8')).toMatch(/schedule: multistep[\s\S]*milestones:\s+- 16\s+- 22/);
  const lines = readFileSync(join(run.path, 'metrics.jsonl'), 'utf8').trim().split('\n');
  // 0.02 / 16 images * 2, after two of the two steps of warm-up
  expect((JSON.parse(lines[2]!) as { learningRate: number }).learningRate).toBeCloseTo(0.0025, 12);
});
