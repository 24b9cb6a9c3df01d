import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFigures } from '@rcnn/coco-data/node';
import { loadDetector } from '@rcnn/models/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PartialConfig, resume, type TrainEvent, train } from '../src/index.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'key-points-'));
  for (const name of ['whole', 'arms']) {
    await writeFigures(join(folder, name), { splits: { train: 4, val: 2 }, size: [64, 64], shapes: [0, 1] });
  }
  onlyArms(join(folder, 'arms', 'annotations'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface File {
  annotations: { keypoints: number[] }[];
  categories: { keypoints: string[]; skeleton: number[][] }[];
}

/** The same figures with the seven points from the nose over the shoulders to the wrists. */
function onlyArms(annotations: string): void {
  const kept = [0, 5, 6, 7, 8, 9, 10];
  for (const name of readdirSync(annotations)) {
    const file = JSON.parse(readFileSync(join(annotations, name), 'utf8')) as File;
    for (const object of file.annotations) {
      object.keypoints = kept.flatMap((k) => object.keypoints.slice(3 * k, 3 * k + 3));
    }
    const [person] = file.categories;
    person!.keypoints = kept.map((k) => person!.keypoints[k]!);
    person!.skeleton = [[2, 3], [2, 4], [3, 5], [4, 6], [5, 7]]; // biome-ignore format: rows
    writeFileSync(join(annotations, name), JSON.stringify(file));
  }
}

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

const config = (data: string, name: string): PartialConfig => ({
  data: join(folder, data),
  preset: 'quick',
  arch: 'keypointrcnn_small',
  model: { minSize: 64, maxSize: 64 },
  batchSize: 2,
  workers: 0,
  engine: 'onnxruntime',
  out: join(folder, 'runs'),
  name: `${data}-${name}`,
  epochs: 2,
  evaluateEvery: 2,
});

test('key points of one’s own are learned, stopped, gone on with to the same bits and measured by OKS', async () => {
  const whole = await train(config('arms', 'once'));
  expect(Object.keys(whole.scores!)).toEqual(expect.arrayContaining(['keypoints/AP', 'keypoints/AP50', 'bbox/AP']));
  let seen = 0;
  const onEvent = ({ kind }: TrainEvent): void => void (kind === 'step' && seen++);
  const stopped = await train(config('arms', 'parts'), { onEvent, shouldStop: () => seen >= 3 }); // inside epoch 2
  expect(stopped.reason).toBe('stopped');
  const parts = await resume(stopped.folder.path);
  expect(digest(parts.folder.last)).toBe(digest(whole.folder.last));
  expect(existsSync(whole.folder.picture('validation'))).toBe(true);

  const { model, profile } = await loadDetector(whole.folder.last);
  expect(model.spec.numKeypoints).toBe(7);
  expect(profile!.keypoints!.names).toHaveLength(7);
  expect(profile!.keypoints!.partners).toEqual([0, 2, 1, 4, 3, 6, 5]);
  expect(profile!.keypoints!.skeleton[0]).toEqual([1, 2]);
  model.dispose();
});

test('a model of 17 points is the start of one of seven: its predictor alone begins afresh', async () => {
  const notes: string[] = [];
  const first = await train({ ...config('whole', 'start'), steps: 1 });
  const onEvent = (event: TrainEvent): void => void (event.kind === 'note' && notes.push(event.text));
  const second = await train({ ...config('arms', 'on'), weights: first.folder.last, steps: 1 }, { onEvent });
  expect(notes.join('\n')).toMatch(/2 predictor tensors stay fresh/);
  expect(second.reason).not.toBe('stopped');
});
