/** What the peer is told: every step of a training as plain data, beside the annotations in COCO's form. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateDict } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { type Dataset, datasetAsCoco, numberImages } from '@rcnn/coco-data';
import { FolderImages } from '@rcnn/coco-data/node';
import { Random, RcnnError } from '@rcnn/core';
import { ImageTransform } from '@rcnn/detector';
import { type DryRun, dryRun, type PartialConfig, stepsPerEpoch, type TrainConfig } from '@rcnn/train';
import { loaders } from '../../src/engines/loaders.ts';
import { AUGMENTED, type Placement, placementOf } from './placement.ts';

/** One image of one step. */
interface ImageOfStep extends Placement {
  /** Its number in `train.json`. */
  readonly image: number;
  /** `[height, width]` after resizing. */
  readonly size: readonly [number, number];
}

/** `task.json`. */
export interface Task {
  /** A machine- and time-free description of the recipe: a folder goes on only with the same. */
  readonly recipe: TrainConfig;
  readonly seed: number;
  readonly threads: number;
  readonly model: Readonly<Record<string, number | readonly number[]>>;
  /** Labels by category id. */
  readonly labels: Readonly<Record<string, number>>;
  readonly optimizer: {
    readonly kind: string;
    readonly momentum: number;
    readonly clipNorm?: number | undefined;
    /** Learning rate of each step. */
    readonly rates: readonly number[];
    /** Of every parameter that learns: factor on the rate, and weight decay. */
    readonly parameters: Readonly<Record<string, { readonly rate: number; readonly weightDecay: number }>>;
  };
  readonly steps: readonly (readonly ImageOfStep[])[];
  /** Numbers of steps after which the validation images are predicted. */
  readonly evaluateAfter: readonly number[];
  readonly saveEvery: number;
}

/** Options of the model that the peer is built with; any other has to be the usual one. */
const PEERS = [
  'trainableStages',
  'minSize',
  'trainMinSize',
  'maxSize',
  'roisPerImage',
  'proposals',
  'detections',
  'anchorSizes',
];

/** Opens what `mask-rcnn train` would train, and writes it down for the peer. */
export async function writeTask(folder: string, config: PartialConfig, threads: number): Promise<Task> {
  const run = await dryRun(config, { loaders });
  try {
    const task = taskOf(run, threads);
    mkdirSync(folder, { recursive: true });
    const { train, val } = run.data;
    writeFileSync(join(folder, 'train.json'), JSON.stringify(await withPaths(train)));
    writeFileSync(join(folder, 'val.json'), JSON.stringify(await withPaths(val!)));
    const weights = (await stateDict(run.model)).values();
    await saveCheckpoint(join(folder, 'start.safetensors'), { weights });
    writeFileSync(join(folder, 'task.json'), JSON.stringify(task)); // last: with it the folder is whole
    return task;
  } finally {
    await run.close();
  }
}

