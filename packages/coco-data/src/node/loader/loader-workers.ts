import { RcnnError, unpackError } from '@rcnn/core/errors';
import { type BatchTransform, copyPaste, type PresetName, type Transform } from '@rcnn/transforms';
import { Piscina } from 'piscina';
import type { Dataset } from '../../dataset.ts';
import type { Batch, BatchJob } from '../../loader/batch.ts';
import { createLoader as createLoaderHere, type Loader, type LoaderOptions } from '../../loader/loader.ts';
import { FolderImages } from '../images/folder-images.ts';
import { type Answer, type ModuleExport, unpackBatch, type WorkerSetup } from './messages.ts';

export interface WorkersOptions {
  readonly workers: number;
  readonly transform?: PresetName | ModuleExport | undefined;
  readonly batchTransform?: 'copy-paste' | ModuleExport | undefined;
}

/** Threads that make batches. Keep one for all epochs and hand its `run` to the loader of each; close it at the end. */
export class LoaderWorkers {
  readonly #pool: Piscina<BatchJob, Answer>;

  /** @throws INVALID_ARGUMENT when the dataset's images are not files */
  constructor({ store, classes, name }: Dataset, { workers, transform, batchTransform }: WorkersOptions) {
    if (!(store instanceof FolderImages)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: `loader of '${name}'`,
        place: 'workers',
        problem: 'only images in a folder can be read by workers',
        hint: 'Use workers: 0, or write the dataset to disk first.',
      });
    }
    const setup: WorkerSetup = {
      root: store.root,
      images: store.options,
      classes: classes.toJSON(),
      transform,
      batchTransform,
    };
    this.#pool = new Piscina<BatchJob, Answer>({
      filename: workerFile(),
      name: 'buildJob',
      workerData: setup,
      minThreads: workers,
      maxThreads: workers,
    });
  }

  /** Makes one batch in whichever worker is free. */
  readonly run = async (job: BatchJob): Promise<Batch> => {
    const answer = await this.#pool.run(job);
    if ('error' in answer) throw unpackError(answer.error);
    return unpackBatch(answer.batch);
  };

  /** Stops the threads; work under way is given up. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

export interface NodeLoaderOptions extends Omit<LoaderOptions, 'transform' | 'batchTransform'> {
  /** Threads that decode and augment. Default 0: on this one, where only decoding runs beside you. */
  readonly workers?: number;
  /** With workers a preset's name or a module's export: functions cannot be sent to threads. */
  readonly transform?: PresetName | Transform | ModuleExport;
  readonly batchTransform?: BatchTransform | 'copy-paste' | ModuleExport;
}

/**
 * {@link createLoaderHere} with threads: the same batches for any number of them. The threads end with the iteration.
 * Batches made ahead: by default 2, or one more than there are workers.
 */
export function createLoader(dataset: Dataset, options: NodeLoaderOptions = {}): Loader {
  const { workers = 0, transform, batchTransform, ...rest } = options;
  if (workers === 0) return createLoaderHere(dataset, withLocalTransforms(options));
  const sendable = {
    transform: asSendable('transform', transform),
    batchTransform: asSendable('batchTransform', batchTransform),
  };
  let pool: LoaderWorkers | undefined;
  const loader = createLoaderHere(dataset, { prefetch: workers + 1, ...rest }, (job) => {
    pool ??= new LoaderWorkers(dataset, { workers, ...sendable } as WorkersOptions);
    return pool.run(job);
  });
  const iterate = async function* (): AsyncGenerator<Batch> {
    try {
      yield* loader;
    } finally {
      await pool?.close();
      pool = undefined;
    }
  };
  return { length: loader.length, plan: loader.plan, skipped: loader.skipped, [Symbol.asyncIterator]: iterate };
}

type Step = NodeLoaderOptions['transform'] | NodeLoaderOptions['batchTransform'];

function asSendable(option: string, step: Step): string | ModuleExport | undefined {
  if (step === undefined || typeof step === 'string' || 'module' in step) return step;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'createLoader',
    place: option,
    problem: 'a function cannot be sent to workers',
    hint: "Give { module: import.meta.url, name: 'export' }, a preset's name, or workers: 0.",
  });
}

function withLocalTransforms({ transform, batchTransform, ...rest }: NodeLoaderOptions): LoaderOptions {
  const isModule = (step: Step): step is ModuleExport => typeof step === 'object' && 'module' in step;
  if (isModule(transform) || isModule(batchTransform)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'createLoader',
      place: 'transform',
      problem: 'a module is only needed with workers',
      hint: 'Import it and give the transform itself.',
    });
  }
  return {
    ...rest,
    ...(transform !== undefined && { transform }),
    ...(batchTransform !== undefined && {
      batchTransform: batchTransform === 'copy-paste' ? copyPaste() : batchTransform,
    }),
  };
}

/** Threads need JavaScript: when this file runs from source, the built worker beside it is used. */
function workerFile(): string {
  const fromSource = import.meta.url.endsWith('.ts');
  return new URL(fromSource ? '../../../dist/node/loader/worker.js' : './worker.js', import.meta.url).href;
}
