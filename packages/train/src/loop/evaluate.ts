import {
  type CocoResult,
  cocoResults,
  createLoader,
  type Dataset,
  type DatasetSettings,
  datasetAsCoco,
  numberImages,
  type SkippedSample,
} from '@rcnn/coco-data';
import {
  type CocoDataset,
  type Evaluation,
  evaluate as evaluateCoco,
  type IoUType,
  type CocoResult as NumberedResult,
  perClass,
  statNames,
} from '@rcnn/coco-eval';
import type { Detection, Detector, DetectorSpec, PixelImage, Target } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Scores } from './events.ts';
import { KIND_OF } from './kinds.ts';
import type { EvaluationRecord, KindRecord } from './records.ts';

/** One image with what is on it and what the model found. */
export interface Example {
  readonly image: PixelImage;
  readonly target: Target;
  readonly detections: readonly Detection[];
}

export interface ModelEvaluationOptions extends Pick<DatasetSettings, 'badSamples' | 'maxSkipRate'> {
  readonly epoch?: number;
  /** Compute the validation losses too. Default true. */
  readonly losses?: boolean;
  /** Examples to keep for pictures. Default 0. */
  readonly examples?: number;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface ModelEvaluation {
  readonly record: EvaluationRecord;
  /** `segm/AP`, `bbox/AP50`, `loss/val`, … for curves. */
  readonly scores: Scores;
  /** A results list that pycocotools reads as it is, with the dataset's own ids. */
  readonly predictions: readonly CocoResult[];
  readonly examples: readonly Example[];
  /** With `badSamples: 'skip'`: images that could not be read. They count neither as found nor as missed. */
  readonly skipped: readonly SkippedSample[];
}

/** Predicts every image of a dataset, one at a time as torchvision does, and evaluates it as pycocotools does. */
export async function evaluateModel(
  model: Detector,
  dataset: Dataset,
  {
    epoch = 0,
    losses = true,
    examples: wanted = 0,
    badSamples = 'fail',
    maxSkipRate,
    onProgress,
  }: ModelEvaluationOptions = {},
): Promise<ModelEvaluation> {
  const predictions: CocoResult[] = [];
  const numbered: NumberedResult[] = [];
  const numbers = numberImages(dataset.images);
  const examples: Example[] = [];
  const sums = new Map<string, number>();
  const every = Math.max(1, Math.floor(dataset.length / Math.max(1, wanted)));
  let seconds = 0;
  let counted = 0;
  let done = 0;
  const loader = createLoader(dataset, {
    batchSize: 1,
    shuffle: false,
    onBadSample: badSamples,
    ...(maxSkipRate !== undefined && { maxSkipRate }),
  });
  const seen: number[] = [];
  for await (const { images, targets, indices } of loader) {
    const [image, target, index] = [images[0]!, targets[0]!, indices[0]!];
    seen.push(index);
    const begin = performance.now();
    const [detections] = await model.detect(images);
    seconds += (performance.now() - begin) / 1000;
    const { id } = dataset.images[index]!;
    const found = cocoResults(detections!, id, dataset.classes);
    predictions.push(...found);
    numbered.push(...found.map((result): NumberedResult => ({ ...result, image_id: numbers.get(id)! })));
    if (losses && target.labels.length > 0) {
      counted++;
      await addLosses(sums, model, image, target);
    }
    if (examples.length < wanted && index % every === 0) examples.push({ image, target, detections: detections! });
    onProgress?.(++done, dataset.length);
  }
  const means = Object.fromEntries([...sums].map(([name, total]) => [name, total / counted]));
  const truth = datasetAsCoco(dataset, seen) as unknown as CocoDataset;
  const results: Partial<Record<IoUType, KindRecord>> = {};
  for (const iouType of kindsToMeasure(model.spec, dataset)) {
    results[iouType] = recordOf(evaluateCoco(truth, numbered, { iouType }));
  }
  const record: EvaluationRecord = { epoch, images: seen.length, results, losses: means, seconds };
  return { record, scores: scoresOf(record), predictions, examples, skipped: loader.skipped };
}

/** What the model finds and the data can judge, in the order of the model's own list. */
function kindsToMeasure({ finds }: DetectorSpec, dataset: Dataset): IoUType[] {
  const known = finds.filter((finding) => {
    if (finding === 'masks') return dataset.hasMasks;
    if (finding === 'keypoints') return dataset.numKeypoints > 0;
    return true;
  });
  return known.map((finding) => KIND_OF[finding]);
}

async function addLosses(sums: Map<string, number>, model: Detector, image: PixelImage, target: Target): Promise<void> {
  const losses = await model.losses([image], [target], { phase: 'predict' });
  for (const [name, loss] of Object.entries(losses)) {
    const [value] = await loss.data();
    sums.set(name, (sums.get(name) ?? 0) + value!);
  }
  tf.dispose(losses);
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
