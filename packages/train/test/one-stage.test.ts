import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { loadDetector } from '@rcnn/models/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PartialConfig, resume, type TrainEvent, train } from '../src/index.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'one-stage-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 4, val: 2 }, size: [64, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

const METHODS = [
  {
    arch: 'yolact_small',
    options: { imageSize: 64 },
    losses: ['loss_box', 'loss_class', 'loss_mask', 'loss_semantic'],
    measured: ['segm/AP', 'bbox/AP'],
    resize: { rule: 'fixed', size: [64, 64] },
  },
  {
    arch: 'yolact_plus_small',
    options: { imageSize: 64 },
    losses: ['loss_box', 'loss_class', 'loss_mask', 'loss_mask_iou', 'loss_semantic'],
    measured: ['segm/AP', 'bbox/AP'],
    resize: { rule: 'fixed', size: [64, 64] },
  },
  {
    arch: 'retinanet_small',
    options: { minSize: 64, maxSize: 64 },
    losses: ['bbox_regression', 'classification'],
    measured: ['bbox/AP'],
    resize: { rule: 'torchvision', minSize: 64, maxSize: 64 },
  },
  {
    arch: 'solov2_small',
    options: { minSize: 64, maxSize: 64 },
    losses: ['loss_cls', 'loss_mask'],
    measured: ['segm/AP', 'bbox/AP'],
    resize: { rule: 'torchvision', minSize: 64, maxSize: 64 },
  },
];

test.each(METHODS)('$arch is trained, stopped, gone on with to the same bits, measured and loaded', async (method) => {
  const { arch, options, losses, measured, resize } = method;
  const config = (name: string): PartialConfig => ({
    data: join(folder, 'data'),
    preset: 'quick',
    arch,
    model: options,
    batchSize: 2,
    workers: 0,
    engine: 'onnxruntime',
    out: join(folder, 'runs'),
    name: `${arch}-${name}`,
    epochs: 2,
    evaluateEvery: 2,
  });
  const steps: Extract<TrainEvent, { kind: 'step' }>[] = [];
  const whole = await train(config('whole'), {
    onEvent: (event) => void (event.kind === 'step' && steps.push(event)),
  });
  const names = Object.keys(steps[0]!.losses).toSorted();
  expect(names).toEqual(losses);
  expect(new Set(steps.slice(1, 3).map(({ tensors }) => tensors)).size).toBe(1);

  let seen = 0;
  const onEvent = ({ kind }: TrainEvent): void => void (kind === 'step' && seen++);
  const stopped = await train(config('parts'), { onEvent, shouldStop: () => seen >= 3 }); // in the middle of epoch 2
  expect(stopped.reason).toBe('stopped');
  const parts = await resume(stopped.folder.path);
  expect(digest(parts.folder.last)).toBe(digest(whole.folder.last));
  expect(digest(parts.folder.predictions)).toBe(digest(whole.folder.predictions));
  expect(Object.keys(whole.scores!)).toEqual(expect.arrayContaining(measured));
  expect(existsSync(join(whole.folder.path, 'pictures', 'validation.png'))).toBe(true);

  const { model, architecture } = await loadDetector(whole.folder.last);
  expect(architecture.name).toBe(arch);
  expect(model.spec.input.resize).toEqual(resize);
  model.dispose();
});
