// Which weights a run keeps beside its last state.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { torchvisionProfile } from '@rcnn/checkpoint';
import { loadCheckpoint } from '@rcnn/checkpoint/node';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AdamW, type Position, RunFolder, resolveConfig, WeightAverage } from '../src/index.ts';
import { StateKeeper } from '../src/run/state-keeper.ts';
import { ready } from './engine.ts';
import { ToyModel } from './toy.ts';

const root = mkdtempSync(join(tmpdir(), 'state-keeper-'));
beforeAll(() => ready);
afterAll(() => rmSync(root, { recursive: true }));

/** A run whose bias was 0, averaged as 0, and is 8 now, averaged again with a decay of (1 + 2) / (10 + 2). */
function begun({ ema }: { readonly ema: boolean }): { readonly folder: RunFolder; readonly keeper: StateKeeper } {
  const model = new ToyModel(1);
  const parameters = model.namedParameters();
  const average = ema ? new WeightAverage(parameters, 0.5) : undefined;
  const bias = parameters.get('second.bias')!;
  bias.assign(tf.tensor1d([0]));
  average?.update();
  bias.assign(tf.tensor1d([8]));
  average?.update();
  const folder = RunFolder.create(root, 'run');
  const keeper = new StateKeeper({
    config: resolveConfig({ data: 'photos' }),
    folder,
    state: { model, optimizer: new AdamW(parameters), average },
    profile: torchvisionProfile({ source: 'a test', numClasses: 2 }),
    onEvent: () => undefined,
    processes: 1,
  });
  return { folder, keeper };
}

async function biasIn(file: string): Promise<number> {
  const checkpoint = await loadCheckpoint(file);
  const bytes = await checkpoint.weights.tensors.get('second.bias')!.read();
  await checkpoint.close();
  return new Float32Array(bytes.buffer)[0]!;
}

const measured: Position = { step: 3, epoch: 1, batch: 0, best: { score: 0.5, epoch: 0 }, stale: 0 };
const unmeasured: Position = { ...measured, best: null };

test('averaged weights that nothing measures are kept as the best at the end of each epoch', async () => {
  const { folder, keeper } = begun({ ema: true });
  await keeper.save({ ...unmeasured, batch: 2 }, false);
  expect(existsSync(folder.best)).toBe(false); // inside an epoch
  await keeper.save(unmeasured, false);
  expect(await biasIn(folder.best)).toBe(6);
  expect(await biasIn(folder.last)).toBe(8);
});

test('where something is measured, only what was found the best is', async () => {
  const { folder, keeper } = begun({ ema: true });
  await keeper.save(measured, false);
  expect(existsSync(folder.best)).toBe(false);
  await keeper.save(measured, true);
  expect(await biasIn(folder.best)).toBe(6);
});

test('without an average the last weights are all there is', async () => {
  const { folder, keeper } = begun({ ema: false });
  await keeper.save(unmeasured, false);
  expect(existsSync(folder.best)).toBe(false);
  expect(await biasIn(folder.last)).toBe(8);
});
