import { existsSync } from 'node:fs';
import { loadCheckpoint, sweepTemporaries } from '@rcnn/checkpoint/node';
import type { Detector } from '@rcnn/core';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import {
  broadcastValue,
  localGroups,
  onEveryRank,
  onRankZero,
  type ProcessGroup,
  SharedNorms,
} from '@rcnn/distributed';
import { readTextSync } from '@rcnn/files';
import { type Architecture, architectures as builtIn } from '@rcnn/models';
import type { PartialConfig, TrainConfig } from '../config/options.ts';
import { architectureOf, formerNote, parseConfig, resolveConfig } from '../config/resolve.ts';
import { RunFolder } from '../files/folder.ts';
import { acquireLock, type Lock } from '../files/lock.ts';
import type { Listener } from '../loop/events.ts';
import { isLost, requireStep } from '../loop/trainer.ts';
import { agreeOnData, agreeOnOptions, asOnRankZero } from './agree.ts';
import { type Before, type BuiltModel, buildModel, freshModel } from './build-model.ts';
import { checkMemory } from './check-memory.ts';
import { checkMirroring, checkOffers } from './check-offers.ts';
import { openData, type TrainingData } from './data.ts';
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
 * @throws FILE_MISSING when there is nothing to go on from, CONFIG_INVALID for other first weights than it began with;
 *   otherwise as {@link train}
 */
export async function resume(
  path: string,
  changes: ConfigParts = {},
  options: TrainOptions = {},
): Promise<TrainResult> {
  const folder = new RunFolder(path);
  const there = existsSync(folder.config) && folder.canResume;
  // Of several processes only the first has the folder: the others are told what is in it.
  if (!there && (options.membership?.rank ?? 0) === 0) {
    throw new RcnnError('FILE_MISSING', {
      where: path,
      problem: 'this folder has no run to go on with',
      expected: 'config.yaml and checkpoints/last.safetensors',
      hint: "Name the folder that the training printed, for example 'runs/train'.",
    });
  }
  const parts = partsOf(changes);
  if (!there) return run(parts, folder, options);
  const before = parseConfig(readTextSync(folder.config), folder.config);
  requireSameStart(before, Object.assign({}, ...parts) as PartialConfig, folder.config);
  return run([before, ...parts], folder, options);
}

/** A resumed run has weights already; to read others for it would be a new run. @throws CONFIG_INVALID */
function requireSameStart(before: PartialConfig, changes: PartialConfig, where: string): void {
  for (const name of ['weights', 'weightsBackbone'] as const) {
    const { [name]: kept = 'none' } = before;
    const given = changes[name];
    if (given === undefined || given === kept) continue;
    throw new RcnnError('CONFIG_INVALID', {
      where,
      place: name,
      problem: 'a resumed run has its weights, so no others are read for it',
      found: quoteName(given),
      expected: `${quoteName(kept)}, as the run began`,
      hint: 'Leave it out to go on with the run; to start from other weights, begin a new run with weights (--weights) or weightsBackbone (--weights-backbone).',
    });
  }
}

/** A config as its parts, in the order in which they count. */
export function partsOf(config: ConfigParts): readonly PartialConfig[] {
  return Array.isArray(config) ? (config as readonly PartialConfig[]) : [config as PartialConfig];
}

async function run(
  parts: readonly PartialConfig[],
  resumed: RunFolder | undefined,
  options: TrainOptions,
): Promise<TrainResult> {
  const { onEvent = () => undefined, architectures = builtIn, membership } = options;
  // A process that goes on without the folder has no data in its options yet.
  const follows = resumed !== undefined && (membership?.rank ?? 0) > 0;
  const own = follows ? resolveConfig({ data: resumed.path }, ...parts) : resolveConfig(...parts);
  const note = formerNote(...parts);
  if (note !== undefined) onEvent({ kind: 'note', text: note });
  const architecture = architectureOf(own, architectures);
  const engine = await startEngine(own.engine, options, own.threads);
  onEvent({ kind: 'note', text: `Engine: ${engine.name}.` });
  const group = (await membership?.join()) ?? localGroups(1)[0]!;
  let folder = resumed;
  const attempt = async (): Promise<TrainResult> => {
    const first = await broadcastValue(group, own);
    const config = follows ? asOnRankZero(first, Object.assign({}, ...parts) as PartialConfig) : own;
    await agreeOnOptions(group, config, first);
    const onFolder = (made: RunFolder): void => void (folder = made);
    const from = folder?.canResume === true || folder === resumed ? folder : undefined;
    const beginning = { config, architecture, engine: engine.name, resumed: from, options, onFolder };
    const result = await runTogether(group, beginning);
    await group.barrier(); // who leaves earlier would be missed
    return result;
  };
  try {
    return await rejoining(group, attempt, options);
  } finally {
    group.close();
  }
}

