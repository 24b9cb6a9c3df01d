import {
  type JsonValue,
  loadStateDict,
  memoryEntry,
  stateDict,
  type TensorEntry,
  type TensorSource,
  type WeightsProfile,
} from '@rcnn/checkpoint';
import { type AtomicWriteOptions, loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { RcnnError } from '@rcnn/core/errors';
import type { Optimizer, TrainableModel, WeightAverage } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import type { Position } from '../loop/trainer.ts';

/** Everything that changes while training. What a resumed run has equal, it computes equal. */
export interface TrainingState {
  readonly model: TrainableModel;
  readonly optimizer: Optimizer;
  readonly average?: WeightAverage | undefined;
}

/** What a training checkpoint says besides its tensors. */
export interface TrainingInfo {
  readonly kind: 'training';
  readonly position: Position;
  readonly seed: number;
  readonly optimizer: { readonly kind: string; readonly counters: Record<string, number> };
  readonly average: { readonly counters: Record<string, number> } | null;
}

export interface SaveStateOptions extends AtomicWriteOptions {
  readonly position: Position;
  readonly seed: number;
  readonly profile?: WeightsProfile | undefined;
}

/** Writes weights, optimizer, averages and position into one file, all of it or nothing. */
export async function saveTrainingState(
  path: string,
  { model, optimizer, average }: TrainingState,
  { position, seed, profile, ...options }: SaveStateOptions,
): Promise<void> {
  const info: TrainingInfo = {
    kind: 'training',
    position,
    seed,
    optimizer: { kind: optimizer.kind, counters: optimizer.counters() },
    average: average === undefined ? null : { counters: average.counters() },
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
 * @throws CHECKPOINT_MISMATCH when the file is no training checkpoint, or one of another model, optimizer or seed
 */
export async function loadTrainingState(
  path: string,
  state: TrainingState,
  seed: number,
  profile?: WeightsProfile,
): Promise<Position> {
  const checkpoint = await loadCheckpoint(path);
  try {
    const info = checkpoint.info as unknown as TrainingInfo | undefined;
    if (info?.kind !== 'training') {
      mismatch(
        path,
        'this is a file of weights, not a state of training',
        "Start from it with 'weights' instead of resuming.",
      );
    }
    requireSameModel(path, checkpoint.profile, profile);
    if (info.optimizer.kind !== state.optimizer.kind) {
      mismatch(
        path,
        `it was trained with ${info.optimizer.kind}, not ${state.optimizer.kind}`,
        'Resume with the same optimizer.',
      );
    }
    if (info.seed !== seed) {
      mismatch(path, `its seed is ${info.seed}, not ${seed}`, 'Resume with the same seed.');
    }
    await loadStateDict(state.model, checkpoint.weights);
    await withTensors(checkpoint.groups.get('optimizer'), (tensors) =>
      state.optimizer.restore(tensors, info.optimizer.counters),
    );
    if (state.average !== undefined && info.average !== null) {
      const { counters } = info.average;
      await withTensors(checkpoint.groups.get('average'), (tensors) => state.average!.restore(tensors, counters));
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
  if (old !== given) problem('other classes than the data have', old, given);
}

const SHOWN_CLASSES = 8;

function classNames({ classes = [], numClasses }: WeightsProfile): string {
  const names = classes.map(({ label, name }) => `${label} ${name}`);
  const more = names.length > SHOWN_CLASSES ? `, and ${names.length - SHOWN_CLASSES} more` : '';
  return `${numClasses - 1} (${names.slice(0, SHOWN_CLASSES).join(', ')}${more})`;
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

async function withTensors(
  source: TensorSource | undefined,
  use: (tensors: Map<string, tf.Tensor>) => void,
): Promise<void> {
  const tensors = new Map<string, tf.Tensor>();
  try {
    for (const [name, entry] of source?.tensors ?? []) {
      const values = new Float32Array((await entry.read()).buffer);
      tensors.set(name, tf.tensor(values, [...entry.shape], 'float32'));
    }
    use(tensors);
  } finally {
    tf.dispose([...tensors.values()]);
  }
}

function mismatch(where: string, problem: string, hint: string): never {
  throw new RcnnError('CHECKPOINT_MISMATCH', { where, problem, hint });
}
