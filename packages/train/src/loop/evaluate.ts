import {
  type CocoResult,
  cocoResults,
  createLoader,
  type Dataset,
  type DatasetSettings,
  datasetAsCoco,
  type Loader,
  numberImages,
  type SkippedSample,
  Uncategorized,
} from '@rcnn/coco-data';
import {
  type CocoDataset,
  type EvalParams,
  type Evaluation,
  evaluate as evaluateCoco,
  type IoUType,
  type CocoResult as NumberedResult,
  perClass,
  statNames,
} from '@rcnn/coco-eval';
import type { Detection, Detector, Finding, PixelImage, Target } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { analyse, bestScoreOf, columnsOf, type KindAnalysis } from './analyse.ts';
import type { Scores } from './events.ts';
import { KIND_OF, mostTellingFirst } from './kinds.ts';
import type { EvaluationRecord, KindRecord } from './records.ts';
import { type ImageErrors, worstImages } from './worst-images.ts';

/** One image with what is on it and what the model found. */
export interface Example {
  readonly image: PixelImage;
  readonly target: Target;
  readonly detections: readonly Detection[];
  /** Of an image that was chosen for its errors: how many. */
  readonly errors?: Pick<ImageErrors, 'missed' | 'wrong'> | undefined;
}

export interface ModelEvaluationOptions extends Pick<DatasetSettings, 'badSamples' | 'maxSkipRate'> {
  readonly epoch?: number;
  /** Compute the validation losses too. Default true. */
  readonly losses?: boolean;
  /** Examples to keep for pictures. Default 0. */
  readonly examples?: number;
  /** Images with the most errors to keep too, before the examples, worst first. Default 0. */
  readonly worst?: number;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface ModelEvaluation {
  readonly record: EvaluationRecord;
  /** `segm/AP`, `bbox/AP50`, `loss/val`, … for curves. */
  readonly scores: Scores;
  /** A results list that pycocotools reads as it is, with the dataset's own ids. */
  readonly predictions: readonly CocoResult[];
  readonly examples: readonly Example[];
  /**
   * Where the model errs, by kind, and from which score on it is best. Computed when asked for.
   * @param scoreThreshold detections below it are not looked at. Default where the mean F1 over classes is highest
   */
  analysis(scoreThreshold?: number): Partial<Record<IoUType, KindAnalysis>>;
  /** The score from which on the kind that tells most is best; 0.5 where no detection is right. */
  bestScore(): number;
  /** Images by their errors from {@link bestScore} on, most first; those without any are left out. */
  worstImages(): (Pick<ImageErrors, 'missed' | 'wrong'> & { readonly index: number })[];
  /** With `badSamples: 'skip'`: images that could not be read. They count neither as found nor as missed. */
  readonly skipped: readonly SkippedSample[];
  /** What was found, left out of the numbers, for no category has its label; undefined where nothing was. */
  readonly uncategorized: string | undefined;
}

/** Predicts every image of a dataset, one at a time as torchvision does, and evaluates it as pycocotools does. */
export async function evaluateModel(
  model: Detector,
  dataset: Dataset,
  { epoch = 0, examples: wanted = 0, worst = 0, onProgress, ...options }: ModelEvaluationOptions = {},
): Promise<ModelEvaluation> {
  const answers: ImageAnswer[] = [];
  const examples: Example[] = [];
  const every = Math.max(1, Math.floor(dataset.length / Math.max(1, wanted)));
  const pass = new EvaluationPass(model, dataset, options);
  for await (const { answer, example } of pass) {
    answers.push(answer);
    if (examples.length < wanted && answer.index % every === 0) examples.push(example);
    onProgress?.(answers.length, dataset.length);
  }
  const summary = summarize(dataset, answers, { epoch, finds: model.spec.finds });
  const shown = await showWorst(model, dataset, worst > 0 ? summary.worstImages().slice(0, worst) : []);
  return {
    ...summary,
    examples: [...shown, ...examples],
    skipped: pass.skipped,
    uncategorized: pass.uncategorized.text,
  };
}

/** Images once more, to show them: what was found in all of them at once would not fit into memory. */
export async function showWorst(
  model: Detector,
  dataset: Dataset,
  worst: ReturnType<ModelEvaluation['worstImages']>,
): Promise<Example[]> {
  if (worst.length === 0) return [];
  const indices = worst.map(({ index }) => index);
  const examples: Example[] = [];
  for await (const { answer, example } of new EvaluationPass(model, dataset, { indices, losses: false })) {
    const { missed, wrong } = worst.find(({ index }) => index === answer.index)!;
    examples.push({ ...example, errors: { missed, wrong } });
  }
  return examples;
}

/** What a model says of one image of a dataset: all that an evaluation needs of it, as plain data. */
export interface ImageAnswer {
  /** Of the image in the dataset. */
  readonly index: number;
  readonly results: readonly CocoResult[];
  /** By name; absent when none were asked for, or nothing is on the image. */
  readonly losses?: Readonly<Record<string, number>> | undefined;
  /** Of prediction. */
  readonly seconds: number;
}

/** Losses of an {@link ImageAnswer} that came as JSON, which has no NaN and no infinity: they stand there as text. */
export function lossesFromJson(
  losses: Readonly<Record<string, number | string>> | undefined,
): Readonly<Record<string, number>> | undefined {
  return losses && Object.fromEntries(Object.entries(losses).map(([name, value]) => [name, Number(value)]));
}

export interface EvaluationPassOptions extends Pick<ModelEvaluationOptions, 'losses' | 'badSamples' | 'maxSkipRate'> {
  /** Only these images. Default all. */
  readonly indices?: readonly number[] | undefined;
}

/** The first half of {@link evaluateModel}: each image is predicted, in order. Iterate it once. */
export class EvaluationPass implements AsyncIterable<{ readonly answer: ImageAnswer; readonly example: Example }> {
  readonly #model: Detector;
  readonly #dataset: Dataset;
  readonly #indices: readonly number[] | undefined;
  readonly #losses: boolean;
  readonly #loader: Loader;
  readonly #uncategorized = new Uncategorized();

