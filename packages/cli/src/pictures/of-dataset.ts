import {
  type Dataset,
  type DatasetSettings,
  type ImageId,
  listedDetections,
  type SkippedSample,
  usableSamples,
} from '@rcnn/coco-data';
import { type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import type { Architecture } from '@rcnn/models';
import { type DrawnObject, drawnDetections, drawnTarget } from '@rcnn/visualize';
import { startEngine } from '../engines/use.ts';
import type { ModelFlags } from '../models/load.ts';
import { openModel } from '../models/open-model.ts';
import type { EngineFlags } from '../options/engine-options.ts';
import { readJson } from '../options/json-file.ts';
import { note } from '../output/print.ts';
import type { Picture } from './draw.ts';
import { spread } from './spread.ts';

export interface DatasetPictures extends Pick<DatasetSettings, 'badSamples' | 'maxSkipRate'> {
  /** At most so many images, spread over the dataset. */
  readonly limit: number;
  readonly minScore: number;
  /** Predict with this; else the truth is drawn, or the results of `predictions`. */
  readonly model: ModelFlags | undefined;
  readonly architectures: readonly Architecture[] | undefined;
  readonly engine: EngineFlags;
  /** A file with a list of COCO results. */
  readonly predictions: string | undefined;
}

/** Predictions, a list of results or the truth on the images of a dataset. */
export async function* picturesOfDataset(
  path: string,
  open: OpenOptions,
  { limit, minScore, model, architectures, engine, predictions, ...bad }: DatasetPictures,
): AsyncGenerator<Picture> {
  if (model !== undefined) await startEngine(engine, 'predict');
  const opened = model === undefined ? undefined : await openModel(model, { path, ...open }, architectures);
  const dataset = opened?.dataset ?? (await openDataset(path, open));
  const results = predictions === undefined ? undefined : readResults(predictions, dataset);
  const names = new Map(dataset.classes.classes.map(({ label, name }) => [label, name]));
  const indices = spread(dataset.length, limit);
  for await (const { image: record, target, pixels: image } of usableSamples(dataset, indices, { ...bad, onSkip })) {
    const [detections] = (await opened?.model.detect([image])) ?? [];
    const objects: readonly DrawnObject[] =
      detections !== undefined
        ? drawnDetections(detections, minScore)
        : results !== undefined
          ? (results.get(record.id) ?? []).filter(({ score = 1 }) => score >= minScore)
          : drawnTarget(target);
    yield { name: record.file, image, objects, names, skeleton: dataset.keypointScheme?.skeleton };
  }
}

function onSkip({ imageId, message }: SkippedSample): void {
  note(`left out image ${imageId}: ${message}`);
}

/** A list of COCO results by image. @throws FILE_MISSING, FILE_MALFORMED, DETECTION_INVALID */
function readResults(file: string, { classes }: Dataset): ReadonlyMap<ImageId, readonly DrawnObject[]> {
  return listedDetections(readJson(file), classes, file);
}
