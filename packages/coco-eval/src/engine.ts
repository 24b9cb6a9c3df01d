import { RcnnError } from '@rcnn/core/errors';
import type { Detections, GroundTruth } from './columns.ts';
import { type Cell, Matcher } from './match.ts';
import { Outcomes } from './outcomes.ts';
import type { ResolvedParams } from './params.ts';
import { MaskArena } from './segmentations.ts';
import { boxIoU, keypointSimilarity, maskIoU } from './similarity.ts';
import { sortByFallingScore, sortByIndex } from './sort.ts';

/** The images and categories that are evaluated, in order, and where the truth's own indices go. */
export interface Axes {
  readonly imageIds: Float64Array;
  readonly categoryIds: Float64Array;
  /** From the truth's image index to that in `imageIds`, or -1. */
  readonly image: Int32Array;
  readonly category: Int32Array;
  /** Entries of the category axis of the result: 1 when categories are not used. */
  readonly columns: number;
}

export function axesOf(truth: GroundTruth, params: ResolvedParams): Axes {
  const imageIds = chosen(truth.imageIds, params.imageIds);
  const categoryIds = chosen(truth.categoryIds, params.categoryIds);
  const place = (all: Float64Array, kept: Float64Array): Int32Array => {
    const places = new Map(Array.from(kept, (id, i) => [id, i]));
    return Int32Array.from(all, (id) => places.get(id) ?? -1);
  };
  return {
    imageIds,
    categoryIds,
    image: place(truth.imageIds, imageIds),
    category: place(truth.categoryIds, categoryIds),
    columns: params.useCategories ? categoryIds.length : 1,
  };
}

function chosen(all: Float64Array, wanted: readonly number[] | undefined): Float64Array {
  return wanted === undefined ? all : Float64Array.from(new Set(wanted)).sort();
}

/**
 * Matches all images whose place in `axes.imageIds` is in `[from, to)`. Truth and detections are sorted by image and
 * category and walked together, so no table of images times categories exists; masks live as long as their cell.
 */
export function matchImages(
  truth: GroundTruth,
  detections: Detections,
  params: ResolvedParams,
  axes: Axes,
  from = 0,
  to: number = axes.imageIds.length,
): Outcomes {
  const truthImage = Int32Array.from(truth.image, (i) => (i < 0 ? -1 : axes.image[i]!));
  const truthCategory = Int32Array.from(truth.category, (c) => (c < 0 ? -1 : axes.category[c]!));
  const image = Int32Array.from(detections.image, (i) => axes.image[i]!);
  const category = Int32Array.from(detections.category, (c) => axes.category[c]!);
  const inside = (images: Int32Array, categories: Int32Array): Uint32Array => {
    const rows: number[] = [];
    for (let i = 0; i < images.length; i++) {
      if (images[i]! >= from && images[i]! < to && categories[i]! >= 0) rows.push(i);
    }
    return Uint32Array.from(rows);
  };
  let truths = sortByIndex(inside(truthImage, truthCategory), truthCategory, axes.categoryIds.length);
  truths = sortByIndex(truths, truthImage, axes.imageIds.length);
  let rows = inside(image, category);
  if (params.useCategories) {
    rows = sortByIndex(sortByFallingScore(rows, detections.scores), category, axes.categoryIds.length);
  } else {
    rows = sortByFallingScore(sortByIndex(rows, category, axes.categoryIds.length), detections.scores);
  }
  rows = sortByIndex(rows, image, axes.imageIds.length);
  const outcomes = new Outcomes(params, axes.columns, rows.length);
  const cells = new CellMatcher(truth, detections, params, outcomes);
  const columnOf = (c: number): number => (params.useCategories ? c : 0);
  for (let g = 0, d = 0; g < truths.length || d < rows.length; ) {
    // The next cell is the smaller (image, category) of the two.
    const gImage = g < truths.length ? truthImage[truths[g]!]! : Number.POSITIVE_INFINITY;
    const dImage = d < rows.length ? image[rows[d]!]! : Number.POSITIVE_INFINITY;
    const cellImage = Math.min(gImage, dImage);
    const gColumn = gImage === cellImage ? columnOf(truthCategory[truths[g]!]!) : Number.POSITIVE_INFINITY;
    const dColumn = dImage === cellImage ? columnOf(category[rows[d]!]!) : Number.POSITIVE_INFINITY;
    const column = Math.min(gColumn, dColumn);
    let gEnd = g;
    while (gEnd < truths.length && truthImage[truths[gEnd]!] === cellImage) {
      if (columnOf(truthCategory[truths[gEnd]!]!) !== column) break;
      gEnd++;
    }
    let dEnd = d;
    while (dEnd < rows.length && image[rows[dEnd]!] === cellImage) {
      if (columnOf(category[rows[dEnd]!]!) !== column) break;
      dEnd++;
    }
    cells.match(cellImage, column, truths.subarray(g, gEnd), rows.subarray(d, dEnd));
    g = gEnd;
    d = dEnd;
  }
  return outcomes;
}

