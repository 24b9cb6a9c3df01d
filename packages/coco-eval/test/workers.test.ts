import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { isRcnnError, type RcnnError } from '@rcnn/core/errors';
import { afterAll, expect, test } from 'vitest';
import {
  type CocoResult,
  detectionsFrom,
  groundTruthFrom,
  type IoUType,
  parseDetections,
  parseGroundTruth,
} from '../src/index.ts';
import { evaluateFiles, evaluateWithWorkers } from '../src/node/index.ts';
import { digests, readJson } from './helpers.ts';
import { randomDataset } from './reference-cases.ts';

const directory = mkdtempSync(join(tmpdir(), 'rcnn-workers-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Of each kind the first seeds whose images outnumber the threads, so that each has a share. */
function seedsOf(kind: IoUType): number[] {
  const seeds = Array.from({ length: 200 }, (_, seed) => seed);
  const usable = seeds.filter((seed) => {
    const { kind: drawn, truth, results } = randomDataset(seed);
    return drawn === kind && truth.images.length > 3 && results.length > 8;
  });
  return usable.slice(0, 3);
}

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test.each(['bbox', 'segm', 'keypoints'] as const)('the same bits of %s for any number of workers', async (iouType) => {
  const seen = new Set<string>();
  for (const seed of seedsOf(iouType)) {
    const { truth, results, useCategories } = randomDataset(seed);
    const parsed = groundTruthFrom(truth);
    const read = parseGroundTruth(bytesOf(truth));
    const sides = [
      [parsed, detectionsFrom(results, parsed)],
      [read, parseDetections(bytesOf(results), read)],
    ] as const;
    for (const [columns, detections] of sides) {
      const digestOf = async (workers: number): Promise<Record<string, string>> =>
        digests(await evaluateWithWorkers(columns, detections, { iouType, useCategories, workers }));
      const alone = await digestOf(0);
      for (const workers of [1, 2, 3]) expect(await digestOf(workers)).toEqual(alone);
      seen.add(alone.scores_sha256!);
    }
  }
  expect(seen.size).toBe(3); // three datasets, three answers: the digests tell them apart
});

test('files are evaluated with workers', async () => {
  const truth = join(directory, 'truth.json');
  const found = join(directory, 'found.json');
  writeFileSync(truth, JSON.stringify(readJson('annotations.json')));
  writeFileSync(found, JSON.stringify(readJson('detections.json')));
  const expected = readJson('expected.json') as Record<'segm', { stats: number[]; summary: string }>;
  const { stats, summary } = await evaluateFiles(truth, found, { iouType: 'segm', workers: 2 });
  expect({ stats, summary }).toEqual({ stats: expected.segm.stats, summary: expected.segm.summary });
});

const counts = 'this is no mask';
const images = [1, 2, 3, 4].map((id) => ({ id, height: 10, width: 10 }));
const broken: CocoResult[] = images.map(({ id }) => ({
  image_id: id,
  category_id: 1,
  score: 0.5,
  segmentation: { size: [10, 10], counts: id === 1 ? [100] : counts },
}));

test('an error in a worker is the one without workers, and every thread ends', async () => {
  const truth = groundTruthFrom({ images, categories: [{ id: 1 }] });
  const detections = detectionsFrom(broken, truth);
  let [started, running] = [0, 0];
  const count = (worker: Worker): void => {
    started++;
    running++;
    worker.once('exit', () => running--);
  };
  process.on('worker', count);
  const failure = async (workers: number): Promise<unknown> => {
    const evaluation = evaluateWithWorkers(truth, detections, { iouType: 'segm', workers });
    const error = (await evaluation.catch((reason: unknown) => reason)) as RcnnError;
    expect(running).toBe(0);
    expect(isRcnnError(error)).toBe(true);
    const { code, message, where, place, found, expected, hint } = error;
    return { code, message, where, place, found, expected, hint };
  };
  const alone = await failure(0);
  expect(alone).toMatchObject({ code: 'DETECTION_INVALID', place: '/1/segmentation' });
  for (const workers of [1, 2, 9]) expect(await failure(workers)).toEqual(alone);
  expect(started).toBe(1 + 2 + images.length); // no thread without an image
  process.off('worker', count);
});

test('what cannot be a number of threads, and masks that cannot be sent, are refused', async () => {
  const truth = groundTruthFrom({ images, categories: [{ id: 1 }] });
  const detections = detectionsFrom(broken, truth);
  for (const workers of [-1, 1.5, Number.NaN]) {
    await expect(evaluateWithWorkers(truth, detections, { workers })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      place: 'workers',
    });
  }
  const own = { ...detections, segmentations: { has: () => false, hasSize: () => false, load: () => undefined } };
  await expect(evaluateWithWorkers(truth, own, { workers: 1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
