import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawShapes } from '@rcnn/coco-data';
import { writeShapes } from '@rcnn/coco-data/node';
import type { Detector, PixelImage } from '@rcnn/core';
import { Random } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { readMetrics, type TrainResult } from '@rcnn/train';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

// docs/add-a-detector.md, run: its blocks become files, and what it promises is tried.
const page = readFileSync(new URL('../../../docs/add-a-detector.md', import.meta.url), 'utf8');
/** Inside the package, so that imports of the page are found. */
const code = mkdtempSync(fileURLToPath(new URL('add-a-detector-', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'detector-'));
const data = join(folder, 'data');

for (const [, name, text] of page.matchAll(/```ts file=(\S+)\n([\s\S]*?)```/g)) writeFileSync(join(code, name!), text!);
const load = <T>(name: string): Promise<T> => import(/* @vite-ignore */ join(code, name)) as Promise<T>;

interface Trainer {
  trainGrid(data: string, out: string, shouldStop?: () => boolean): Promise<TrainResult>;
}

beforeAll(async () => {
  await writeShapes(data, { splits: { train: 32, val: 8 }, size: [64, 64] });
});
afterAll(() => {
  rmSync(code, { recursive: true });
  rmSync(folder, { recursive: true });
});

test('a model of one’s own trains whole: stopped, resumed, measured, reported', async () => {
  const { trainGrid } = await load<Trainer>('train-grid.ts');
  const whole = await trainGrid(data, join(folder, 'whole'));
  expect(whole.reason).toBe('finished');
  expect(whole.scores).toHaveProperty('bbox/AP');
  expect(whole.scores).not.toHaveProperty('segm/AP');
  const lines = readMetrics(join(whole.folder.path, 'metrics.jsonl')).filter(({ kind }) => kind === 'step');
  expect(lines).toHaveLength(16);
  expect(lines[0]).toHaveProperty('loss_class');
  expect(Number(lines.at(-1)!['loss'])).toBeLessThan(0.9 * Number(lines[0]!['loss']));
  const report = readFileSync(whole.folder.report, 'utf8');
  expect(report).toContain('grid on ');
  expect(report).toContain('<th>boxes</th>');
  expect(report).not.toContain('<th>masks</th>');
  expect(readdirSync(join(whole.folder.path, 'pictures'))).toContain('validation.png');

  let steps = 0;
  const parts = await trainGrid(data, join(folder, 'parts'), () => steps++ === 6);
  const bytes = (result: TrainResult) => readFileSync(result.folder.last).subarray(-4096); // the last of the tensors
  expect(parts.position).toEqual(whole.position);
  expect(bytes(parts).equals(bytes(whole))).toBe(true);
});

test('its weights are found again by name, and the commands know it', async () => {
  const weights = join(folder, 'whole', 'train', 'checkpoints', 'best.safetensors');
  const { findWith } = await load<{
    findWith(weights: string, image: PixelImage): Promise<{ found: unknown[]; classes: readonly unknown[] }>;
  }>('use-grid.ts');
  const { image } = drawShapes(1, 0, { size: [64, 64] });
  const { classes } = await findWith(weights, image);
  expect(classes.length).toBeGreaterThan(0);

  const { run } = await load<{ run(args: readonly string[]): Promise<number> }>('my-rcnn.ts');
  let out = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => (out += String(text)).length > 0);
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => (out += String(text)).length > 0);
  const call = async (...args: string[]): Promise<number> => {
    out = '';
    return run(args);
  };
  try {
    expect(await call('val', data, '--weights', join(folder, 'whole', 'train'), '--engine', 'onnxruntime')).toBe(0);
    expect(out).toContain('boxes\n Average Precision');
    expect(await call('train', '--help')).toBe(0);
    expect(out).toContain('--model.side <number>');
    expect(await call('train', data, '--arch', 'grid', '--model.side', '96', '--print-config')).toBe(0);
    expect(out).toContain('side: 96');
    expect(await call('train', data, '--arch', 'grid', '--model.side', '50', '--print-config')).toBe(2);
    expect(out).toMatch(/error CONFIG_INVALID.*model\.side/);
    expect(await call('train', data, '--arch', 'grid', '--model.proposals', '5', '--print-config')).toBe(2);
    expect(out).toMatch(/there is no option 'proposals'/);
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
});

test('it keeps no tensor', async () => {
  const { GridDetector } = await load<{
    GridDetector: new (options: { numClasses: number; side: number; random: Random }) => Detector;
  }>('grid-detector.ts');
  const model = new GridDetector({ numClasses: 3, side: 64, random: new Random(1) });
  const { image } = drawShapes(2, 0, { size: [40, 56] });
  await expectNoLeak(() => model.detect([image]));
  model.dispose();
});