/** Tries again, from the last save, as often as a process that was lost may come back. */
async function rejoining<T>(
  group: ProcessGroup,
  attempt: () => Promise<T>,
  { membership, onEvent }: TrainOptions,
): Promise<T> {
  for (let left = membership?.rejoins ?? 0; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || !isLost(error)) throw error;
      const text = `${(error as Error).message} Waiting for it to come back, to go on from the last save.`;
      onEvent?.({ kind: 'warning', text });
      await group.reset();
    }
  }
}

interface Beginning {
  readonly config: TrainConfig;
  readonly architecture: Architecture;
  readonly engine: string;
  readonly resumed: RunFolder | undefined;
  readonly options: TrainOptions;
  /** Hears where the files of the run are, as soon as that is known. */
  readonly onFolder: (folder: RunFolder) => void;
}

/** Data, model and folder, and the training with them. */
async function runTogether(
  group: ProcessGroup,
  { config, architecture, engine, resumed, options, onFolder }: Beginning,
): Promise<TrainResult> {
  const { onEvent = () => undefined, architectures = builtIn, datasets } = options;
  const data = await onEveryRank(group, () => openData(config, onEvent, datasets));
  let model: Detector | undefined;
  let lock: Lock | undefined;
  try {
    const norms = config.syncBatchNorm && group.size > 1 ? new SharedNorms(group) : undefined;
    const built = await buildTogether(group, { config, architecture, train: data.train, norms, resumed }, onEvent);
    model = built.model;
    const { spec } = model;
    await onEveryRank(group, async () => {
      checkOffers(data.train, spec, config.data, architectures);
      if (data.val !== undefined) {
        checkOffers(data.val, spec, config.valData ?? config.data, architectures, 'validation');
      }
      checkMirroring(data.train, spec, config);
      checkMemory(config, data, built.model, engine, onEvent);
    });
    await agreeOnData(group, data, model);
    await onEveryRank(group, async () => requireStep(data.source.batchesPerEpoch, config.accumulate, group.size));
    // Only now: a mistake in data or options leaves no empty folder behind.
    const path = await onRankZero(group, async () => {
      const made = resumed?.prepare() ?? RunFolder.create(config.out, config.name);
      lock = acquireLock(made.lock);
      await sweepTemporaries(made.path);
      await sweepTemporaries(made.checkpoints);
      return made.path;
    });
    const folder = new RunFolder(path);
    onFolder(folder);
    return await runSession({ config, data, built, norms, folder, options, group }, resumed !== undefined);
  } finally {
    await data.source.close?.();
    model?.dispose();
    lock?.release();
  }
}

interface ToBuild extends Pick<Beginning, 'config' | 'architecture' | 'resumed'>, Pick<TrainingData, 'train'> {
  readonly norms: SharedNorms | undefined;
}

/** The model of a config on every rank. Rank 0 alone reads weights; the others get them when training begins. */
async function buildTogether(
  group: ProcessGroup,
  { config, architecture, train, norms, resumed }: ToBuild,
  onEvent: Listener,
): Promise<BuiltModel> {
  const { classes, numKeypoints, keypointScheme } = train;
  const facts = { classes, numKeypoints, keypointScheme, batchNorm: norms?.make };
  let built: BuiltModel | undefined;
  const before = await onRankZero(group, async () => {
    const saved = await savedFacts(config, architecture, resumed);
    built = saved
      ? freshModel(config, architecture, facts, saved)
      : await buildModel(config, architecture, facts, onEvent);
    return built.before ?? null;
  });
  return built ?? freshModel(config, architecture, facts, before ?? undefined);
}

/**
 * What the first weights of a run said of their model, from its last state: that has all weights, and the file it began
 * with may be gone by now. Undefined where there is no such file or state, and where the state is of another model or
 * cannot be read, which is refused when it is put back.
 */
async function savedFacts(
  { weights, weightsBackbone }: TrainConfig,
  { name }: Architecture,
  resumed: RunFolder | undefined,
): Promise<Before | undefined> {
  if (resumed?.canResume !== true || (weights === 'none' && weightsBackbone === undefined)) return undefined;
  const checkpoint = await loadCheckpoint(resumed.last).catch(() => undefined);
  await checkpoint?.close();
  const profile = checkpoint?.profile;
  if (profile?.architecture !== name) return undefined;
  return weightsBackbone === undefined ? profile : { options: profile.options };
}
