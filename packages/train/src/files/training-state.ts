import {
  type Checkpoint,
  INFO_PLACE,
  type JsonValue,
  loadStateDict,
  memoryEntry,
  stateDict,
  type TensorEntry,
  type WeightsProfile,
} from '@rcnn/checkpoint';
import { type AtomicWriteOptions, loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { counted, printable, quoteName, RcnnError, shortened } from '@rcnn/core/errors';
import { notFinite, type Optimizer, type TrainableModel, type WeightAverage } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import type { Position } from '../loop/trainer.ts';
import { malformed, type TrainingInfo, trainingInfoOf } from './training-info.ts';

/** Everything that changes while training. What a resumed run has equal, it computes equal. */
export interface TrainingState {
  readonly model: TrainableModel;
  readonly optimizer: Optimizer;
  readonly average?: WeightAverage | undefined;
}

export interface SaveStateOptions extends AtomicWriteOptions {
  readonly position: Position;
  readonly seed: number;
  readonly profile?: WeightsProfile | undefined;
  /** Batches of a step, of all processes together. */
  readonly batchesPerStep?: number | undefined;
  /** Images of a batch. */
  readonly batchSize?: number | undefined;
}

/** What a training takes into a step. */
export interface StepShape {
  /** Processes that train together, and batches that each takes. */
  readonly size: number;
  readonly accumulate: number;
  /** Images of a batch. */
  readonly batchSize?: number | undefined;
}

/** Writes weights, optimizer, averages and position into one file, all of it or nothing. */
export async function saveTrainingState(
  path: string,
  { model, optimizer, average }: TrainingState,
  { position, seed, profile, batchesPerStep, batchSize, ...options }: SaveStateOptions,
): Promise<void> {
  const info: TrainingInfo = {
    kind: 'training',
    position,
    seed,
    optimizer: { kind: optimizer.kind, counters: optimizer.counters() },
    average: average === undefined ? null : { counters: average.counters() },
    ...(batchesPerStep === undefined ? {} : { batchesPerStep }),
    ...(batchSize === undefined ? {} : { batchSize }),
  };
  const contents = {
    weights: (await stateDict(model)).values(),
    groups: {
      optimizer: await entriesOf(optimizer.tensors()),
      ...(average === undefined ? {} : { average: await entriesOf(average.tensors()) }),
    },
    info: info as unknown as JsonValue,
    ...(profile === undefined ? {} : { profile }),
  };
  await saveCheckpoint(path, contents, options);
}

/**
 * Puts a saved state back and tells where training goes on.
 * @param profile what the model of now is; the file's must name the same architecture and classes
 * @param steps of now: as many batches, of as many images, as a step of the file
 * @throws CHECKPOINT_MISMATCH when the file is no training checkpoint, or one of another model, optimizer or seed;
 *   FILE_MALFORMED naming the field or tensor that no training writes
 */
export async function loadTrainingState(
  path: string,
  state: TrainingState,
  seed: number,
  profile?: WeightsProfile,
  steps?: StepShape,
): Promise<Position> {
  const checkpoint = await loadCheckpoint(path);
  try {
    const info = trainingInfoOf(checkpoint.info, path);
    requireSameModel(path, checkpoint.profile, profile);
    if (info.optimizer.kind !== state.optimizer.kind) {
      mismatch(
        path,
        `it was trained with ${quoteName(info.optimizer.kind)}, not ${state.optimizer.kind}`,
        'Resume with the same optimizer.',
      );
    }
    if (info.seed !== seed) {
      mismatch(path, `its seed is ${info.seed}, not ${seed}`, 'Resume with the same seed.');
    }
    if (steps !== undefined) requireSameSteps(path, info, steps);
    await loadStateDict(state.model, checkpoint.weights);
    await restore('optimizer', state.optimizer, info.optimizer.counters, checkpoint);
    if (state.average !== undefined && info.average !== null) {
      await restore('average', state.average, info.average.counters, checkpoint);
    }
    return info.position;
  } finally {
    await checkpoint.close();
  }
}

/** Tensors of equal shape may still mean something else: other classes, or the same in another order. */
function requireSameModel(where: string, before: WeightsProfile | undefined, now: WeightsProfile | undefined): void {
  if (before === undefined || now === undefined) return;
  const hint =
    "A resumed run keeps its model and its data; to begin a new run from these weights, use 'weights' instead.";
  const problem = (what: string, found: string, expected: string): never => {
    throw new RcnnError('CHECKPOINT_MISMATCH', { where, problem: `the run is of ${what}`, found, expected, hint });
  };
  if (before.architecture !== now.architecture) {
    problem('another architecture', before.architecture ?? 'none', now.architecture ?? 'none');
  }
  const [old, given] = [classNames(before), classNames(now)];
  const first = firstDifference(old, given);
  if (first === undefined && before.numClasses === now.numClasses) return;
  const which = first === undefined ? '' : `: first ${classAt(old, first)} where these have ${classAt(given, first)}`;
  problem(`other classes than the data have${which}`, inWords(before), inWords(now));
}

/** Other steps would be other batches at other rates: no going on. */
function requireSameSteps(where: string, info: TrainingInfo, { size, accumulate, batchSize }: StepShape): void {
  const { batchesPerStep } = info;
  if (batchesPerStep !== undefined && batchesPerStep !== size * accumulate) {
    const way =
      batchesPerStep % size === 0
        ? `Go on with --accumulate ${batchesPerStep / size}`
        : `Go on with a number of processes that divides ${batchesPerStep}`;
    throw otherSteps(where, 'batchesPerStep', {
      problem: 'the run takes its steps of another number of batches',
      found: String(batchesPerStep),
      expected: `${counted(size, 'process', 'processes')} x accumulate ${accumulate} = ${size * accumulate}`,
      way,
    });
  }
  if (info.batchSize === undefined || batchSize === undefined || info.batchSize === batchSize) return;
  throw otherSteps(where, 'batchSize', {
    problem: 'the run takes batches of another number of images',
    found: String(info.batchSize),
    expected: `batchSize ${batchSize}`,
    way: `Go on with --batch-size ${info.batchSize}`,
  });
}

function otherSteps(
  where: string,
  field: 'batchesPerStep' | 'batchSize',
  { way, ...facts }: Readonly<Record<'problem' | 'found' | 'expected' | 'way', string>>,
): RcnnError {
  const hint = `${way}; to begin a new run from these weights, use 'weights' instead.`;
  return new RcnnError('CHECKPOINT_MISMATCH', { where, place: `${INFO_PLACE}.${field}`, ...facts, hint });
}

const SHOWN_CLASSES = 8;

/** What each label stands for. */
function classNames({ classes = [] }: WeightsProfile): readonly string[] {
  return classes.map(({ label, name }) => `${label} ${name}`);
}

/** The first place at which two lists differ, the end of the shorter one included; undefined when they are equal. */
function firstDifference(a: readonly string[], b: readonly string[]): number | undefined {
  const longest = Math.max(a.length, b.length);
  for (let i = 0; i < longest; i++) if (a[i] !== b[i]) return i;
  return undefined;
}

function classAt(names: readonly string[], place: number): string {
  const name = names[place];
  return name === undefined ? 'none' : quoteName(name);
}

/** The classes for a message: not all of a thousand. */
function inWords(profile: WeightsProfile): string {
  const names = classNames(profile);
  const more = names.length > SHOWN_CLASSES ? `, and ${names.length - SHOWN_CLASSES} more` : '';
  const shown = names.slice(0, SHOWN_CLASSES).map((name) => shortened(name));
  return `${profile.numClasses - 1} (${shown.join(', ')}${more})`;
}

/** Kept as they are in memory: only this program reads them. */
async function entriesOf(tensors: ReadonlyMap<string, tf.Tensor>): Promise<TensorEntry[]> {
  const entries: TensorEntry[] = [];
  for (const [name, tensor] of tensors) {
    const values = Float32Array.from(await tensor.data());
    entries.push(memoryEntry(name, 'float32', tensor.shape, values));
  }
  return entries;
}

/** Gives an optimizer or an average its tensors and counters back, when they are what it would have saved. */
async function restore(
  group: 'optimizer' | 'average',
  target: Pick<Optimizer, 'counters' | 'restore'>,
  counters: Readonly<Record<string, number>>,
  { name: where, groups }: Checkpoint,
): Promise<void> {
  const [found, expected] = [counters, target.counters()].map((given) => Object.keys(given).toSorted().join(', '));
  if (found !== expected) {
    const place = `${INFO_PLACE}.${group}.counters`;
    throw malformed(where, { place, found: quoteName(found!), expected: expected === '' ? 'none' : expected! });
  }
  const source = groups.get(group);
  if (source === undefined && (counters.updates ?? 0) > 0) {
    throw malformed(where, { place: group, found: 'no tensors', expected: `those of ${counters.updates} updates` });
  }
  const tensors = new Map<string, tf.Tensor>();
  try {
    for (const [name, entry] of source?.tensors ?? []) {
      tensors.set(name, tf.tensor(await floatsOf(entry, group, where), [...entry.shape], 'float32'));
    }
    target.restore(tensors, counters);
  } finally {
    tf.dispose([...tensors.values()]);
  }
}

/** The numbers of a tensor as they lie in the file: {@link entriesOf} writes nothing but finite float32. */
async function floatsOf(entry: TensorEntry, group: string, where: string): Promise<Float32Array<ArrayBuffer>> {
  const place = `${group}/${printable(entry.name)}`;
  if (entry.dtype !== 'float32') throw malformed(where, { place, found: entry.dtype, expected: 'float32' });
  const values = new Float32Array((await entry.read()).buffer);
  const bad = notFinite(values);
  if (bad !== undefined) throw malformed(where, { place, found: bad, expected: 'finite numbers' });
  return values;
}

function mismatch(where: string, problem: string, hint: string): never {
  throw new RcnnError('CHECKPOINT_MISMATCH', { where, problem, hint });
}
