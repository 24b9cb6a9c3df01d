import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { Random } from '@rcnn/core/random';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type PartialConfig, resume, type TrainEvent, train } from '../src/index.ts';
import { tinyMaskRcnn } from './tiny-architecture.ts';

// The whole of it on the default engine: files, augmentation, Mask R-CNN, AdamW, averages. trainer.test.ts does the same
// with a toy. RCNN_STOPS sets how often; a release run asks for 100.
const STOPS = Number(process.env.RCNN_STOPS ?? 2);
const STEPS = 9; // three epochs of three steps

// Nothing of what is drawn goes into the weights, and it takes longer than nine steps: train.test.ts looks at it.
const { write, draw } = vi.hoisted(() => {
  const dot = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  return {
    write: async (): Promise<void> => {},
    draw: async (path: string): Promise<void> => (await import('node:fs')).writeFileSync(path, dot, 'base64'),
  };
});
vi.mock('../src/report/write-report.ts', () => ({ writeReport: write }));
vi.mock('../src/report/pictures.ts', async (original) => ({
  ...(await original<object>()),
  drawBatch: draw,
  drawExamples: draw,
  drawReport: draw,
}));

const architectures = [tinyMaskRcnn];

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stops-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 6, val: 1 }, size: [48, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const config = (name: string): PartialConfig => ({
  data: join(folder, 'data'),
  preset: 'quick',
  arch: tinyMaskRcnn.name,
  augment: 'level1',
  minSize: 48,
  maxSize: 64,
  proposals: 30,
  batchSize: 2,
  workers: 0,
  engine: 'onnxruntime',
  out: join(folder, 'runs'),
  name,
  steps: STEPS,
  evaluateEvery: 99,
  ema: 0.9,
});

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

test(`a Mask R-CNN stopped at ${STOPS} random steps and resumed ends with the same bits`, async () => {
  const { folder: whole } = await train(config('whole'), { architectures });
  const wanted = digest(whole.last);
  const random = new Random(23);
  const ended: string[] = [];
  for (let round = 0; round < STOPS; round++) {
    const stopAfter = 1 + random.integer(STEPS - 1);
    let steps = 0;
    const onEvent = ({ kind }: TrainEvent): void => void (kind === 'step' && steps++);
    const stopped = await train(config(`parts-${round}`), {
      architectures,
      onEvent,
      shouldStop: () => steps >= stopAfter,
    });
    expect(stopped).toMatchObject({ reason: 'stopped', position: { step: stopAfter } });
    const parts = await resume(stopped.folder.path, {}, { architectures });
    ended.push(digest(parts.folder.last));
    rmSync(parts.folder.path, { recursive: true });
  }
  expect(ended.filter((one) => one !== wanted)).toEqual([]);
  expect(ended).toHaveLength(STOPS);
});
