// One worker of the loader. Started by loader-workers.ts with a WorkerSetup; answers BatchJobs.
import { workerData as threadData } from 'node:worker_threads';
import { isRcnnError, packError } from '@rcnn/core/errors';
import { type BatchTransform, copyPaste, preset, type Transform } from '@rcnn/transforms';
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import sharp from 'sharp';
import { ClassMap } from '../../class-map.ts';
import { type BatchJob, type BatchTools, buildBatch } from '../../loader/batch.ts';
import { FolderImages } from '../images/folder-images.ts';
import { type Answer, buffersOf, type ModuleExport, packBatch, type WorkerSetup } from './messages.ts';

sharp.concurrency(1); // the workers are the parallelism
const tools = setUp((workerData ?? threadData) as WorkerSetup);

/** Builds a batch and hands its memory over. */
export async function buildJob(job: BatchJob): Promise<unknown> {
  try {
    const batch = packBatch(await buildBatch(job, await tools));
    const answer: Answer = { batch };
    return move({ [transferableSymbol]: buffersOf(batch), [valueSymbol]: answer } as unknown as Parameters<
      typeof move
    >[0]);
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return { error: packError(error) } satisfies Answer;
  }
}

async function setUp({ root, images, classes, transform, batchTransform }: WorkerSetup): Promise<BatchTools> {
  return {
    store: new FolderImages(root, images),
    classes: ClassMap.fromJSON(classes),
    transform: typeof transform === 'string' ? preset(transform) : await importedFrom<Transform>(transform),
    batchTransform: batchTransform === 'copy-paste' ? copyPaste() : await importedFrom<BatchTransform>(batchTransform),
  };
}

async function importedFrom<T>(source: ModuleExport | undefined): Promise<T | undefined> {
  if (source === undefined) return undefined;
  const module = (await import(source.module)) as Readonly<Record<string, T>>;
  return module[source.name];
}
