import { RcnnError } from '@rcnn/core/errors';
import { DetectionBuilder, type DetectionReading, GroundTruthBuilder, Row } from './builders.ts';
import type { Detections, GroundTruth } from './columns.ts';
import type { Id } from './ids.ts';
import { ObjectSegmentations, type Segmentation } from './segmentations.ts';
import { shownValue } from './shown.ts';

/** A COCO annotation file as `JSON.parse` gives it; only what evaluation reads. */
export interface CocoDataset {
  readonly images: readonly { readonly id: number | string; readonly height?: number; readonly width?: number }[];
  readonly categories?: readonly { readonly id: number | string; readonly name?: string }[];
  readonly annotations?: readonly CocoAnnotation[];
}

export interface CocoAnnotation {
  readonly id: number | string;
  readonly image_id: number | string;
  readonly category_id: number | string;
  readonly area?: number;
  readonly iscrowd?: number | boolean;
  readonly bbox?: readonly number[];
  readonly segmentation?: Segmentation;
  readonly keypoints?: readonly number[];
  readonly num_keypoints?: number;
}

/** One entry of a COCO results file. */
export interface CocoResult {
  readonly image_id: number | string;
  readonly category_id: number | string;
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
    builder.addImage(asId(id), asNumber(height), asNumber(width), () => shownId(id));
  }
  for (const { id, name } of dataset.categories ?? []) {
    builder.addCategory(asId(id), String(name ?? id), () => shownId(id));
  }
  const row = new Row();
  const annotations = dataset.annotations ?? [];
  for (const annotation of annotations) {
    row.clear();
    readShared(annotation, row);
    row.id = asId(annotation.id);
    row.area = asNumber(annotation.area);
    const crowd = annotation.iscrowd ?? 0;
    row.crowd = Number.isNaN(asNumber(crowd)) ? Number.NaN : Number(crowd !== 0 && crowd !== false);
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
    throw new RcnnError('DETECTION_INVALID', { where, problem: 'results must be a list', found: shownValue(results) });
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
  row.written = (path) => writtenIn(entry, path);
  row.imageId = asId(entry.image_id);
  row.categoryId = asId(entry.category_id);
  const { bbox, keypoints, segmentation } = entry;
  row.segmentable = segmentation === undefined || segmentation === null || typeof segmentation === 'object';
  if (bbox !== undefined && bbox !== null) row.boxNumbers = -1;
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

/** What an entry has at a path such as `score` or `bbox/2`. */
function writtenIn(entry: object, path: string): string {
  const [key, index] = path.split('/');
  const value = (entry as Record<string, unknown>)[key!];
  if (index !== undefined) return shownValue((value as readonly unknown[])[Number(index)]);
  return key === 'id' || key?.endsWith('_id') ? shownId(value) : shownValue(value);
}

/** Text and numbers as they are. Where digits were lost before they came here, there is no id any more. */
function asId(value: unknown): Id {
  if (typeof value === 'string' || typeof value === 'bigint') return value;
  const id = asNumber(value);
  return Number.isInteger(id) && !Number.isSafeInteger(id) ? Number.NaN : id;
}

function shownId(value: unknown): string {
  const lost = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return lost ? `${value}, whose last digits JSON.parse has lost (the readers of bytes keep them)` : shownValue(value);
}

/** Numbers and booleans as numbers, everything else as NaN. */
function asNumber(value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : Number.NaN;
}
