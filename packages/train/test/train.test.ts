import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { writeShapes } from '@rcnn/coco-data/node';
import { Random } from '@rcnn/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dryRun,
  type PartialConfig,
  type RunFolder,
  readMetrics,
  resume,
  type TrainEvent,
  type TrainResult,
  train,
} from '../src/index.ts';
import { tinyMaskRcnn } from './tiny-architecture.ts';

const architectures = [tinyMaskRcnn];

let folder: string;
let data: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'train-'));
  data = join(folder, 'data');
  await writeShapes(data, { splits: { train: 8, val: 2 }, size: [64, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The real loop on the default engine, on pictures small enough for a test. */
const config = (name: string, changes: PartialConfig = {}): PartialConfig => ({
  data,
  preset: 'quick',
  arch: tinyMaskRcnn.name,
  minSize: 64,
  maxSize: 64,
  proposals: 50,
  batchSize: 2,
  workers: 0,
  engine: 'onnxruntime',
  out: join(folder, 'runs'),
  name,
  epochs: 2,
  ema: 0.9,
  ...changes,
});

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
const stepsOf = (run: RunFolder) => readMetrics(join(run.path, 'metrics.jsonl')).filter(({ kind }) => kind === 'step');

describe('a training, whole and in two parts', () => {
  let whole: TrainResult;
  let stopped: TrainResult;
  let parts: TrainResult;
  const events: TrainEvent[] = [];

  beforeAll(async () => {
    whole = await train(config('whole'), { architectures, onEvent: (event) => events.push(event) });
    let steps = 0;
    const onEvent = ({ kind }: TrainEvent): void => void (kind === 'step' && steps++);
    stopped = await train(config('parts'), { architectures, onEvent, shouldStop: () => steps >= 5 }); // in the middle of epoch 2
    parts = await resume(stopped.folder.path, {}, { architectures });
  });

  test('a recipe that cannot work is warned of once, and the report repeats it', () => {
    const texts = events.filter(({ kind }) => kind === 'warning').map((event) => (event as { text: string }).text);
    const [few] = texts.filter((text) => text.startsWith('8 images cannot teach'));
    expect(few).toMatch(/--weights-backbone/);
    const report = readFileSync(whole.folder.report, 'utf8');
    expect(report).toContain('<h2>Next</h2>');
    expect(report).toContain(few!.slice(0, 60));
  });

  test('the first part stopped in the middle of an epoch', () => {
    expect(stopped).toMatchObject({ reason: 'stopped', position: { step: 5, epoch: 1, batch: 1 } });
  });

  test('both end at the same place with the same bits: weights, optimizer, averages', () => {
    expect(whole.position).toMatchObject({ step: 8, epoch: 2, batch: 0 });
    expect(parts.position).toEqual(whole.position);
    expect(digest(parts.folder.last)).toBe(digest(whole.folder.last));
    expect(digest(parts.folder.predictions)).toBe(digest(whole.folder.predictions));
  });

  test('and with the same losses, each step once', () => {
    const losses = (run: RunFolder) => stepsOf(run).map(({ step, loss, loss_mask }) => [step, loss, loss_mask]);
    expect(losses(parts.folder)).toEqual(losses(whole.folder));
    expect(stepsOf(whole.folder).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('the run folder has everything that it should', () => {
    for (const file of [
      'config.yaml',
      'environment.json',
      'metrics.jsonl',
      'results.csv',
      'evaluation.json',
      'analysis.json',
      'predictions.json',
      'report.html',
      'curves.json',
      'checkpoints/last.safetensors',
      'checkpoints/best.safetensors',
      'pictures/train_batch_0.png',
      'pictures/validation.png',
      'pictures/panels_0.png',
    ]) {
      expect(existsSync(join(whole.folder.path, file)) ? file : `${file} is missing`).toBe(file);
    }
    expect(existsSync(whole.folder.lock)).toBe(false);
    const report = readFileSync(whole.folder.report, 'utf8');
    expect(report).toContain('<svg');
    expect(report).toContain('AP50');
    expect(report).toContain('triangle');
    for (const id of ['scores', 'threshold', 'curves', 'errors', 'classes', 'pictures']) {
      expect(report).toContain(`<a href="#${id}">`);
      expect(report).toContain(`<section id="${id}">`);
    }
    expect(report.match(/data:image\/svg\+xml/g)).toHaveLength(3); // precision and recall, errors, confusion
    expect(report).toContain('data:image/webp;base64');
    expect(report).not.toMatch(/<script|(?:src|href)="http/);
  });

  test('steps report their times, rate, memory and a number of tensors that stays', () => {
    const steps = events.filter((event) => event.kind === 'step');
    expect(steps).toHaveLength(8);
    expect(Object.keys(steps[0]!.losses).toSorted()).toEqual([
      'loss_box_reg',
      'loss_classifier',
      'loss_mask',
      'loss_objectness',
      'loss_rpn_box_reg',
    ]);
    for (const epoch of [steps.slice(1, 4), steps.slice(5)]) {
      expect(new Set(epoch.map(({ tensors }) => tensors)).size).toBe(1);
    }
  });

  test('a second run of the same name gets a number, the first stays', async () => {
    const { folder: second } = await train(config('whole', { steps: 1, ema: undefined as never }), { architectures });
    expect(second.path).toBe(join(folder, 'runs', 'whole2'));
  });
});

test('what the first weights expect of the program goes into the checkpoint: the epsilon of their norms', async () => {
  const weights = join(folder, 'published.safetensors');
  const model = tinyMaskRcnn.build({ numClasses: 5, options: {}, random: new Random(1) });
  const profile = torchvisionProfile({
    source: 'a test',
    numClasses: 5,
    options: { normEpsilon: 0 },
    architecture: tinyMaskRcnn.name,
  });
  await saveCheckpoint(weights, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
  const { folder: run } = await train(config('tuned', { weights, steps: 1 }), { architectures });
  const saved = await loadCheckpoint(run.last);
  expect(saved.profile).toMatchObject({ options: { normEpsilon: 0 }, architecture: tinyMaskRcnn.name, numClasses: 5 });
  await saved.close();
});

describe("a newcomer's mistakes", () => {
  const failure = async (changes: PartialConfig): Promise<string> => {
    const error = await train(config('wrong', { arch: 'maskrcnn_small', ...changes })).then(
      () => new Error('it trained'),
      (thrown: unknown) => thrown as Error,
    );
    return error.message;
  };

  test('leave no empty run folder behind', async () => {
    expect(await failure({ data: join(folder, 'nowhere') })).toMatch(/nowhere.*no such file or folder/);
    const without = join(folder, 'without');
    mkdirSync(without);
    expect(await failure({ data: without })).toMatch(/no annotations were found/);
    expect(await failure({ arch: 'maskrcnn_small50' })).toMatch(/maskrcnn_small50.*no such architecture/);
    expect(await failure({ weights: 'imagenet' })).toMatch(/imagenet.*neither a file nor a name of published weights/);
    expect(await failure({ engine: 'cuda' })).toMatch(/cuda/);
    expect(await failure({ accumulate: 5 })).toMatch(/more batches than an epoch has.*The largest that fits is 4/);
    expect(existsSync(join(folder, 'runs', 'wrong'))).toBe(false);
  });

  test('an object of the validation split without a mask is told before the first step', async () => {
    const holes = join(folder, 'holes');
    await writeShapes(holes, { splits: { train: 2, val: 1 }, size: [64, 64], objects: [2, 2], tiny: 0 });
    const file = join(holes, 'annotations', 'instances_val.json');
    const split = JSON.parse(readFileSync(file, 'utf8')) as { annotations: { segmentation?: unknown }[] };
    delete split.annotations[0]!.segmentation;
    writeFileSync(file, JSON.stringify(split));
    for (const badSamples of ['fail', 'skip'] as const) {
      expect(await failure({ data: holes, badSamples })).toMatch(
        /\(validation data 'holes val'\): some objects have no masks; found 1 of 2 objects without masks\. 'mask-rcnn doctor' names/,
      );
    }
    expect(existsSync(join(folder, 'runs', 'wrong'))).toBe(false);
  });

  test('resuming where there is nothing says what was looked for', async () => {
    await expect(resume(folder)).rejects.toThrow(/no run to go on with.*checkpoints\/last\.safetensors/);
  });

  test('annotations without an object to learn', async () => {
    const file = join(data, 'annotations', 'empty.json');
    writeFileSync(file, JSON.stringify({ images: [], annotations: [], categories: [{ id: 1, name: 'cat' }] }));
    expect(await failure({ data: file })).toMatch(/no image has an object to learn/);
    rmSync(file);
  });
});

test('a dry run says which steps a training takes, and leaves nothing behind', async () => {
  const run = await dryRun(config('dry'), { architectures });
  const { source } = run.data;
  for (const epoch of [0, 1]) {
    const taken: (readonly number[])[] = [];
    for await (const batch of source.batches(epoch, 0)) taken.push((batch as unknown as { indices: number[] }).indices);
    expect(source.plan!(epoch)).toEqual(taken);
  }
  expect(run.plan.totalSteps).toBe(8);
  const before = await stateDict(run.model);
  await run.close();
  const again = await dryRun(config('dry'), { architectures });
  const [name, entry] = [...before][0]!;
  expect(await (await stateDict(again.model)).get(name)!.read()).toEqual(await entry.read());
  await again.close();
  expect(existsSync(join(folder, 'runs', 'dry'))).toBe(false);
});
