import { type Dataset, datasetAsCoco, numberImages } from '@rcnn/coco-data';
import { findSources, type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import {
  type CocoDataset,
  type CocoResult,
  type DetectionReading,
  type Detections,
  detectionsFrom,
  type GroundTruth,
  groundTruthFrom,
} from '@rcnn/coco-eval';
import { readDetections, readGroundTruth } from '@rcnn/coco-eval/node';
import { RcnnError } from '@rcnn/core/errors';
import { validationOf } from '../models/validation-split.ts';
import { readJson } from '../options/json-file.ts';
import { compareNames, namedResults, requireSamePictures } from './same-pictures.ts';

/**
 * Truth and results. A COCO file is read as pycocotools reads it; a folder stands for the annotation file of its
 * split; data in other formats are turned into COCO first, and results may name their images by the ids that those
 * data have.
 */
export async function readTruthAndResults(
  truthPath: string,
  resultsPath: string,
  open: OpenOptions,
  reading: DetectionReading,
): Promise<{ truth: GroundTruth; detections: Detections }> {
  const options = await validationOf(truthPath, open);
  const sources = await findSources(truthPath, options);
  const only = sources.filter(({ split }) => options.split === undefined || split === options.split);
  if (only.length === 1 && only[0]!.format === 'coco') {
    const truth = readGroundTruth(only[0]!.annotations);
    requireSamePictures(only[0]!.annotations, resultsPath);
    return { truth, detections: readDetections(resultsPath, truth, reading) };
  }
  const dataset = await openDataset(truthPath, options);
  const truth = groundTruthFrom(datasetAsCoco(dataset) as unknown as CocoDataset, truthPath);
  compareNames(namedResults(resultsPath), dataset.images, resultsPath);
  const results = numbered(readJson(resultsPath), dataset, resultsPath);
  return { truth, detections: detectionsFrom(results, truth, { where: resultsPath, ...reading }) };
}

/**
 * Results in the numbers of the COCO file that was made of the data: images by the ids that the data have, and classes by
 * their names where results say them, for formats other than COCO have names alone.
 */
function numbered(results: unknown, { images, classes }: Dataset, where: string): CocoResult[] {
  if (!Array.isArray(results)) {
    throw new RcnnError('DETECTION_INVALID', { where, problem: 'results must be a list', found: typeof results });
  }
  const numbers = numberImages(images);
  const categories = new Map(classes.classes.map(({ name, categoryId }) => [name, categoryId]));
  return (results as readonly (Named & CocoResult)[]).map((result) => {
    const { image_id: image, category_name: name } = (result ?? {}) as Partial<Named>;
    const number = image === undefined ? undefined : numbers.get(image);
    const category = name === undefined ? undefined : categories.get(name);
    return {
      ...result,
      ...(number !== undefined && { image_id: number }),
      ...(category !== undefined && { category_id: category }),
    };
  });
}

/** What results say beyond the numbers of pycocotools. */
interface Named {
  readonly image_id: number | string;
  readonly category_name?: string;
}
