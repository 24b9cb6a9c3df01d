import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import type { PixelImage } from '@rcnn/core';
import { loadDetector } from '@rcnn/models/node';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PartialConfig, type TrainResult, train } from '../src/index.ts';
import { tinyMaskRcnn } from './tiny-architecture.ts';

// Several things at once in one process: each must come out as it does alone.
const architectures = [tinyMaskRcnn];

let folder: string;
let alone: TrainResult;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'together-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 4, val: 1 }, size: [48, 48] });
  alone = await train(config('alone'), { architectures });
});
afterAll(() => rmSync(folder, { recursive: true }));

function config(name: string): PartialConfig {
  return {
    data: join(folder, 'data'),
    preset: 'quick',
    arch: tinyMaskRcnn.name,
    minSize: 48,
    maxSize: 48,
    proposals: 20,
    batchSize: 1,
    workers: 0,
    engine: 'onnxruntime',
    out: join(folder, 'runs'),
    name,
    steps: 3,
  };
}

const image: PixelImage = {
  data: Uint8Array.from({ length: 48 * 48 * 3 }, (_, i) => (i * 37) % 251),
  height: 48,
  width: 48,
  channels: 3,
};

const digest = ({ folder: { last } }: TrainResult): string =>
  createHash('sha256').update(readFileSync(last)).digest('hex');

test('two trainings end with the bits of one, each in a folder of its own', async () => {
  const before = tf.memory().numTensors;
  const both = await Promise.all([train(config('two'), { architectures }), train(config('two'), { architectures })]);
  expect(new Set(both.map((one) => one.folder.path)).size).toBe(2);
  expect(both.map(digest)).toEqual([digest(alone), digest(alone)]);
  expect(tf.memory().numTensors).toBe(before);
});

test('a model that detects while another trains: neither changes the other', async () => {
  const before = tf.memory().numTensors;
  const { model } = await loadDetector(alone.folder.last, { architectures });
  const seen = async (): Promise<string> =>
    JSON.stringify((await model.detect([image]))[0]!.map(({ box, score, label }) => [...box, score, label]));
  const wanted = await seen();
  const done = new AbortController();
  const training = train(config('with'), { architectures }).finally(() => done.abort());
  const wrong: string[] = [];
  let count = 0;
  for (; !done.signal.aborted; count++) {
    const found = await seen();
    if (found !== wanted) wrong.push(found);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(digest(await training)).toBe(digest(alone));
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(1);
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

/** Open descriptors of this process, where the system shows them. */
const open = (): number => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0);

/** How many models a soak makes and disposes: RCNN_SOAK=300 for a release, 3 always. */
const MODELS = Number(process.env['RCNN_SOAK'] ?? 3);

describe(`${MODELS} models made, used and disposed`, () => {
  test('leave no tensor', async () => {
    const once = async (): Promise<void> => {
      const { model } = await loadDetector(alone.folder.last, { architectures });
      await model.detect([image]);
      model.dispose();
    };
    await once();
    const before = tf.memory();
    const resident = process.memoryUsage.rss();
    const descriptors = open();
    for (let i = 1; i <= MODELS; i++) await once();
    const { numTensors, numBytes } = tf.memory();
    expect([numTensors, numBytes]).toEqual([before.numTensors, before.numBytes]);
    expect(open()).toBeLessThanOrEqual(descriptors);
    // One model has 25 MB of weights: kept by fault they would be gigabytes at 300.
    expect(process.memoryUsage.rss() - resident).toBeLessThan(600 * 2 ** 20);
  });
});
