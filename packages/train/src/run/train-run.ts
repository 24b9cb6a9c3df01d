import { existsSync, readFileSync } from 'node:fs';
import { sweepTemporaries } from '@rcnn/checkpoint/node';
import { useEngine } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { PartialConfig, TrainConfig } from '../config/options.ts';
import { parseConfig, resolveConfig } from '../config/resolve.ts';
import { RunFolder } from '../files/folder.ts';
import { acquireLock } from '../files/lock.ts';
import { buildModel } from './build-model.ts';
import { checkMemory } from './check-memory.ts';
import { openData } from './data.ts';
import { runSession, type TrainOptions, type TrainResult } from './session.ts';

/**
 * Trains: opens the data, builds the model, and writes a run folder with checkpoints, metrics, pictures and a report.
 * @throws CONFIG_INVALID, LOCKED, NON_FINITE, and what data, weights and engine throw; see `RcnnError`
 */
export async function train(config: PartialConfig, options: TrainOptions = {}): Promise<TrainResult> {
  return run(resolveConfig(config), undefined, options);
}

/**
 * Goes on with a run that was stopped, killed or finished; options such as `epochs` may be changed.
 * On one machine and engine it computes the same bits as if it had never stopped.
 * @throws FILE_MISSING when there is nothing to go on from; otherwise as {@link train}
 */
export async function resume(
  path: string,
  changes: PartialConfig = {},
  options: TrainOptions = {},
): Promise<TrainResult> {
  const folder = new RunFolder(path);
  if (!existsSync(folder.config) || !folder.canResume) {
    throw new RcnnError('FILE_MISSING', {
      where: path,
      problem: 'this folder has no run to go on with',
      expected: 'config.yaml and checkpoints/last.safetensors',
      hint: "Name the folder that the training printed, for example 'runs/train'.",
    });
  }
  const config = resolveConfig(parseConfig(readFileSync(folder.config, 'utf8'), folder.config), changes);
  return run(config, folder, options);
}

async function run(config: TrainConfig, resumed: RunFolder | undefined, options: TrainOptions): Promise<TrainResult> {
  const { onEvent = () => undefined, loaders } = options;
  const threads = config.threads === undefined ? {} : { threads: config.threads };
  const engine = await useEngine(config.engine as 'auto', { task: 'train', ...threads, ...(loaders && { loaders }) });
  onEvent({ kind: 'note', text: `Engine: ${engine.name}.` });
  const data = await openData(config, onEvent);
  const built = await buildModel(config, data.train.classes, onEvent);
  const { model } = built;
  checkMemory(config, data, model, engine.name, onEvent);
  // Only now: a mistake in data or options leaves no empty folder behind.
  const folder = resumed?.prepare() ?? RunFolder.create(config.out, config.name);
  const lock = acquireLock(folder.lock);
  try {
    await sweepTemporaries(folder.path);
    await sweepTemporaries(folder.checkpoints);
    return await runSession({ config, data, built, folder, options }, resumed !== undefined);
  } finally {
    await data.source.close?.();
    model.dispose();
    lock.release();
  }
}
