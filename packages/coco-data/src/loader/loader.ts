import { RcnnError } from '@rcnn/core/errors';
import { type BatchTransform, type PresetName, preset, type Transform } from '@rcnn/transforms';
import type { Dataset } from '../dataset.ts';
import { type Batch, type BatchJob, buildBatch, type SkippedSample } from './batch.ts';
import { planBatches } from './order.ts';
import { SkipLimit } from './skip-limit.ts';

export interface LoaderOptions {
  /** Images per batch. Default 2. */
  readonly batchSize?: number;
  /** Augmentation: a preset by name or a transform. Default none. */
  readonly transform?: PresetName | Transform;
  /** A step over the whole batch, such as copy-paste. Default none. */
  readonly batchTransform?: BatchTransform;
  /** Of order and augmentation. Default 0. */
  readonly seed?: number;
  /** Default 0. Every epoch has its own order and draws. */
  readonly epoch?: number;
  /** The batch to begin with: the last one's `index + 1` resumes an epoch. Default 0. */
  readonly startIndex?: number;
  /** Only the batches of one of several processes. Default all; then batches without images are left out. */
  readonly share?: BatchShare | undefined;
  /** Default true. */
  readonly shuffle?: boolean;
  /** Default false. */
  readonly dropLast?: boolean;
  /** Batches of similar aspect ratio: 3 as in torchvision's recipe. Default -1: off. */
  readonly aspectGroups?: number;
  /** Batches made ahead of the one in use; more are never begun. Default 2. */
  readonly prefetch?: number;
  /**
   * Boxes of objects that are whole and straight: `annotated` (the default, as in torchvision) as the file has them,
   * `masks` the smallest around the mask, as all others have it anyway.
   */
  readonly boxes?: 'annotated' | 'masks';
  /** Crowd regions in targets. Default false: they are never trained on. */
  readonly keepCrowds?: boolean;
  /** A sample that cannot be loaded: `fail` (the default) throws, `skip` leaves it out, counts and lists it. */
  readonly onBadSample?: 'fail' | 'skip';
  /** With `skip`: stop when more than this share of the epoch's samples was bad; one may be. Default 0.1. */
  readonly maxSkipRate?: number;
  /** Ends the iteration with INTERRUPTED. */
  readonly signal?: AbortSignal;
}

/**
 * Which batches of an epoch belong to one of several processes that train together: of every `size * run` batches from
 * `startIndex` on, the `run` from `rank * run` on. One without images is given all the same, so that all stay in step.
 */
export interface BatchShare {
  readonly rank: number;
  readonly size: number;
  /** Batches that a process takes in a row. */
  readonly run: number;
}

/** Turns a job into a batch, here or in a worker. */
export type BatchRunner = (job: BatchJob) => Promise<Batch>;

/** The batches of one epoch. Iterate it once; leaving the loop early stops all work. */
export interface Loader extends AsyncIterable<Batch> {
  /** Batches in the whole epoch, whatever `startIndex` is. */
  readonly length: number;
  /** Indices of the samples of every batch of the epoch: known before anything is decoded. */
  readonly plan: readonly (readonly number[])[];
  /** Samples that were left out so far. */
  readonly skipped: readonly SkippedSample[];
}

/**
 * Batches of a dataset in an order fixed by seed and epoch. Decoding and augmentation run ahead by `prefetch` batches
 * and no further, so a slow consumer bounds the memory.
 * @param run where batches are made; by default here, with the images decoded by the dataset's store
 */
export function createLoader(dataset: Dataset, options: LoaderOptions = {}, run?: BatchRunner): Loader {
  const { batchSize = 2, seed = 0, epoch = 0, startIndex = 0, prefetch = 2, share } = options;
  checkOptions({ batchSize, startIndex, prefetch });
  const plan = planBatches(
    dataset.images.map(({ size }) => size),
    {
      batchSize,
      seed,
      epoch,
      shuffle: options.shuffle ?? true,
      dropLast: options.dropLast ?? false,
      aspectGroups: options.aspectGroups ?? -1,
    },
  );
  const skipped: SkippedSample[] = [];
  const { name, length } = dataset;
  const limit = new SkipLimit({ name, length: length / (share?.size ?? 1) }, options.maxSkipRate);
  const numbers = batchNumbers(startIndex, plan.length, share);
  const jobAt = (index: number): BatchJob => ({
    samples: plan[index]!.map((sample) => ({ index: sample, records: dataset.records(sample) })),
    epoch,
    index,
    seed,
    skipBad: options.onBadSample === 'skip',
    keepCrowds: options.keepCrowds ?? false,
    boxes: options.boxes ?? 'annotated',
  });
  const runner = run ?? hereRunner(dataset, options);
  const iterate = async function* (): AsyncGenerator<Batch> {
    const ahead: Promise<Batch>[] = [];
    let next = 0;
    const more = (): boolean => next < numbers.length;
    const start = (): number => ahead.push(begin(runner, jobAt(numbers[next++]!)));
    try {
      while (ahead.length > 0 || more()) {
        while (ahead.length < Math.max(1, prefetch) && more()) start();
        const batch = await withSignal(ahead[0]!, options.signal);
        void ahead.shift();
        skipped.push(...batch.skipped);
        batch.skipped.forEach((sample) => limit.add(sample));
        if (more()) start();
        if (batch.images.length > 0 || share !== undefined) yield batch;
      }
    } finally {
      await Promise.allSettled(ahead); // nothing is left running behind the caller's back
    }
  };
  return { length: plan.length, plan, skipped, [Symbol.asyncIterator]: iterate };
}

/** The numbers of the batches to make, in order. */
function batchNumbers(first: number, length: number, share: BatchShare | undefined): number[] {
  const all = Array.from({ length: Math.max(0, length - first) }, (_, i) => first + i);
  if (share === undefined) return all;
  const { rank, size, run } = share;
  return all.filter((number) => Math.floor((number - first) / run) % size === rank);
}

/** Makes batches on this thread. */
function hereRunner(dataset: Dataset, { transform, batchTransform }: LoaderOptions): BatchRunner {
  const { store, classes } = dataset;
  const step = typeof transform === 'string' ? preset(transform) : transform;
  return (job) => buildBatch(job, { store, classes, transform: step, batchTransform });
}

function begin(run: BatchRunner, job: BatchJob): Promise<Batch> {
  const batch = run(job);
  batch.catch(() => undefined); // whoever awaits it gets the error; until then it must not count as unhandled
  return batch;
}

function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = (): void =>
      reject(
        new RcnnError('INTERRUPTED', { where: 'loader', problem: 'loading was interrupted', cause: signal.reason }),
      );
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function checkOptions(options: Readonly<Record<'batchSize' | 'startIndex' | 'prefetch', number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (Number.isInteger(value) && value >= (name === 'batchSize' ? 1 : 0)) continue;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'createLoader',
      place: name,
      problem: 'must be a whole number',
      found: String(value),
    });
  }
}
