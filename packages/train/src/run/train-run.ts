import { existsSync } from 'node:fs';
import { sweepTemporaries } from '@rcnn/checkpoint/node';
import { RcnnError } from '@rcnn/core/errors';
import { readTextSync } from '@rcnn/files';
import { architectures as builtIn } from '@rcnn/models';
import type { PartialConfig } from '../config/options.ts';
import { architectureOf, formerNote, parseConfig, resolveConfig } from '../config/resolve.ts';
import { RunFolder } from '../files/folder.ts';
import { acquireLock } from '../files/lock.ts';
import { buildModel } from './build-model.ts';
import { checkMemory } from './check-memory.ts';
import { checkMirroring, checkOffers } from './check-offers.ts';
import { openData } from './data.ts';
import { startEngine } from './engine.ts';
import { runSession, type TrainOptions, type TrainResult } from './session.ts';

/** A config, or several of which later ones win: a file and a command line. */
export type ConfigParts = PartialConfig | readonly PartialConfig[];

/**
 * Trains: opens the data, builds the model, and writes a run folder with checkpoints, metrics, pictures and a report.
 * @throws CONFIG_INVALID, LOCKED, NON_FINITE, and what data, weights and engine throw; see `RcnnError`
 */
export async function train(config: ConfigParts, options: TrainOptions = {}): Promise<TrainResult> {
  return run(partsOf(config), undefined, options);
}

/**
 * Goes on with a run that was stopped, killed or finished; options such as `epochs` may be changed.
 * On one machine and engine it computes the same bits as if it had never stopped.
 * @throws FILE_MISSING when there is nothing to go on from; otherwise as {@link train}
 */
export async function resume(
  path: string,
  changes: ConfigParts = {},
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
  const before = parseConfig(readTextSync(folder.config), folder.config);
  return run([before, ...partsOf(changes)], folder, options);
}

function partsOf(config: ConfigParts): readonly PartialConfig[] {
  return Array.isArray(config) ? (config as readonly PartialConfig[]) : [config as PartialConfig];
}

async function run(
  parts: readonly PartialConfig[],
  resumed: RunFolder | undefined,
  options: TrainOptions,
): Promise<TrainResult> {
  const config = resolveConfig(...parts);
  const note = formerNote(...parts);
  if (note !== undefined) options.onEvent?.({ kind: 'note', text: note });
  const { onEvent = () => undefined, architectures = builtIn, datasets } = options;
  const architecture = architectureOf(config, architectures);
  const engine = await startEngine(config.engine, options, config.threads);
  onEvent({ kind: 'note', text: `Engine: ${engine.name}.` });
  const data = await openData(config, onEvent, datasets);
  const built = await buildModel(config, architecture, data.train, onEvent);
  const { model } = built;
  checkOffers(data.train, model.spec, config.data, architectures);
  checkMirroring(data.train, model.spec, config);
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
