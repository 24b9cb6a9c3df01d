import {
  createLoader,
  type Dataset,
  datasetOffers,
  type ImageId,
  type LoaderOptions,
  type SkippedSample,
} from '@rcnn/coco-data';
import {
  type DatasetSource,
  FolderImages,
  findSources,
  LoaderWorkers,
  matchesSplit,
  type OpenOptions,
  openOptionsOf,
  openSource,
} from '@rcnn/coco-data/node';
import { counted, isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import type { TrainConfig } from '../config/options.ts';
import type { Listener } from '../loop/events.ts';
import type { BatchSource } from '../loop/types.ts';
import { crowdsHint } from './check-offers.ts';

/** What a training learns from and is measured on. */
export interface TrainingData {
  readonly train: Dataset;
  /** Undefined when there is nothing to evaluate on. */
  readonly val: Dataset | undefined;
  readonly source: BatchSource;
}

/** Whole names of splits, or what they end in: `train2017`, `lvis_v1_train`. */
const TRAIN = /(?:^|[_\-. ])train(ing)?(\d{4})?$/i;
const VAL = /(?:^|[_\-. ])(val|valid|validation)(\d{4})?$/i;

/** Whether a split is called as those to train on are. */
export function isTrainingSplit(split: string): boolean {
  return TRAIN.test(split);
}

/** The data of a config, or those given; every fault of the annotations is reported here, before anything is computed. */
export async function openData(
  config: TrainConfig,
  onEvent: Listener,
  given?: { readonly train: Dataset; readonly val?: Dataset | undefined },
): Promise<TrainingData> {
  const opened = given === undefined ? await openTraining(config) : undefined;
  const only = opened?.sources.length === 1 ? opened.sources[0] : undefined;
  if (only !== undefined && VAL.test(only.split) && config.split === undefined && config.valData === undefined)
    onEvent({
      kind: 'warning',
      text: `'${only.split}' is the only split of ${config.data}: it is trained on, and what is measured on it says nothing of other images.`,
    });
  const whole = opened?.whole ?? given!.train;
  const train = whole.trainable(config);
  const left = whole.length - train.length;
  if (left > 0) {
    onEvent({
      kind: 'note',
      text:
        `${left} of ${counted(whole.length, 'image')} ${left === 1 ? 'has no objects to learn and is' : 'have no objects to learn and are'} not trained on` +
        (config.keepEmpty === true ? '.' : '; keepEmpty (--keep-empty) takes those without any as negatives.'),
    });
  }
  if (train.length === 0) {
    throw new RcnnError('DATASET_INVALID', {
      where: config.data,
      problem: 'no image has an object to learn',
      found: counted(whole.length, 'image'),
      hint: `${crowdsHint(whole)}Run 'mask-rcnn doctor ${config.data}'.`,
    });
  }
  const val =
    opened === undefined
      ? given!.val
      : await openVal(config, opened, { ...withoutSplit(opened.options), classes: train.classes });
  for (const dataset of [train, val]) if (dataset !== undefined) await requireImages(dataset, config);
  if (val === undefined)
    onEvent({
      kind: 'warning',
      text: 'There is no validation split, so nothing is evaluated; name one with valData (--val-data).',
    });
  else if (datasetOffers(val).boxes === 0)
    onEvent({
      kind: 'warning',
      text: `The validation data ${quoteName(val.name)} have no objects, so nothing says which weights are best; name others with valData (--val-data).`,
    });
  for (const dataset of [train, val]) {
    if (dataset === undefined) continue;
    warnOfDropped(dataset, onEvent);
    warnOfOdd(dataset, onEvent);
  }
  return { train, val, source: batchesOf(train, config, onEvent) };
}

/** Annotations that `badSamples: skip` left out, counted by what is wrong with them: never without a word. */
function warnOfDropped({ name, problems }: Dataset, onEvent: Listener): void {
  const errors = problems.list(1).filter(({ severity }) => severity === 'error');
  for (const { title, count, examples } of errors) {
    const [example] = examples;
    const where = example === undefined ? '' : `, such as ${example.place}: ${example.found}`;
    onEvent({ kind: 'warning', text: `${name}: ${title}: ${count} left out${where}` });
  }
}

/** What is odd in annotations that are used all the same, counted: the doctor names each. */
function warnOfOdd({ name, problems }: Dataset, onEvent: Listener): void {
  const odd = problems.list(1).filter(({ severity, kind }) => severity === 'warning' && !TOLD.includes(kind));
  for (const { title, count, examples } of odd)
    onEvent({ kind: 'warning', text: `${name}: ${title} (${count}): ${examples[0]!.place}: ${examples[0]!.found}` });
}

/** Oddities that no training suffers from, or that it tells in words of its own. */
const TOLD: readonly string[] = ['annotation-id-zero', 'category-id-zero', 'segmentation-missing'];

/** Images named one by one when they are left out; then only the count goes on. */
const NAMED = 10;

/** Tells once of each image that cannot be used. */
function skipReporter(onEvent: Listener): (skipped: readonly SkippedSample[]) => void {
  const known = new Set<ImageId>();
  return (skipped) => {
    for (const { imageId, message } of skipped) {
      if (known.has(imageId)) continue;
      known.add(imageId);
      if (known.size <= NAMED) onEvent({ kind: 'warning', text: `Left out image ${imageId}: ${message}` });
      else if (known.size % NAMED === 0)
        onEvent({ kind: 'warning', text: `Left out ${counted(known.size, 'image')} so far.` });
    }
  };
}

interface Opened {
  /** What is trained on, with images that have no object. */
  readonly whole: Dataset;
  /** Its split. */
  readonly split: string;
  /** What lies beside it, and itself. */
  readonly sources: readonly DatasetSource[];
  readonly options: OpenOptions;
}

/** What the config names to train on. */
async function openTraining(config: TrainConfig): Promise<Opened> {
  const options: OpenOptions = { ...openOptionsOf(config), classes: config.labels };
  const sources = await findSources(config.data, options);
  const source = choose(sources, config.split ?? TRAIN, config.data);
  const whole = await openSource(source, { ...options, keepEmpty: true });
  return { whole, split: source.split, sources, options };
}

/** The split to evaluate on: the one that was named, or the one beside the training split. */
async function openVal(
  { data, valData }: Pick<TrainConfig, 'data' | 'valData'>,
  { sources, split: train }: Pick<Opened, 'sources' | 'split'>,
  options: OpenOptions,
): Promise<Dataset | undefined> {
  if (valData !== undefined) {
    const own = await findSources(valData, options);
    return openSource(own.length === 1 ? own[0]! : choose(own, VAL, valData), options);
  }
  const found = validationSplits(sources, train);
  if (found.length > 1)
    throw unclear(found, data, 'Name the annotation file to evaluate on with valData (--val-data).');
  return found[0] && openSource(found[0], options);
}

/**
 * The splits that are called validation; of several, the one that is called like the split to train on but for that word,
 * if there is one: `val2014` beside `train2014`, `day_val` beside `day_train`.
 */
export function validationSplits(sources: readonly DatasetSource[], train?: string): readonly DatasetSource[] {
  const all = sources.filter(({ split }) => VAL.test(split));
  const alike = all.filter(({ split }) => split.replace(VAL, '$2') === train?.replace(TRAIN, '$2'));
  return alike.length === 1 ? alike : all;
}

/** How many files are looked at before training begins: enough to notice a wrong folder, at no cost. */
const PROBES = 16;

/**
 * Looks at some of the images before a run folder is made for them.
 * @throws IMAGE_MISSING when they are not where they should be, and what says why one cannot be used
 */
async function requireImages({ images, store, length }: Dataset, { data, badSamples }: TrainConfig): Promise<void> {
  if (!(store instanceof FolderImages)) return;
  const count = Math.min(PROBES, length);
  const probes = Array.from({ length: count }, (_, i) => images[Math.floor((i * length) / count)]!);
  const found = await Promise.allSettled(probes.map((image) => store.check(image)));
  const bad = found.filter((result) => result.status === 'rejected');
  if (bad.length === 0 || (badSamples === 'skip' && bad.length < count)) return;
  const missing = probes.filter((_, i) => isMissing(found[i]!)).map(({ file }) => file);
  if (missing.length === 0) throw bad[0]!.reason;
  throw new RcnnError('IMAGE_MISSING', {
    where: store.root,
    problem: 'images of the annotations are not in this folder',
    found: `${missing.length} of ${count} looked for are missing, such as ${missing[0]}`,
    hint: `Say where they are with images (--images); 'mask-rcnn doctor ${data}' lists every missing one.`,
  });
}

/** Not there; what is wrong with other files, their errors say. */
function isMissing(result: PromiseSettledResult<void>): boolean {
  if (result.status === 'fulfilled') return false;
  return isRcnnError(result.reason, 'IMAGE_MISSING') || isRcnnError(result.reason, 'FILE_MISSING');
}

/** The split is the one to train on; that to evaluate on has its own name. */
function withoutSplit(options: OpenOptions): OpenOptions {
  const { split: ignored, ...others } = options;
  void ignored;
  return others;
}

/** The split of this name, or the one that looks like it of several. */
function choose(sources: readonly DatasetSource[], wanted: string | RegExp, where: string): DatasetSource {
  const fits = (split: string): boolean =>
    typeof wanted === 'string' ? matchesSplit(split, wanted) : wanted.test(split);
  if (sources.length === 1 && typeof wanted !== 'string') return sources[0]!;
  const exact = sources.filter(({ split }) => split === wanted);
  const found = exact.length > 0 ? exact : sources.filter(({ split }) => fits(split));
  if (found.length === 1) return found[0]!;
  const all = found.length === 0 ? sources : found;
  throw unclear(all, where, 'Name it with split (--split), or name the annotation file itself.');
}

function unclear(sources: readonly DatasetSource[], where: string, hint: string): RcnnError {
  return new RcnnError('DATASET_INVALID', {
    where,
    problem: 'it is not clear which split to use',
    found: sources.map(({ split, annotations }) => `${quoteName(split)} (${quoteName(annotations)})`).join(', '),
    hint,
  });
}

/** The batches of every epoch, made in threads that live as long as the training. */
function batchesOf(dataset: Dataset, config: TrainConfig, onEvent: Listener): BatchSource {
  const { workers, augment, batchSize, seed, badSamples, maxSkipRate } = config;
  let pool: LoaderWorkers | undefined;
  const reportSkipped = skipReporter(onEvent);
  const options: LoaderOptions = {
    batchSize,
    seed,
    transform: augment,
    onBadSample: badSamples ?? 'fail',
    ...(maxSkipRate !== undefined && { maxSkipRate }),
    // Full batches make steps comparable; a set smaller than one batch is used as it is.
    dropLast: dataset.length >= batchSize,
    aspectGroups: batchSize > 1 ? 3 : -1, // as in torchvision's recipe
    prefetch: workers + 1,
  };
  return {
    batchesPerEpoch: createLoader(dataset, options).length,
    plan: (epoch) => createLoader(dataset, { ...options, epoch }).plan,
    async *batches(epoch, first, share) {
      if (workers > 0) pool ??= new LoaderWorkers(dataset, { workers, transform: augment });
      const loader = createLoader(dataset, { ...options, epoch, startIndex: first, share }, pool?.run);
      for await (const batch of loader) {
        reportSkipped(batch.skipped);
        yield batch;
      }
      reportSkipped(loader.skipped);
    },
    async close() {
      await pool?.close();
      pool = undefined;
    },
  };
}