/** The task that a training stands for. @throws CONFIG_INVALID where the peer could not follow */
function taskOf({ config, data, model, plan }: DryRun, threads: number): Task {
  const { resize } = model.spec.input;
  requirePeer(
    config,
    'model.minSize',
    'one size',
    resize.rule === 'torchvision' && (resize.trainingSizes ?? [0]).length === 1,
  );
  requirePeer(config, 'arch', 'maskrcnn_resnet50_fpn', config.arch === 'maskrcnn_resnet50_fpn');
  requirePeer(config, 'augment', AUGMENTED.join(', '), AUGMENTED.includes(config.augment));
  requirePeer(config, 'accumulate', '1', config.accumulate === 1);
  requirePeer(config, 'ema', 'none', config.ema === undefined);
  requirePeer(config, 'weightsBackbone', 'a body', config.weightsBackbone !== undefined);
  requirePeer(config, 'valData', 'images to evaluate on', data.val !== undefined);
  for (const name of Object.keys(config.model)) {
    requirePeer(config, `model.${name}`, `only ${PEERS.join(', ')}`, PEERS.includes(name));
  }
  if (resize.rule !== 'torchvision') throw new Error('unreachable');
  const { minSize, maxSize, trainingSizes } = resize;
  const perEpoch = stepsPerEpoch(data.source.batchesPerEpoch);
  const steps = stepsOf(
    config,
    data,
    plan.totalSteps,
    perEpoch,
    new ImageTransform({ minSize: trainingSizes?.[0] ?? minSize, maxSize }),
  );
  const learning = [...model.namedParameters()].filter(([, { trainable }]) => trainable);
  const { trainableStages = 3, detections = 100, ...own } = config.model as Readonly<Record<string, number>>;
  const { roisPerImage, proposals, anchorSizes } = own;
  return {
    recipe: config,
    seed: config.seed,
    threads,
    model: {
      numClasses: model.spec.numClasses,
      trainableStages,
      minSize,
      maxSize,
      scoreThreshold: config.scoreThreshold,
      detections,
      ...(roisPerImage !== undefined && { roisPerImage }),
      ...(proposals !== undefined && { proposals }),
      ...(anchorSizes !== undefined && { anchorSizes }),
    },
    labels: labelsOf(data.train),
    optimizer: {
      kind: config.optimizer,
      momentum: config.momentum,
      clipNorm: config.clipNorm,
      rates: steps.map((_, step) => plan.learningRate * plan.schedule(step)),
      parameters: Object.fromEntries(learning.map(([name]) => [name, plan.groups.get(name)!])),
    },
    steps,
    evaluateAfter: evaluationsOf(plan.totalSteps, perEpoch, config.evaluateEvery),
    saveEvery: config.saveEvery ?? perEpoch,
  };
}

function requirePeer(config: TrainConfig, place: string, expected: string, holds: boolean): void {
  if (holds) return;
  const found = place.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], config);
  const problem = 'torchvision cannot be made to take these steps';
  throw new RcnnError('CONFIG_INVALID', {
    where: 'bench learn',
    place,
    problem,
    found: JSON.stringify(found) ?? 'none',
    expected,
  });
}

function stepsOf(
  { augment, seed }: TrainConfig,
  { train, source }: DryRun['data'],
  count: number,
  perEpoch: number,
  transform: ImageTransform,
): ImageOfStep[][] {
  const numbers = numberImages(train.images);
  const epochs = Array.from({ length: Math.ceil(count / perEpoch) }, (_, epoch) => source.plan!(epoch));
  return Array.from({ length: count }, (_, step) => {
    const epoch = Math.floor(step / perEpoch);
    return epochs[epoch]![step % perEpoch]!.map((index) => {
      const { image, target } = train.sample(index);
      const placement = placementOf(augment, new Random(seed).fork('augment', epoch, index), image.size, target);
      const { window, flip } = placement;
      const [height, width] = window === undefined ? image.size : [window[3], window[2]];
      return { image: numbers.get(image.id)!, window, flip, size: transform.resizedSize([height, width]) };
    });
  });
}

/** As the trainer has them: after every so many epochs, and at the end. */
function evaluationsOf(totalSteps: number, perEpoch: number, every: number): number[] {
  const ends = Array.from({ length: Math.floor(totalSteps / perEpoch) }, (_, epoch) => (epoch + 1) * perEpoch);
  const chosen = ends.filter((_, epoch) => (epoch + 1) % every === 0);
  return [...new Set([...chosen, totalSteps])];
}

function labelsOf({ classes }: Dataset): Record<string, number> {
  return Object.fromEntries(classes.classes.map(({ categoryId }) => [categoryId, classes.labelOf(categoryId)!]));
}

/** The dataset as a COCO file whose images can be opened from anywhere. */
async function withPaths(dataset: Dataset): Promise<object> {
  const file = datasetAsCoco(dataset);
  const { store } = dataset;
  if (!(store instanceof FolderImages)) throw new Error(`${dataset.name}: its images are not in a folder`);
  const images = file.images as readonly { readonly file_name: string }[];
  const placed = await Promise.all(
    images.map(async (image) => ({ ...image, file_name: await store.locate(image.file_name) })),
  );
  return { ...file, images: placed };
}
