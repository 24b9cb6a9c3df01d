import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryEntry, type TensorEntry } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';

const folder = mkdtempSync(join(tmpdir(), 'cli-replay-'));
let run: string;
let failed: { code: number; out: string; err: string };
let batch: string;

beforeAll(async () => {
  await writeShapes(join(folder, 'data'), { splits: { train: 4 }, size: [64, 64] });
  run = join(folder, 'runs', 'burst');
  // A rate that no network survives: the first update throws the weights out of float32.
  const wild = '--optimizer sgd --learning-rate 1e25 --schedule constant --warmup-steps 0 --epochs 3 --name burst';
  const small = '--preset quick --min-size 64 --max-size 64 --proposals 50 --batch-size 2 --workers 0';
  const flags = `${wild} ${small} --engine onnxruntime --out ${join(folder, 'runs')} --progress plain`.split(' ');
  failed = await call('train', join(folder, 'data'), ...flags);
  batch = readdirSync(run).find((name) => name.endsWith('-batch.safetensors'))!;
});
afterAll(() => rmSync(folder, { recursive: true }));

async function call(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  const code = await main(args);
  stdout.mockRestore();
  stderr.mockRestore();
  return { code, ...written };
}

const NAMES = ['loss_classifier', 'loss_box_reg', 'loss_mask', 'loss_objectness', 'loss_rpn_box_reg'];

test('a step that fails says how to look at it', () => {
  expect(failed.code).toBe(1);
  expect(failed.err).toContain(`Look at it with: mask-rcnn replay ${join(run, batch)}`);
  expect(failed.err).toMatch(/error NON_FINITE: training step \d+ \(/);
});

test('replayed, it has the five losses of then, the images and the first tensor that is not finite', async () => {
  const { code, out } = await call('replay', join(run, batch));
  expect(code).toBe(0);
  const lines = out.trim().split('\n');
  expect(lines[0]).toMatch(/^step \d+ on onnxruntime$/);
  const [, step] = /training step (\d+)/.exec(failed.err)!;
  expect(lines[0]).toContain(`step ${step} `);
  expect(lines[1]).toMatch(/^images \d+, \d+$/);
  expect(failed.err).toContain(`Images of this batch: ${lines[1]!.slice('images '.length)}.`);
  const losses = Object.fromEntries(lines.slice(2, 7).map((line) => line.trim().split(/ +/) as [string, string]));
  expect(Object.keys(losses).toSorted()).toEqual(NAMES.toSorted());
  for (const [name, value] of Object.entries(losses)) expect(failed.err).toContain(`${name} ${value}`); // the same bits
  expect(lines[7]).toMatch(/^ {2}first that is not finite: (the loss|the weight|the gradient of) \w/);
});

test('a NaN in a weight of the state is found, with its place', async () => {
  const state = join(run, batch.replace('-batch', '-state'));
  const checkpoint = await loadCheckpoint(state);
  const weights: TensorEntry[] = [];
  for (const entry of checkpoint.weights.tensors.values()) {
    const values = new Float32Array((await entry.read()).buffer);
    if (entry.name === 'rpn.head.cls_logits.bias') values[1] = Number.NaN;
    else if (!values.every(Number.isFinite)) values.fill(0.01);
    weights.push(memoryEntry(entry.name, 'float32', entry.shape, values));
  }
  const { info, profile } = checkpoint;
  await checkpoint.close();
  await saveCheckpoint(state, { weights, info: info!, profile: profile! });
  const { code, out } = await call('replay', join(run, batch), '--json');
  expect(code).toBe(0);
  const { batches } = JSON.parse(out) as { batches: { firstNonFinite: string; losses: Record<string, unknown> }[] };
  expect(batches[0]!.firstNonFinite).toBe(
    'the weight rpn.head.cls_logits.bias: 1 of 3 values, the first NaN at index 1',
  );
  expect(batches[0]!.losses['loss_objectness']).toBe('NaN');
});

test.each([
  ['nowhere', /FILE_MISSING: .*not the batch of a failed step.*failed-step-<n>-state\.safetensors/],
  ['checkpoints/last.safetensors', /FILE_MISSING: .*not the batch of a failed step/],
])('%s is an error that helps', async (name, message) => {
  const { code, err } = await call('replay', join(run, name));
  expect(code).toBe(1);
  expect(err).toMatch(message);
});
