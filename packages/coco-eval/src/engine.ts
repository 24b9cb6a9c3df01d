import { CellReader } from './cell.ts';
import type { Detections, GroundTruth } from './columns.ts';
import { Matcher } from './match.ts';
import { Outcomes } from './outcomes.ts';
import type { ResolvedParams } from './params.ts';
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
 * Matches all images whose place in `axes.imageIds` is in `[from, to)`. Masks live as long as their cell.
 */
export function matchImages(
  truth: GroundTruth,
  detections: Detections,
  params: ResolvedParams,
  axes: Axes,
  from = 0,
  to: number = axes.imageIds.length,
): Outcomes {
  const matcher = new Matcher(params);
  const reader = new CellReader(truth, detections, params, matcher.least);
  const outcomes = new Outcomes(params, axes.columns, Math.max(1, detections.count));
  walkCells({ truth, detections, params, axes, from, to }, (image, column, truths, rows) => {
    matcher.match(reader.read(image, column, truths, rows), outcomes);
  });
  return outcomes;
}

export interface Walk {
  readonly truth: GroundTruth;
  readonly detections: Detections;
  readonly params: ResolvedParams;
  readonly axes: Axes;
  /** Places in `axes.imageIds`. */
  readonly from: number;
  readonly to: number;
}

/**
 * Visits every (image, category) that has a truth or a detection, images first. Both sides are sorted and walked
 * together, so no table of images times categories exists.
 * @param visit gets rows of the truth in the order of the file, and of the detections by falling score
 */
export function walkCells(
  { truth, detections, params, axes, from, to }: Walk,
  visit: (image: number, column: number, truths: Uint32Array, rows: Uint32Array) => void,
): void {
  const truthImage = places(truth.image, axes.image);
  const truthCategory = places(truth.category, axes.category);
  const image = places(detections.image, axes.image);
  const category = places(detections.category, axes.category);
  const classes = axes.categoryIds.length;
  let truths = sortByIndex(rowsInside(truthImage, truthCategory, from, to), truthCategory, classes);
  truths = sortByIndex(truths, truthImage, axes.imageIds.length);
  let rows = rowsInside(image, category, from, to);
  if (params.useCategories) rows = sortByIndex(sortByFallingScore(rows, detections.scores), category, classes);
  else rows = sortByFallingScore(sortByIndex(rows, category, classes), detections.scores);
  rows = sortByIndex(rows, image, axes.imageIds.length);
  // One key per row: the next cell is the smaller of the two next keys.
  const keyOf = (images: Int32Array, categories: Int32Array, order: Uint32Array): Float64Array => {
    const all = new Float64Array(order.length);
    for (let i = 0; i < order.length; i++) {
      const row = order[i]!;
      all[i] = images[row]! * axes.columns + (params.useCategories ? categories[row]! : 0);
    }
    return all;
  };
  const truthKeys = keyOf(truthImage, truthCategory, truths);
  const keys = keyOf(image, category, rows);
  for (let g = 0, d = 0; g < truths.length || d < rows.length; ) {
    const key = Math.min(truthKeys[g] ?? Number.POSITIVE_INFINITY, keys[d] ?? Number.POSITIVE_INFINITY);
    let truthEnd = g;
    while (truthKeys[truthEnd] === key) truthEnd++;
    let end = d;
    while (keys[end] === key) end++;
    const cellImage = Math.floor(key / axes.columns);
    visit(cellImage, key - cellImage * axes.columns, truths.subarray(g, truthEnd), rows.subarray(d, end));
    g = truthEnd;
    d = end;
  }
}

/** Looks every index up; what is not there (-1) stays so. */
function places(indices: Int32Array, table: Int32Array): Int32Array {
  const found = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) found[i] = indices[i]! < 0 ? -1 : table[indices[i]!]!;
  return found;
}

function rowsInside(images: Int32Array, categories: Int32Array, from: number, to: number): Uint32Array {
  const rows = new Uint32Array(images.length);
  let count = 0;
  for (let i = 0; i < images.length; i++) {
    if (images[i]! >= from && images[i]! < to && categories[i]! >= 0) rows[count++] = i;
  }
  return rows.subarray(0, count);
}
