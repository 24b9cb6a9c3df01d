import { Random } from '@rcnn/core';
import { counted, isRcnnError, RcnnError } from '@rcnn/core/errors';
import {
  broadcastValue,
  localGroups,
  onEveryRank,
  onRankZero,
  type ProcessGroup,
  type SharedNorms,
} from '@rcnn/distributed';
import {
  type Optimizer,
  type ParameterGroup,
  type Schedule,
  sharedStep,
  type TrainableModel,
  type TrainingBatch,
  type WeightAverage,
} from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { Clock } from './clock.ts';
import type { EndReason, Listener, Scores, StepReport } from './events.ts';
import { kindsOf } from './kinds.ts';
import { memoryInUse } from './memory-in-use.ts';
import { keepAlike } from './same-state.ts';
import type { BatchSource } from './types.ts';

/** Where a training is. Everything else follows from it: order, augmentation, samples and rate are functions of it. */
export interface Position {
  /** Steps done. */
  readonly step: number;
  /** The epoch that runs, from 0, and how many of its batches are used up. */
  readonly epoch: number;
  readonly batch: number;
  readonly best: { readonly score: number; readonly epoch: number } | null;
  /** Evaluations since the best one; those that had nothing to measure are not counted. */
  readonly stale: number;
}

/** The position before the first step. */
export const START: Position = { step: 0, epoch: 0, batch: 0, best: null, stale: 0 };

export interface TrainerOptions {
  readonly model: TrainableModel;
  readonly data: BatchSource;
  readonly optimizer: Optimizer;
  readonly groups: ReadonlyMap<string, ParameterGroup>;
  readonly schedule: Schedule;
  /** Base learning rate, which the schedule scales. */
  readonly learningRate: number;
  readonly totalSteps: number;
  /** Batches per step. Default 1. */
  readonly accumulate?: number | undefined;
  readonly clipNorm?: number | undefined;
  readonly average?: WeightAverage | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Epochs between evaluations. Default 1. */
  readonly evaluateEvery?: number | undefined;
  /** Evaluations without gain before stopping. Default: never. */
  readonly patience?: number | undefined;
  /** Steps between two saves inside an epoch. Default: only at its end. */
  readonly saveEvery?: number | undefined;
  readonly hooks?: TrainerHooks | undefined;
  /**
   * The processes that train together; each runs this loop with the same options. Rank 0 alone is asked to save and to
   * record. Default: this one alone.
   */
  readonly group?: ProcessGroup | undefined;
  /** The batch norms of the model that count the batches of all of them as one. Default: it has none. */
  readonly norms?: SharedNorms | undefined;
}

/** The same options with nothing left to choose. */
type Options = TrainerOptions & { readonly group: ProcessGroup; readonly accumulate: number };

/** What the loop asks of its surroundings. */
export interface TrainerHooks {
  readonly onEvent?: Listener | undefined;
  /** Called before each step; true ends the training after saving. */
  readonly shouldStop?: (() => boolean) | undefined;
  /** Keeps the state, all or nothing. `best` asks for a copy of the weights that is kept apart. */
  readonly save?: ((position: Position, best: boolean) => Promise<void>) | undefined;
  /**
   * Measures the model (throwing INTERRUPTED stops the training); {@link decisive} says what is best. Every rank is asked,
   * so that they may share the work; the scores of rank 0 count.
   */
  readonly evaluate?: ((epoch: number, step: number) => Promise<Scores>) | undefined;
  /** Records a step or an epoch. */
  readonly record?: ((entry: RecordEntry) => Promise<void>) | undefined;
  /** Sees the batches of a step before it is taken: pictures of what the model is shown. */
  readonly onBatches?: ((step: number, batches: readonly TrainingBatch[]) => Promise<void>) | undefined;
  /** A step failed: a chance to keep its batches. The error goes on to the caller. */
  readonly onFailure?: ((step: number, batches: readonly TrainingBatch[], error: unknown) => Promise<void>) | undefined;
}

/** A step that was taken, or an epoch that was measured. */
export type RecordEntry =
  | { readonly kind: 'step'; readonly report: StepReport }
  | { readonly kind: 'epoch'; readonly epoch: number; readonly step: number; readonly scores: Scores };

/**
 * Steps in an epoch: batches that do not fill a step are left out.
 * @param batchesPerStep of all ranks. Default 1
 */
export function stepsPerEpoch(batchesPerEpoch: number, batchesPerStep = 1): number {
  return Math.max(1, Math.floor(batchesPerEpoch / batchesPerStep));
}

/**
 * A step larger than an epoch could never be taken.
 * @param accumulate batches that each of the processes takes into a step
 * @throws CONFIG_INVALID naming the largest that fits
 */