/** Computes the similarities of a cell and hands it to the matcher. Its memory is used for every cell again. */
export class CellMatcher {
  readonly #truth: GroundTruth;
  readonly #detections: Detections;
  readonly #params: ResolvedParams;
  readonly #outcomes: Outcomes;
  readonly #matcher: Matcher;
  readonly #truthMasks = new MaskArena();
  readonly #masks = new MaskArena();
  readonly #box = new Float64Array(4);
  readonly #variances: readonly number[];
  readonly #cell: Cell = {
    image: 0,
    category: 0,
    truths: 0,
    truthIds: [],
    truthAreas: [],
    truthCrowd: [],
    truthIgnored: [],
    detections: 0,
    scores: [],
    areas: [],
    detectionIds: [],
    similarity: new Float64Array(256),
  };

  constructor(truth: GroundTruth, detections: Detections, params: ResolvedParams, outcomes: Outcomes) {
    this.#truth = truth;
    this.#detections = detections;
    this.#params = params;
    this.#outcomes = outcomes;
    this.#matcher = new Matcher(params);
    this.#variances = params.oksSigmas.map((sigma) => (sigma * 2) ** 2);
    checkParts(truth, detections, params);
  }

  /** @param detections rows by falling score */
  match(image: number, column: number, truths: Uint32Array, detections: Uint32Array): void {
    const cell = this.#cell;
    const most = this.#params.maxDetections.at(-1)!;
    cell.image = image;
    cell.category = column;
    this.#addTruths(truths);
    cell.detections = Math.max(0, Math.min(detections.length, most));
    if (cell.similarity.length < cell.truths * cell.detections) {
      cell.similarity = new Float64Array(2 * cell.truths * cell.detections);
    }
    const kind = this.#params.iouType;
    this.#masks.clear();
    this.#truthMasks.clear();
    if (kind === 'segm' && detections.length > 0) for (const row of truths) this.#loadTruthMask(row);
    for (let d = 0; d < detections.length; d++) {
      const row = detections[d]!;
      if (kind === 'segm') this.#addMask(d, row, truths);
      else if (kind === 'bbox') this.#addBox(d, row, truths);
      else this.#addKeypoints(d, row, truths);
      if (d >= cell.detections) continue;
      cell.scores[d] = this.#detections.scores[row]!;
      cell.detectionIds[d] = this.#detections.ids?.[row] ?? 1;
    }
    this.#matcher.match(cell, this.#outcomes);
  }

  #addTruths(truths: Uint32Array): void {
    const cell = this.#cell;
    const { ids, areas, crowd, keypoints } = this.#truth;
    const kind = this.#params.iouType;
    cell.truths = truths.length;
    for (let g = 0; g < truths.length; g++) {
      const row = truths[g]!;
      cell.truthIds[g] = ids[row]!;
      cell.truthAreas[g] = areas[row]!;
      cell.truthCrowd[g] = crowd[row] !== 0;
      cell.truthIgnored[g] = crowd[row] !== 0 || (kind === 'keypoints' && keypoints!.labelled![row] === 0);
      if (Number.isNaN(areas[row]!)) throw this.#badTruth(row, 'area', 'an annotation needs its area');
      if (kind !== 'segm' && Number.isNaN(this.#truth.boxes[4 * row]!)) {
        throw this.#badTruth(row, 'bbox', 'an annotation needs its box');
      }
    }
  }

  #addBox(d: number, row: number, truths: Uint32Array): void {
    const { boxes } = this.#detections;
    const cell = this.#cell;
    let source: Float64Array = boxes;
    let at = 4 * row;
    let area = boxes[at + 2]! * boxes[at + 3]!;
    if (Number.isNaN(boxes[at]!)) {
      // Results with masks only: COCO takes the mask's box, and its area.
      this.#masks.clear();
      this.#loadMask(row);
      this.#box.set(this.#masks.boxes);
      source = this.#box;
      at = 0;
      area = this.#masks.areas[0]!;
    }
    if (d >= cell.detections) return;
    cell.areas[d] = area;
    for (let g = 0; g < truths.length; g++) {
      const crowd = cell.truthCrowd[g]!;
      cell.similarity[d * truths.length + g] = boxIoU(source, at, this.#truth.boxes, 4 * truths[g]!, crowd);
    }
  }

  #addMask(d: number, row: number, truths: Uint32Array): void {
    const cell = this.#cell;
    if (truths.length === 0 || d >= cell.detections) this.#masks.clear(); // only its area is asked for
    const mask = this.#masks.masks;
    const isMask = this.#loadMask(row);
    if (d >= cell.detections) return;
    const { boxes } = this.#detections;
    cell.areas[d] = isMask ? this.#masks.areas[mask]! : boxes[4 * row + 2]! * boxes[4 * row + 3]!;
    for (let g = 0; g < truths.length; g++) {
      cell.similarity[d * truths.length + g] = maskIoU(
        this.#masks,
        mask,
        this.#truthMasks,
        g,
        cell.truthCrowd[g]!,
        this.#matcher.least,
      );
    }
  }

  #addKeypoints(d: number, row: number, truths: Uint32Array): void {
    const cell = this.#cell;
    const { keypoints, boxes } = this.#detections;
    const { points, values } = keypoints!;
    const start = 3 * points * row;
    for (let i = 0; i < 3 * points; i++) {
      if (i % 3 !== 2 && !Number.isFinite(values[start + i])) {
        throw this.#badDetection(row, 'keypoints', 'keypoints must be finite numbers');
      }
    }
    if (d >= cell.detections) return;
    cell.areas[d] = Number.isNaN(boxes[4 * row]!)
      ? extentArea(values, start, points)
      : boxes[4 * row + 2]! * boxes[4 * row + 3]!;
    const truth = this.#truth.keypoints!;
    for (let g = 0; g < truths.length; g++) {
      const place = {
        values: truth.values,
        offset: 3 * points * truths[g]!,
        boxes: this.#truth.boxes,
        boxOffset: 4 * truths[g]!,
        area: cell.truthAreas[g]!,
      };
      // COCOeval looks keypoints up by category even without categories, finds none, and matches nothing.
      cell.similarity[d * truths.length + g] = this.#params.useCategories
        ? keypointSimilarity(values, start, place, this.#variances)
        : Number.NEGATIVE_INFINITY;
    }
  }

  #loadTruthMask(row: number): void {
    const { segmentations, imageSizes, image } = this.#truth;
    if (segmentations?.has(row) !== true) {
      throw this.#badTruth(row, 'segmentation', 'an annotation needs a mask for segm');
    }
    try {
      segmentations.load(row, this.#truthMasks, imageSizes[2 * image[row]!]!, imageSizes[2 * image[row]! + 1]!);
    } catch (cause) {
      throw this.#badTruth(row, 'segmentation', 'the mask cannot be read', cause);
    }
  }

  /** Decodes the mask of a detection; without one its box is filled. Gives whether it had one. */
  #loadMask(row: number): boolean {
    const { segmentations, boxes, image } = this.#detections;
    const height = this.#truth.imageSizes[2 * image[row]!]!;
    const width = this.#truth.imageSizes[2 * image[row]! + 1]!;
    const isMask = segmentations?.has(row) === true;
    if (!isMask && Number.isNaN(boxes[4 * row]!)) {
      throw this.#badDetection(row, 'bbox', 'there is neither a box nor a mask');
    }
    try {
      if (isMask) segmentations.load(row, this.#masks, height, width);
      else {
        const [x, y, w, h] = boxes.subarray(4 * row) as unknown as [number, number, number, number];
        this.#masks.addBox(x, y, w, h, height, width);
      }
    } catch (cause) {
      throw this.#badDetection(row, 'segmentation', 'the mask cannot be read', cause);
    }
    const last = this.#masks.masks - 1;
    if (height > 0 && (this.#masks.heights[last] !== height || this.#masks.widths[last] !== width)) {
      throw new RcnnError('DETECTION_INVALID', {
        where: 'detections',
        place: `/${row}/segmentation/size`,
        problem: 'the mask has another size than its image',
        found: `[${this.#masks.heights[last]}, ${this.#masks.widths[last]}]`,
        expected: `[${height}, ${width}]`,
      });
    }
    return isMask;
  }

  #badTruth(row: number, field: string, problem: string, cause?: unknown): RcnnError {
    return new RcnnError('DATASET_INVALID', {
      where: 'ground truth',
      place: `/annotations/${row}/${field}`,
      problem: cause instanceof Error ? `${problem}: ${cause.message}` : problem,
      found: `annotation ${this.#truth.ids[row]}`,
      cause,
    });
  }

  #badDetection(row: number, field: string, problem: string, cause?: unknown): RcnnError {
    return new RcnnError('DETECTION_INVALID', {
      where: 'detections',
      place: `/${row}/${field}`,
      problem: cause instanceof Error ? `${problem}: ${cause.message}` : problem,
      cause,
    });
  }
}

function extentArea(values: Float64Array, start: number, points: number): number {
  let left = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  let top = Number.POSITIVE_INFINITY;
  let bottom = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < points; k++) {
    const x = values[start + 3 * k]!;
    const y = values[start + 3 * k + 1]!;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return (right - left) * (bottom - top);
}

/** Keypoints must be there on both sides, and as many as there are sigmas. */
function checkParts(truth: GroundTruth, detections: Detections, params: ResolvedParams): void {
  if (params.iouType !== 'keypoints') return;
  const sides = [
    ['ground truth', truth.keypoints, truth.count],
    ['detections', detections.keypoints, detections.count],
  ] as const;
  for (const [where, keypoints, count] of sides) {
    if (count === 0 || keypoints?.points === params.oksSigmas.length) continue;
    throw new RcnnError(where === 'detections' ? 'DETECTION_INVALID' : 'DATASET_INVALID', {
      where,
      place: where === 'detections' ? '/0/keypoints' : '/annotations/0/keypoints',
      problem: 'the number of keypoints does not fit the sigmas',
      found: String(keypoints?.points ?? 0),
      expected: String(params.oksSigmas.length),
      hint: 'Give oksSigmas, one for each of your keypoints.',
    });
  }
}
