import type { PixelImage, Target } from '@rcnn/core';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import {
  type BatchTransform,
  boxesFromMasks,
  isVisible,
  type Scene,
  sceneOf,
  sceneProblem,
  type Transform,
  targetOf,
} from '@rcnn/transforms';
import type { ClassMap } from '../class-map.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { ImageId } from '../records.ts';
import { buildSample, type SampleRecords } from './sample.ts';

/** A sample that could not be loaded, and why. */
export interface SkippedSample {
  readonly index: number;
  readonly imageId: ImageId;
  readonly message: string;
}

/** Images and targets that a training step takes. */
export interface Batch {
  readonly images: readonly PixelImage[];
  /** One per image; masks and boxes fit it. */
  readonly targets: readonly Target[];
  /** Which samples of the dataset these are. */
  readonly indices: readonly number[];
  readonly epoch: number;
  /** Place in the epoch. A run that stopped after this batch goes on with `startIndex: index + 1`. */
  readonly index: number;
  /** Objects that augmentation removed because nothing of them was left. */
  readonly dropped: number;
  /** Samples left out by the policy `skip`. */
  readonly skipped: readonly SkippedSample[];
  /**
   * Gives the pixels' memory back now; the arrays of `images` are empty afterwards. Batches from threads have it. The
   * garbage collector would give it back too, but megabytes per image make it run all the time on your thread.
   */
  readonly release?: () => void;
}

/** What one batch is made from: plain data. */
export interface BatchJob {
  readonly samples: readonly { readonly index: number; readonly records: SampleRecords }[];
  readonly epoch: number;
  readonly index: number;
  readonly seed: number;
  readonly skipBad: boolean;
  readonly keepCrowds: boolean;
  readonly boxes: 'annotated' | 'masks';
}

/** What turns a job into a batch. */
export interface BatchTools {
  readonly store: ImageStore;
  readonly classes: ClassMap;
  readonly transform?: Transform | undefined;
  readonly batchTransform?: BatchTransform | undefined;
}

/**
 * Decodes, augments and gathers the samples of one batch. The result depends on the job alone: every random choice comes
 * from (seed, epoch, sample index), never from time, order or the number of workers.
 */
export async function buildBatch(job: BatchJob, tools: BatchTools): Promise<Batch> {
  const { epoch, index, seed } = job;
  const loaded = await Promise.all(job.samples.map((sample) => loadOrSkip(sample, job, tools)));
  const good = loaded.filter((result) => 'scene' in result);
  let scenes = good.map(({ scene }) => scene);
  const { batchTransform } = tools;
  if (batchTransform) scenes = batchTransform.apply(scenes, new Random(seed).fork('batch', epoch, index));
  if (job.boxes === 'masks') scenes = scenes.map((scene) => tightBoxes.apply(scene, new Random()));
  if (isChanged(job, tools)) scenes.forEach(checkScene);
  return {
    images: scenes.map(({ image }) => image),
    targets: scenes.map(targetOf),
    indices: good.map((result) => result.index),
    epoch,
    index,
    dropped: scenes.reduce((sum, scene) => sum + scene.dropped, 0),
    skipped: loaded.filter((result) => 'message' in result),
  };
}

const tightBoxes = boxesFromMasks(); // draws nothing

/** The scene of one sample before it meets its batch. */
export async function loadScene(
  { index, records }: BatchJob['samples'][number],
  { seed, epoch, keepCrowds }: Pick<BatchJob, 'seed' | 'epoch' | 'keepCrowds'>,
  { store, classes, transform }: BatchTools,
): Promise<Scene> {
  const image = await store.load(records.image);
  const all = sceneOf(image, buildSample(records, classes).target);
  const wanted = keepCrowds ? all.objects : all.objects.filter(({ crowd }) => !crowd);
  const objects = wanted.filter(isVisible);
  const scene = { ...all, objects, dropped: wanted.length - objects.length };
  return transform ? transform.apply(scene, new Random(seed).fork('augment', epoch, index)) : scene;
}

type Loaded = { readonly index: number; readonly scene: Scene } | SkippedSample;

async function loadOrSkip(sample: BatchJob['samples'][number], job: BatchJob, tools: BatchTools): Promise<Loaded> {
  try {
    const scene = await loadScene(sample, job, tools);
    if (!isChanged(job, tools)) checkScene(scene);
    return { index: sample.index, scene };
  } catch (error) {
    if (!job.skipBad || !isRcnnError(error)) throw error;
    return { index: sample.index, imageId: sample.records.image.id, message: error.message };
  }
}

/** Whether scenes become others after they met their batch; until then a broken one costs its sample. */
function isChanged({ boxes }: BatchJob, { batchTransform }: BatchTools): boolean {
  return batchTransform !== undefined || boxes === 'masks';
}

function checkScene(scene: Scene): void {
  const problem = sceneProblem(scene);
  if (problem === undefined) return;
  throw new RcnnError('TARGET_INVALID', {
    where: 'loader',
    place: `image ${scene.fields.imageId}`,
    problem: `a transform left a broken target: ${problem}`,
    hint: 'Transforms of your own can use withObjects, which drops objects that have vanished.',
  });
}