export function requireStep(batchesPerEpoch: number, accumulate: number, processes: number): void {
  // Data without any batch are another fault, which the first epoch tells.
  if (batchesPerEpoch === 0 || accumulate * processes <= batchesPerEpoch) return;
  const most = Math.floor(batchesPerEpoch / processes);
  throw new RcnnError('CONFIG_INVALID', {
    where: 'config',
    place: 'accumulate',
    problem: 'a step takes more batches than an epoch has',
    found: `accumulate ${accumulate}${processes > 1 ? ` in each of ${processes} processes` : ''}`,
    expected: `at most ${counted(batchesPerEpoch, 'batch', 'batches')} together`,
    hint:
      most > 0
        ? `The largest that fits is ${most} (--accumulate ${most}); smaller batches (--batch-size) let more fit.`
        : `Start at most ${counted(batchesPerEpoch, 'process', 'processes')}, or make the batches smaller (--batch-size).`,
  });
}

/** Trains from `start` to the end, to a stop, or until nothing gets better. Gives the reason and the last position. */
export async function runTraining(
  given: TrainerOptions,
  start: Position = START,
): Promise<{ readonly reason: EndReason; readonly position: Position }> {
  const options: Options = { ...given, group: given.group ?? localGroups(1)[0]!, accumulate: given.accumulate ?? 1 };
  const { totalSteps, data, hooks = {}, accumulate, group } = options;
  requireStep(data.batchesPerEpoch, accumulate, group.size);
  const perEpoch = stepsPerEpoch(data.batchesPerEpoch, accumulate * group.size);
  hooks.onEvent?.({ kind: 'start', step: start.step, totalSteps, stepsPerEpoch: perEpoch });
  tellOfPatience(options, start);
  const clock = new Clock(totalSteps - start.step);
  let position = start;
  let stopped = false;
  while (!isStale(options, position) && (position.step < totalSteps || position.batch > 0)) {
    const epoch = await runEpoch(options, position, perEpoch, clock);
    position = epoch.position;
    if (epoch.stopped) {
      stopped = true;
      await save(options, position, false);
      break;
    }
    try {
      position = await endEpoch(options, position);
    } catch (error) {
      if (!wasInterrupted(error)) throw error;
      stopped = true; // in the evaluation: the state was saved before it, and a resumed run evaluates again
      break;
    }
  }
  const reason = stopped ? 'stopped' : isStale(options, position) ? 'patience' : 'finished';
  hooks.onEvent?.({ kind: 'end', reason, step: position.step });
  return { reason, position };
}

/** Nothing got better for as long as `patience` waits. Evaluations come between epochs, so it is asked there. */
function isStale({ patience }: TrainerOptions, { stale, batch }: Position): boolean {
  return patience !== undefined && batch === 0 && stale >= patience;
}

/** Says why nothing happens where a training begins at its end. */
function tellOfPatience(options: Options, start: Position): void {
  const { patience, group, hooks, totalSteps } = options;
  if (group.rank > 0 || start.step >= totalSteps || !isStale(options, start)) return;
  const text = `This training ended because nothing got better in ${counted(start.stale, 'evaluation')}; patience (--patience) is ${patience}, and it goes on when that is raised.`;
  hooks?.onEvent?.({ kind: 'warning', text });
}

/** Here, or on rank 0, for which the others waited. */
function wasInterrupted(error: unknown): boolean {
  if (isRcnnError(error, 'INTERRUPTED')) return true;
  return isRcnnError(error, 'PEER_FAILED') && (error.cause as { code?: string } | undefined)?.code === 'INTERRUPTED';
}

/** The rest of the epoch that `position` is in. */
async function runEpoch(
  options: Options,
  start: Position,
  perEpoch: number,
  clock: Clock,
): Promise<{ position: Position; stopped: boolean }> {
  const { data, totalSteps, accumulate, group, saveEvery, hooks = {} } = options;
  const { rank, size } = group;
  const alone = size === 1;
  const share = alone ? undefined : { rank, size, run: accumulate };
  const batches = data.batches(start.epoch, start.batch, share)[Symbol.asyncIterator]();
  let position = start;
  try {
    while (position.step < totalSteps && position.batch + accumulate * size <= perEpoch * accumulate * size) {
      await breathe();
      const stop = hooks.shouldStop?.() === true;
      if (stop && alone) return { position, stopped: true }; // several stop after a step: that is where they meet
      clock.beginStep();
      const taken = await take(batches, accumulate, alone);
      if (alone && taken.batches.length < accumulate) break;
      clock.haveData();
      const step = await oneStep(options, position, { ...taken, stop }, clock).catch(async (error: unknown) => {
        if (rank === 0 && isLost(error)) await hooks.save?.(position, false);
        throw error;
      });
      for (const { release } of taken.batches) release?.();
      const last = position.batch + accumulate * size - 1;
      const used = alone ? (taken.batches.at(-1)!.index ?? last) : last;
      position = { ...position, step: position.step + (step.updated ? 1 : 0), batch: used + 1 };
      if (step.stop) return { position, stopped: true };
      if (saveEvery !== undefined && position.step % saveEvery === 0) await save(options, position, false);
    }
  } finally {
    await batches.return?.();
  }
  if (start.batch === 0 && position.batch === 0 && position.step < totalSteps) {
    throw new RcnnError('DATASET_INVALID', {
      where: `epoch ${start.epoch}`,
      problem: 'the data gave no batch at all',
      hint: "Run 'mask-rcnn doctor' on the training data.",
    });
  }
  return { position, stopped: false };
}

