import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createLoader, type Dataset, datasetAsCoco, numberImages } from '@rcnn/coco-data';
import { openDataset } from '@rcnn/coco-data/node';
import { type CocoDataset, evaluate, type IoUType } from '@rcnn/coco-eval';
import {
  countParameters,
  type Detection,
  type Detector,
  type EngineName,
  type PixelImage,
  useEngine,
} from '@rcnn/core';
import { architectures, findArchitecture } from '@rcnn/models';
import { loadDetector } from '@rcnn/models/node';
import { compileAs } from '@rcnn/onnx';
import { processor } from '@rcnn/shared/bench';
import { consoleProgress, evaluateModel, type ModelEvaluation, resume, train } from '../../src/index.ts';
import type { Numbers, Row } from './table.ts';

/** What one process does. */
export interface Task {
  readonly arch: string;
  readonly data: string;
  readonly engine: string;
  readonly epochs: number;
  /** Smaller side of the pictures, in pixels. Default the architecture's. */
  readonly side?: number;
  /** For the run. */
  readonly folder: string;
  /** For the row. */
  readonly file: string;
}

/** Trains by the preset for small networks, or goes on with what an earlier process began, and measures the last weights. */
export async function measured({ arch, data, engine: name, epochs, side, folder }: Task): Promise<Row> {
  const engine = name as EngineName;
  const run = join(folder, 'run');
  const before = existsSync(join(run, 'config.yaml'));
  const onEvent = consoleProgress({ style: 'plain' });
  const course = { engine, epochs, evaluateEvery: epochs };
  const config = { data, preset: 'quick', out: folder, name: 'run', arch, model: sidesOf(arch, side), ...course };
  const result = before ? await resume(run, {}, { onEvent }) : await train(config, { onEvent });
  const peakMiB = process.resourceUsage().maxRSS / 2 ** 10;
  const trainingSeconds = processorSeconds();
  await useEngine(engine);
  const { model } = await loadDetector(result.folder.last);
  const dataset = await openDataset(data, { split: 'val' });
  const parameters = countParameters(model);
  const evaluation = await evaluateModel(model, dataset, { losses: false });
  const beside = (['segm', 'keypoints'] as const).filter((kind) => evaluation.record.results[kind] !== undefined);
  const numbers = beside.map((kind) => [kind, numbersOf(kind, evaluation, dataset)] as const);
  const perPicture = await timeOfPicture(compileAs(model, 'auto'), dataset);
  return {
    arch,
    steps: result.position.step,
    parameters,
    // Of the whole training with its start, its evaluation and its report; unknown where another process began it.
    ...(!before && { trainingSeconds, peakMiB }),
    ...perPicture,
    processor: processor(),
    bbox: numbersOf('bbox', evaluation, dataset),
    ...Object.fromEntries(numbers),
  };
}

/** Longer side of the pictures, in shorter ones, at most. */
const LONGEST = 1.5;

/** YOLACT squeezes pictures into a square; the others keep their form. */
function sidesOf(arch: string, side: number | undefined): Record<string, number> {
  if (side === undefined) return {};
  const { shape } = findArchitecture(architectures, arch).optionSchema;
  return 'imageSize' in shape ? { imageSize: side } : { minSize: side, maxSize: Math.round(LONGEST * side) };
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Pictures that are predicted before the clock runs. */
const WARM_UP = 5;

/** A picture predicted with its masks at its own size, by the clock and by the processor. The first ones do not count. */
async function timeOfPicture(
  model: Detector,
  dataset: Dataset,
): Promise<Pick<Row, 'millisecondsPerPicture' | 'processorMillisecondsPerPicture'>> {
  const images: PixelImage[] = [];
  for await (const batch of createLoader(dataset, { batchSize: 1, shuffle: false })) images.push(...batch.images);
  for (const image of images.slice(0, WARM_UP)) withMasks(await model.detect([image]));
  const [wall, processor] = [performance.now(), processorSeconds()];
  for (const image of images) withMasks(await model.detect([image]));
  return {
    millisecondsPerPicture: (performance.now() - wall) / images.length,
    processorMillisecondsPerPicture: (1000 * (processorSeconds() - processor)) / images.length,
  };
}

/** Masks are made when they are asked for. */
function withMasks([found]: readonly Detection[][]): void {
  for (const detection of found!) {
    if ('mask' in detection) (detection.mask as { bitmap(): Uint8Array }).bitmap();
  }
}

/** AP as pycocotools has it, at single IoUs, and along the outlines of masks. */
function numbersOf(iouType: IoUType, { predictions, scores }: ModelEvaluation, dataset: Dataset): Numbers {
  const truth = datasetAsCoco(dataset) as unknown as CocoDataset;
  const numbers = numberImages(dataset.images);
  const found = predictions.map((result) => ({
    ...result,
    image_id: numbers.get(result.image_id)!,
    score: iouType === 'segm' ? (result.mask_score ?? result.score) : result.score,
  }));
  const ap = (kind: IoUType, iouThresholds?: readonly number[]): number =>
    evaluate(truth, found, { iouType: kind, ...(iouThresholds && { iouThresholds }) }).stats[0]!;
  return {
    ap: scores[`${iouType}/AP`]!,
    ap50: scores[`${iouType}/AP50`]!,
    ap90: ap(iouType, [0.9]),
    ...(iouType === 'segm' && { boundary: ap('boundary') }),
  };
}
