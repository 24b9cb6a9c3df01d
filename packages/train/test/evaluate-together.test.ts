import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dataset } from '@rcnn/coco-data';
import { findSources, openSource, writeShapes } from '@rcnn/coco-data/node';
import type { Detection, Detector, PixelImage } from '@rcnn/core';
import { inTurns } from '@rcnn/distributed/testing';
import { Mask } from '@rcnn/masks';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluateModel, evaluateTogether, type ModelEvaluation } from '../src/index.ts';
import { ready } from './engine.ts';

const IMAGES = 7;
let folder: string;
let whole: Dataset;
let damaged: Dataset;
beforeAll(async () => {
  await ready;
  folder = mkdtempSync(join(tmpdir(), 'evaluate-together-'));
  const open = async (name: string): Promise<Dataset> => {
    await writeShapes(join(folder, name), { splits: { val: IMAGES }, size: [40, 56] });
    return (await openSource((await findSources(join(folder, name)))[0]!)).trainable();
  };
  whole = await open('whole');
  damaged = await open('damaged');
  const picture = readdirSync(join(folder, 'damaged'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.png'))
    .toSorted()[3]!;
  writeFileSync(join(folder, 'damaged', picture), 'no picture any more');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Whatever is not of the color of the corner is one object, of a class that its size says; some classes do not exist. */
const looking: Detector = {
  spec: { numClasses: 9, learnsFrom: [], finds: ['boxes', 'masks'], isPredictor: () => false } as never,
  detect: async (images) => (images as readonly PixelImage[]).map(lookAt),
  losses: async (images) => {
    const [image] = images as readonly PixelImage[];
    const sum = [...image!.data].reduce((all, value) => all + value, 0);
    // A training that diverged has such losses: they must not get lost on the way.
    return { loss_sum: tf.scalar(sum / 3), loss_strange: tf.scalar(sum % 2 === 0 ? Number.NaN : 1) };
  },
} as Partial<Detector> as Detector;

function lookAt({ data, width, height }: PixelImage): Detection[] {
  const other = (at: number): boolean => [0, 1, 2].some((k) => Math.abs(data[3 * at + k]! - data[k]!) > 60);
  const bitmap = Uint8Array.from({ length: width * height }, (_, at) => (other(at) ? 1 : 0));
  const mask = Mask.fromBitmap(bitmap, [height, width]);
  if (mask.area() === 0) return [];
  const soft = (): Float32Array => Float32Array.from(bitmap);
  const seen = { box: mask.box(), mask: Object.assign(mask, { soft }) };
  return [
    { ...seen, label: 1 + (mask.area() % 3), score: 0.5 + (mask.area() % 50) / 101 },
    { ...seen, label: 8, score: 0.9 },
  ];
}

/** All that is said, but for how long it took. */
function said({ record, scores, predictions, skipped, uncategorized }: ModelEvaluation): unknown {
  const { seconds: _, ...numbers } = record;
  return { numbers, scores, predictions, skipped, uncategorized };
}

test.each([1, 2, 3, 9])('%i ranks find together what one finds', async (size) => {
  const alone = await evaluateModel(looking, whole, { examples: 2, worst: 1 });
  expect(alone.predictions.length).toBeGreaterThan(3);
  const ranks = await inTurns(size, (group) => evaluateTogether(group, looking, whole, { examples: 2, worst: 1 }));
  const results = ranks.map((rank) => (rank.status === 'fulfilled' ? rank.value : rank.reason));
  expect(results.slice(1)).toEqual(new Array(size - 1).fill(undefined));
  const together = results[0] as ModelEvaluation;
  expect(said(together)).toEqual(said(alone));
  expect(together.record.losses['loss_strange']).toBe(alone.record.losses['loss_strange']);
  expect(together.examples.length).toBeGreaterThanOrEqual(Math.min(2, IMAGES / size));
});

test('an image that cannot be read is left out by all, and too many of them end all', async () => {
  const options = { badSamples: 'skip', maxSkipRate: 0.2 } as const;
  const alone = await evaluateModel(looking, damaged, options);
  expect(alone.skipped.map(({ index }) => index)).toEqual([3]);
  const [first] = await inTurns(2, (group) => evaluateTogether(group, looking, damaged, options));
  expect(said((first as PromiseFulfilledResult<ModelEvaluation>).value)).toEqual(said(alone));
  const codesOf = async (more: object): Promise<string[]> => {
    const ended = await inTurns(2, (group) => evaluateTogether(group, looking, damaged, more));
    return ended.map((rank) => (rank.status === 'rejected' ? String((rank.reason as { code?: string }).code) : 'fine'));
  };
  expect(await codesOf({ badSamples: 'skip', maxSkipRate: 0 })).toEqual(['DATASET_INVALID', 'PEER_FAILED']);
  const [own, other] = await codesOf({ badSamples: 'fail' });
  expect([own, other]).toEqual(['PEER_FAILED', 'IMAGE_CORRUPT']);
});

test('a rank that is told to stop stops all', async () => {
  const onProgress = (): void => {
    throw Object.assign(new Error('stop'), { code: 'INTERRUPTED' });
  };
  const ended = await inTurns(2, (group) =>
    evaluateTogether(group, looking, whole, group.rank === 1 ? { onProgress } : {}),
  );
  expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
