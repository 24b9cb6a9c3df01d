import type { Detection } from '@rcnn/core';
import { counted, RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { ClassMap } from '../../class-map.ts';
import type { ImageId } from '../../records.ts';

/** One entry of a COCO results list, as pycocotools reads it. */
export interface CocoResult {
  readonly image_id: ImageId;
  /** The dataset's own id, never the label that the model learned; text where {@link cocoResults} is asked for it. */
  readonly category_id: number | string;
  /** For people; COCO's tools pass over it. */
  readonly category_name?: string;
  /** `x, y, width, height` in pixels, unrounded. */
  readonly bbox: readonly [x: number, y: number, width: number, height: number];
  readonly score: number;
  /** Of the mask alone, where the model judges it; COCO's tools pass over it. */
  readonly mask_score?: number;
  readonly segmentation?: { readonly size: readonly [height: number, width: number]; readonly counts: string };
  /** Flat `x, y, score` per keypoint. */
  readonly keypoints?: readonly number[];
}

/**
 * The detections of one image as COCO results. Labels become category ids by the class map of the model; a label that
 * the map does not know (COCO's unused ids, which no dataset can contain) is left out, since it cannot be right.
 * Without a map the labels themselves are the ids: nothing better is known.
 * @param ids `numbers`, as {@link datasetAsCoco} has them; `written` gives the text of datasets whose ids are text
 */
export function cocoResults(
  detections: readonly Detection[],
  imageId: ImageId,
  classes: ClassMap | undefined,
  ids: 'numbers' | 'written' = 'numbers',
): CocoResult[] {
  return detections.flatMap((detection): CocoResult[] => {
    if (classes === undefined) return [resultOf(detection, imageId, detection.label)];
    const entry = classes.entryOf(detection.label);
    if (entry === undefined) return [];
    const { categoryId, textId = categoryId, name } = entry;
    return [resultOf(detection, imageId, ids === 'written' ? textId : categoryId, name)];
  });
}

/** Labels that {@link cocoResults} leaves out, and how many detections have them: to be told, not lost without a word. */
export class Uncategorized {
  readonly #counts = new Map<number, number>();

  add(detections: readonly Detection[], classes: ClassMap | undefined): void {
    for (const { label } of detections) {
      if (classes === undefined || classes.entryOf(label) !== undefined) continue;
      this.#count(label, 1);
    }
  }

  /** Adds what another one has counted. */
  addCounts(counts: Iterable<readonly [label: number, count: number]>): void {
    for (const [label, count] of counts) this.#count(label, count);
  }

  /** How many objects were left out, by their label. */
  get counts(): ReadonlyMap<number, number> {
    return this.#counts;
  }

  #count(label: number, count: number): void {
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + count);
  }

  /** In words; undefined where nothing was left out. */
  get text(): string | undefined {
    if (this.#counts.size === 0) return undefined;
    const labels = [...this.#counts.keys()].sort((a, b) => a - b);
    const count = [...this.#counts.values()].reduce((sum, one) => sum + one, 0);
    return `${counted(count, 'object was', 'objects were')} left out: no category has their label (${labels.slice(0, 10).join(', ')}${labels.length > 10 ? ', …' : ''}).`;
  }
}

function resultOf(
  { box: [x1, y1, x2, y2], score, mask, maskScore, keypoints }: Detection,
  imageId: ImageId,
  categoryId: number | string,
  name?: string,
): CocoResult {
  return {
    image_id: imageId,
    category_id: categoryId,
    ...(name !== undefined && { category_name: name }),
    bbox: [x1, y1, x2 - x1, y2 - y1],
    score,
    ...(maskScore !== undefined && { mask_score: maskScore }),
    ...(mask !== undefined && { segmentation: mask.rle() }),
    ...(keypoints !== undefined && { keypoints: keypoints.flat() }),
  };
}

/** An object of a results list, with the label of its class; the mask is decoded when it is asked for. */
export interface ListedDetection {
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly label: number;
  readonly score: number;
  readonly mask?: Mask;
}

/**
 * A parsed results list by image: the way back from {@link cocoResults}.
 * @throws DETECTION_INVALID naming the entry
 */
export function listedDetections(results: unknown, classes: ClassMap, where: string): Map<ImageId, ListedDetection[]> {
  if (!Array.isArray(results)) {
    throw new RcnnError('DETECTION_INVALID', {
      where,
      problem: 'results must be a list',
      found: results === null ? 'null' : typeof results,
      hint: 'Name the list of detections, not the annotations.',
    });
  }
  const byImage = new Map<ImageId, ListedDetection[]>();
  for (const [i, result] of results.entries()) {
    const object = listedDetection(result, classes, `${where} /${i}`);
    const { image_id: id } = result as CocoResult;
    const list = byImage.get(id);
    if (list === undefined) byImage.set(id, [object]);
    else list.push(object);
  }
  return byImage;
}

function listedDetection(value: unknown, classes: ClassMap, where: string): ListedDetection {
  const result = (typeof value === 'object' && value !== null ? value : {}) as Partial<CocoResult>;
  const { image_id: id, category_id: category, bbox, score, segmentation } = result;
  const numbers = Array.isArray(bbox) && bbox.length === 4 && bbox.every((side) => Number.isFinite(side));
  if (!isId(id) || !isId(category) || !numbers) {
    throw new RcnnError('DETECTION_INVALID', {
      where,
      problem: 'this is not a detection',
      found: JSON.stringify(value)?.slice(0, 80) ?? 'nothing',
      expected: 'image_id, category_id, bbox of four numbers, score',
    });
  }
  const [x, y, width, height] = bbox as readonly number[] as readonly [number, number, number, number];
  return {
    box: [x, y, x + width, y + height],
    label: classes.labelOf(category) ?? 0,
    score: typeof score === 'number' ? score : 1,
    ...(segmentation && { mask: maskOf(segmentation, where) }),
  };
}

function isId(id: unknown): id is number | string {
  return typeof id === 'number' || typeof id === 'string';
}

/** Compressed as the tools write it, or plain run lengths. */
function maskOf({ size, counts }: Readonly<Record<string, unknown>>, where: string): Mask {
  const isSize = Array.isArray(size) && size.length === 2;
  if (!isSize || (typeof counts !== 'string' && !Array.isArray(counts))) {
    throw new RcnnError('DETECTION_INVALID', {
      where,
      place: 'segmentation',
      problem: 'this is not a mask',
      expected: 'size and counts, as pycocotools writes them',
    });
  }
  const shape: [number, number] = [Number(size[0]), Number(size[1])];
  if (typeof counts === 'string') return Mask.fromRLE({ size: shape, counts });
  return Mask.fromRuns({ size: shape, counts: Uint32Array.from(counts as readonly number[]) });
}