/** Another process is gone or does not come: the state here is that of the last step, and whole. */
export function isLost(error: unknown): boolean {
  return isRcnnError(error, 'PEER_LOST') || isRcnnError(error, 'TIMEOUT');
}

/**
 * One turn of the event loop. An engine that computes on this thread answers every await at once, and then signals,
 * timers and messages of the loader's threads would never be heard.
 */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0); // a browser, which paints in between
  });
}

/** The batches of a step, or why they did not come. */
interface Taken {
  readonly batches: readonly TrainingBatch[];
  readonly error?: unknown;
}

/** @param throws whether to throw what goes wrong: other ranks must be told of it first */
async function take(source: AsyncIterator<TrainingBatch>, count: number, throws: boolean): Promise<Taken> {
  const batches: TrainingBatch[] = [];
  try {
    while (batches.length < count) {
      const next = await source.next();
      if (next.done === true) break;
      batches.push(next.value);
    }
    return { batches };
  } catch (error) {
    if (throws) throw error;
    return { batches, error };
  }
}

async function oneStep(
  options: Options,
  { step, epoch }: Position,
  taken: Taken & { readonly stop: boolean },
  clock: Clock,
): Promise<{ readonly updated: boolean; readonly stop: boolean }> {
  const { hooks = {}, average, seed = 0, totalSteps, group, accumulate } = options;
  const { batches } = taken;
  const learningRate = options.learningRate * options.schedule(step);
  const isFirst = group.rank === 0;
  const { error } = taken.error === undefined && isFirst ? await shown(options, step, batches) : taken;
  try {
    const random = new Random(seed).fork('step', step);
    const share = { ...taken, error, first: group.rank * accumulate };
    const { result, stop } = await sharedStep(options, share, { step: step + 1, learningRate, random });
    if (result === undefined) return { updated: false, stop };
    average?.update();
    const report: StepReport = {
      ...result,
      ...clock.endStep(),
      memory: memoryInUse() / 2 ** 20,
      tensors: tf.memory().numTensors,
      step: step + 1,
      totalSteps,
      epoch,
      learningRate,
    };
    hooks.onEvent?.({ kind: 'step', ...report });
    if (isFirst) await hooks.record?.({ kind: 'step', report });
    return { updated: true, stop };
  } catch (thrown) {
    if (isFirst) await hooks.onFailure?.(step + 1, batches, thrown);
    throw thrown;
  }
}

/** Shows the batches to whoever draws them; what goes wrong is told to the other ranks. */
async function shown(
  { hooks = {}, group }: Options,
  step: number,
  batches: readonly TrainingBatch[],
): Promise<{ readonly error?: unknown }> {
  try {
    await hooks.onBatches?.(step, batches);
    return {};
  } catch (error) {
    if (group.size === 1) throw error;
    return { error };
  }
}

/** Evaluates, remembers the best, and saves with the next epoch as the place to go on. */
async function endEpoch(options: Options, position: Position): Promise<Position> {
  const { hooks = {}, evaluateEvery = 1, totalSteps } = options;
  const { epoch, step } = position;
  let next: Position = { ...position, epoch: epoch + 1, batch: 0 };
  const last = step >= totalSteps;
  let isBest = false;
  if (hooks.evaluate !== undefined && ((epoch + 1) % evaluateEvery === 0 || last)) {
    // Saved before the evaluation too: it may take long, and a crash must not cost the epoch.
    await save(options, position, false);
    const evaluate = async (): Promise<Scores> =>
      broadcastValue(options.group, await onEveryRank(options.group, () => hooks.evaluate!(epoch, step)));
    const scores = await (options.average?.swap(evaluate) ?? evaluate());
    const score = decisive(scores);
    isBest = score !== undefined && (position.best === null || score > position.best.score);
    if (isBest) next = { ...next, best: { score: score!, epoch }, stale: 0 };
    // Where nothing could be measured, nobody knows whether anything got better.
    else if (score !== undefined) next = { ...next, stale: position.stale + 1 };
    hooks.onEvent?.({ kind: 'epoch', epoch, step, scores, best: isBest });
    if (options.group.rank === 0) await hooks.record?.({ kind: 'epoch', epoch, step, scores });
  }
  await save(options, next, isBest);
  return next;
}

async function save(options: Options, position: Position, best: boolean): Promise<void> {
  const { hooks = {}, group } = options;
  await keepAlike(group, options, hooks.onEvent);
  await onRankZero(group, async () => {
    await hooks.save?.(position, best);
    return null;
  });
}

/** The number that says how good a model is, more is better: AP of what it is made for, else of boxes, else minus the loss. */
export function decisive(scores: Scores): number | undefined {
  const kind = kindsOf(scores).find((name) => scores[`${name}/AP`]! >= 0);
  if (kind !== undefined) return scores[`${kind}/AP`];
  return scores['loss/val'] === undefined ? undefined : -scores['loss/val'];
}
