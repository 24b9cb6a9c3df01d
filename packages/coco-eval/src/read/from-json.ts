import { RcnnError } from '@rcnn/core/errors';
import { DetectionBuilder, type DetectionReading, GroundTruthBuilder, Row } from './builders.ts';
import type { Detections, GroundTruth } from './columns.ts';
import { ObjectSegmentations, type Segmentation } from './segmentations.ts';

/** A COCO annotation file as `JSON.parse` gives it; only what evaluation reads. */
export interface CocoDataset {
  readonly images: readonly { readonly id: number; readonly height?: number; readonly width?: number }[];
  readonly categories?: readonly { readonly id: number; readonly name?: string }[];
  readonly annotations?: readonly CocoAnnotation[];
}

export interface CocoAnnotation {
  readonly id: number;
  readonly image_id: number;
  readonly category_id: number;
  readonly area?: number;
  readonly iscrowd?: number | boolean;
  readonly bbox?: readonly number[];
  readonly segmentation?: Segmentation;
  readonly keypoints?: readonly number[];
  readonly num_keypoints?: number;
}

/** One entry of a COCO results file. */
export interface CocoResult {
  readonly image_id: number;
  readonly category_id: number;
  readonly score: number;
  /** x, y, width, height in pixels. */
  readonly bbox?: readonly number[];
  readonly segmentation?: Segmentation;
  readonly keypoints?: readonly number[];
}

/** Reads a parsed COCO annotation file into columns. Masks stay as they are until they are needed. */
export function groundTruthFrom(dataset: CocoDataset, where = 'ground truth'): GroundTruth {
  if (!Array.isArray(dataset?.images)) {
    throw new RcnnError('DATASET_INVALID', { where, place: '/images', problem: 'there is no list of images' });
  }
  const builder = new GroundTruthBuilder(where);
  for (const { id, height, width } of dataset.images) {
    builder.addImage(asNumber(id), asNumber(height), asNumber(width));
  }
  for (const { id, name } of dataset.categories ?? []) builder.addCategory(asNumber(id), String(name ?? id));
  const row = new Row();
  const annotations = dataset.annotations ?? [];
  for (const annotation of annotations) {
    row.clear();
    readShared(annotation, row);
    row.id = asNumber(annotation.id);
    row.area = asNumber(annotation.area);
    row.crowd = annotation.iscrowd ? 1 : 0;
    row.labelled = asNumber(annotation.num_keypoints);
    builder.addAnnotation(row);
  }
  return builder.finish(segmentationsOf(annotations));
}

/** Reads a parsed list of COCO results into columns. @throws DETECTION_INVALID naming the index of the detection */
export function detectionsFrom(
  results: readonly CocoResult[],
  truth: GroundTruth,
  { where = 'detections', ...reading }: DetectionReading & { where?: string } = {},
): Detections {
  if (!Array.isArray(results)) {
    throw new RcnnError('DETECTION_INVALID', { where, problem: 'results must be a list', found: typeof results });
  }
  const builder = new DetectionBuilder(where, truth, reading);
  const row = new Row();
  const kept: CocoResult[] = [];
  for (const result of results as readonly CocoResult[]) {
    readResult(result, row);
    if (builder.add(row)) kept.push(result);
  }
  return builder.finish(segmentationsOf(kept));
}

/** Reads one result into the row; its image may be named elsewhere. */
export function readResult(result: Omit<CocoResult, 'image_id'>, row: Row): void {
  row.clear();
  readShared(result, row);
  row.score = asNumber(result.score);
}

function readShared(entry: Partial<CocoAnnotation | CocoResult>, row: Row): void {
  row.imageId = asNumber(entry.image_id);
  row.categoryId = asNumber(entry.category_id);
  const { bbox, keypoints } = entry;
  if (Array.isArray(bbox) || ArrayBuffer.isView(bbox)) {
    row.boxNumbers = bbox.length;
    for (let i = 0; i < Math.min(4, bbox.length); i++) row.box[i] = asNumber(bbox[i]);
  }
  if (keypoints) for (const value of keypoints) row.keypoints.push(asNumber(value));
}

function segmentationsOf(entries: readonly { segmentation?: Segmentation }[]): ObjectSegmentations | undefined {
  const values = entries.map(({ segmentation }) => segmentation);
  return values.some((value) => value !== undefined && value !== null) ? new ObjectSegmentations(values) : undefined;
}

/** Numbers and booleans as numbers, everything else as NaN: '5' is not an id. */
function asNumber(value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : Number.NaN;
}