  constructor(
    model: Detector,
    dataset: Dataset,
    { indices, losses = true, badSamples = 'fail', maxSkipRate }: EvaluationPassOptions = {},
  ) {
    this.#model = model;
    this.#dataset = dataset;
    this.#indices = indices;
    this.#losses = losses;
    this.#loader = createLoader(indices === undefined ? dataset : dataset.subset(indices), {
      batchSize: 1,
      shuffle: false,
      onBadSample: badSamples,
      ...(maxSkipRate !== undefined && { maxSkipRate }),
    });
  }

  /** With `badSamples: 'skip'`: what was left out so far, by its index in the dataset. */
  get skipped(): readonly SkippedSample[] {
    return this.#loader.skipped.map((sample) => ({ ...sample, index: this.#place(sample.index) }));
  }

  /** What was found so far that no category stands for. */
  get uncategorized(): Uncategorized {
    return this.#uncategorized;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ readonly answer: ImageAnswer; readonly example: Example }> {
    for await (const { images, targets, indices } of this.#loader) {
      const [image, target, index] = [images[0]!, targets[0]!, this.#place(indices[0]!)];
      const begin = performance.now();
      const [detections] = await this.#model.detect(images);
      const seconds = (performance.now() - begin) / 1000;
      this.#uncategorized.add(detections!, this.#dataset.classes);
      const results = cocoResults(detections!, this.#dataset.images[index]!.id, this.#dataset.classes);
      const withLosses = this.#losses && target.labels.length > 0;
      const losses = withLosses ? await lossesOf(this.#model, image, target) : undefined;
      yield { answer: { index, results, losses, seconds }, example: { image, target, detections: detections! } };
    }
  }

  #place(index: number): number {
    return this.#indices === undefined ? index : this.#indices[index]!;
  }
}

/**
 * The second half of {@link evaluateModel}: the numbers of all answers together. They are the same whether one process
 * gave the answers or many, as long as they come in the order of the images.
 */
export function summarize(
  dataset: Dataset,
  answers: readonly ImageAnswer[],
  { epoch = 0, finds }: { readonly epoch?: number; readonly finds: readonly Finding[] },
): Omit<ModelEvaluation, 'examples' | 'skipped' | 'uncategorized'> {
  const numbers = numberImages(dataset.images);
  const predictions: CocoResult[] = [];
  const numbered: NumberedResult[] = [];
  const asMasks: NumberedResult[] = []; // the same, ranked by how good the masks are said to be
  let isRated = false;
  const sums = new Map<string, number>();
  let counted = 0;
  let seconds = 0;
  for (const answer of answers) {
    seconds += answer.seconds;
    const number = numbers.get(dataset.images[answer.index]!.id)!;
    for (const result of answer.results) {
      predictions.push(result);
      numbered.push({ ...result, image_id: number });
      asMasks.push({ ...result, image_id: number, score: result.mask_score ?? result.score });
      isRated ||= result.mask_score !== undefined;
    }
    if (answer.losses === undefined) continue;
    counted++;
    for (const [name, value] of Object.entries(answer.losses)) sums.set(name, (sums.get(name) ?? 0) + value);
  }
  const losses = Object.fromEntries([...sums].map(([name, total]) => [name, total / counted]));
  const seen = answers.map(({ index }) => index);
  const truth = datasetAsCoco(dataset, seen) as unknown as CocoDataset;
  const columns = columnsOf(truth, numbered);
  const ofMasks = isRated ? columnsOf(truth, asMasks) : columns;
  const columnsFor = (iouType: IoUType) => (iouType === 'segm' ? ofMasks : columns);
  const oksSigmas = oksSigmasOf(dataset.numKeypoints);
  const evaluations = kindsToMeasure(finds, dataset).map((iouType) =>
    evaluateCoco(...columnsFor(iouType), { iouType, ...oksSigmas }),
  );
  const results = Object.fromEntries(evaluations.map((evaluation) => [evaluation.iouType, recordOf(evaluation)]));
  const record: EvaluationRecord = { epoch, images: seen.length, results, losses, seconds };
  const tells = mostTellingFirst(Object.keys(results))[0] as IoUType;
  const bestScore = (): number => bestScoreOf(...columns, { iouType: tells, ...oksSigmas });
  return {
    record,
    scores: scoresOf(record),
    predictions,
    bestScore,
    analysis: (score) =>
      Object.fromEntries(
        evaluations.map((each) => [each.iouType, analyse(each, ...columnsFor(each.iouType), score, oksSigmas)]),
      ),
    worstImages() {
      const indices = new Map(dataset.images.map(({ id }, index) => [numbers.get(id)!, index]));
      const worst = worstImages(truth, numbered, bestScore());
      return worst.map(({ id, ...errors }) => ({ ...errors, index: indices.get(id as number)! }));
    },
  };
}

/** Key points of COCO's persons: their spreads are known. */
const COCO_POINTS = 17;
/** The mean of COCO's 17 spreads, for key points of which nobody has measured how far annotators are apart. */
const USUAL_SPREAD = 0.067;

/** The spread of each key point by which places are judged. */
function oksSigmasOf(numKeypoints: number): Pick<EvalParams, 'oksSigmas'> {
  if (numKeypoints === 0 || numKeypoints === COCO_POINTS) return {};
  return { oksSigmas: Array.from({ length: numKeypoints }, () => USUAL_SPREAD) };
}

/** What the model finds and the data can judge, in the order of the model's own list. */
function kindsToMeasure(finds: readonly Finding[], dataset: Dataset): IoUType[] {
  const known = finds.filter((finding) => {
    if (finding === 'masks') return dataset.hasMasks;
    if (finding === 'keypoints') return dataset.numKeypoints > 0;
    return true;
  });
  return known.map((finding) => KIND_OF[finding]);
}

async function lossesOf(model: Detector, image: PixelImage, target: Target): Promise<Readonly<Record<string, number>>> {
  const losses = await model.losses([image], [target], { phase: 'predict' });
  const values: Record<string, number> = {};
  for (const [name, loss] of Object.entries(losses)) values[name] = (await loss.data())[0]!;
  tf.dispose(losses);
  return values;
}

function recordOf(evaluation: Evaluation): KindRecord {
  const classes = perClass(evaluation).map(({ name, ap, ap50 }) => ({ name, ap, ap50 }));
  return { stats: evaluation.stats, summary: evaluation.summary, classes };
}

function scoresOf({ results, losses }: EvaluationRecord): Scores {
  const scores: Record<string, number> = {};
  for (const [kind, { stats }] of Object.entries(results)) {
    for (const [i, name] of statNames(kind as IoUType).entries()) scores[`${kind}/${name}`] = stats[i]!;
  }
  for (const [name, value] of Object.entries(losses)) scores[`loss/val_${name.replace(/^loss_/, '')}`] = value;
  const parts = Object.values(losses);
  if (parts.length > 0) scores['loss/val'] = parts.reduce((sum, value) => sum + value, 0);
  return scores;
}
