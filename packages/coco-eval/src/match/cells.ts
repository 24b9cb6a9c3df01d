import type { ResolvedParams } from '../params.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import { type Id, IdIndex, type Ids, sortedIds } from '../read/ids.ts';
import { CellReader } from './cell.ts';
import { Matcher } from './match.ts';
import { matchNatively } from './native.ts';
import { listNatively } from './native-list.ts';
import { Outcomes } from './outcomes.ts';
import { sortByFallingScore, sortByIndex } from './sort.ts';

/** The images and categories that are evaluated, in order, and where the truth's own indices go. */
export interface Axes {
  readonly imageIds: Ids;
  readonly categoryIds: Ids;
  /** From the truth's image index to that in `imageIds`, or -1. */
  readonly image: Int32Array;
  readonly category: Int32Array;
  /** Entries of the category axis of the result: 1 when categories are not used. */
  readonly columns: number;
}

export function axesOf(truth: GroundTruth, params: ResolvedParams): Axes {
  const imageIds = chosen(truth.imageIds, params.imageIds);
  const categoryIds = chosen(truth.categoryIds, params.categoryIds);
  const place = (all: Ids, kept: Ids): Int32Array => {
    if (all === kept) return Int32Array.from(all, (_, i) => i);
    const index = new IdIndex(kept);
    return Int32Array.from(all, (id) => index.find(id));
  };
  return {
    imageIds,
    categoryIds,
    image: place(truth.imageIds, imageIds),
    category: place(truth.categoryIds, categoryIds),
    columns: params.useCategories ? categoryIds.length : 1,
  };
}

function chosen(all: Ids, wanted: readonly Id[] | undefined): Ids {
  return wanted === undefined ? all : sortedIds(new Set(wanted));
}

/**
 * Matches all images whose place in `axes.imageIds` is in `[from, to)`. Masks live as long as their cell.
 * @param native false leaves WebAssembly out
 */
export function matchImages(
  truth: GroundTruth,
  detections: Detections,
  params: ResolvedParams,
  axes: Axes,
  from = 0,
  to: number = axes.imageIds.length,
  native = true,
): Outcomes {
  const list = listCells({ truth, detections, params, axes, from, to }, native);
  const matched = native ? matchNatively(truth, detections, params, axes.columns, list) : undefined;
  if (matched !== undefined) return matched;
  const matcher = new Matcher(params);
  const reader = new CellReader(truth, detections, params, matcher.least);
  const outcomes = new Outcomes(params, axes.columns, Math.max(1, detections.count));
  forEachCell(list, (image, column, truths, rows) => {
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

/** Every (image, category) that has a truth or a detection, images first. */
export interface CellList {
  /** Six numbers for each: image, column, first and last truth in `truths`, first and last detection in `rows`. */
  readonly cells: Int32Array;
  /** Rows of the truth, cell by cell, in the order of the file. */
  readonly truths: Uint32Array;
  /** Rows of the detections, cell by cell, by falling score. */
  readonly rows: Uint32Array;
}

/**
 * Both sides are sorted and walked together, so no table of images times categories exists.
 * @param native false leaves WebAssembly out
 */
export function listCells(walk: Walk, native = true): CellList {
  return (native ? listNatively(walk) : undefined) ?? listInJs(walk);
}

function listInJs({ truth, detections, params, axes, from, to }: Walk): CellList {
  const truths = truthRows(truth, params, axes, from, to);
  const found = detectionRows(detections, params, axes, from, to);
  const cells = new Integers();
  for (let image = from; image < to; image++) {
    const firstTruth = truths.starts[image]!;
    const first = found.starts[image]!;
    walkImage(ofImage(truths, image), ofImage(found, image), (column, g, truthEnd, d, end) => {
      cells.push(image, column, firstTruth + g, firstTruth + truthEnd, first + d, first + end);
    });
  }
  return { cells: cells.view(), truths: truths.rows, rows: found.rows };
}

/** @param visit gets the rows of one cell after the other */
export function forEachCell(
  { cells, truths, rows }: CellList,
  visit: (image: number, column: number, truths: Uint32Array, rows: Uint32Array) => void,
): void {
  for (let c = 0; c < cells.length; c += 6) {
    const own = truths.subarray(cells[c + 2], cells[c + 3]);
    visit(cells[c]!, cells[c + 1]!, own, rows.subarray(cells[c + 4], cells[c + 5]));
  }
}

/** An Int32Array that grows by six numbers at a time. */
class Integers {
  #values: Int32Array = new Int32Array(6 * 256);
  #length = 0;

  push(a: number, b: number, c: number, d: number, e: number, f: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Int32Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    const values = this.#values;
    values[this.#length++] = a;
    values[this.#length++] = b;
    values[this.#length++] = c;
    values[this.#length++] = d;
    values[this.#length++] = e;
    values[this.#length++] = f;
  }

  view(): Int32Array {
    return this.#values.subarray(0, this.#length);
  }
}

/** Rows in the order of their columns. */
export interface Rows {
  readonly rows: Uint32Array;
  /** The column that each row of the file belongs to. */
  readonly columns: Int32Array;
}

/** {@link Rows} that are evaluated, image by image. */
export interface RowsByImage extends Rows {
  /** `[images + 1]`: where each image's rows begin. */
  readonly starts: Uint32Array;
}

export function ofImage({ rows, starts, columns }: RowsByImage, image: number): Rows {
  return { rows: rows.subarray(starts[image], starts[image + 1]), columns };
}

/** The truth's rows of the images `[from, to)`; of a column in the order of the file. */
export function truthRows(
  { image, category }: GroundTruth,
  { useCategories }: ResolvedParams,
  axes: Axes,
  from: number,
  to: number,
): RowsByImage {
  const images = places(image, axes.image);
  const categories = places(category, axes.category);
  const rows = sortByIndex(rowsInside(images, categories, from, to), categories, axes.categoryIds.length);
  return byImage({ rows, columns: columnsOf(categories, useCategories) }, images, axes);
}

/** The rows of detections of the images `[from, to)`; of a column by falling score. */
function detectionRows(
  detections: Detections,
  params: ResolvedParams,
  axes: Axes,
  from: number,
  to: number,
): RowsByImage {
  const images = places(detections.image, axes.image);
  const categories = places(detections.category, axes.category);
  const inside = rowsInside(images, categories, from, to);
  return byImage(rankedRows(inside, detections.scores, categories, params, axes), images, axes);
}

/** Orders rows by column and falling score. @param categories of each row of the file, a place in `axes.categoryIds` */
export function rankedRows(
  rows: Uint32Array,
  scores: Float64Array,
  categories: Int32Array,
  { useCategories }: ResolvedParams,
  { categoryIds }: Axes,
): Rows {
  const classes = categoryIds.length;
  // Without categories equal scores keep the order of the categories, as COCO joins its lists.
  return {
    rows: useCategories
      ? sortByIndex(sortByFallingScore(rows, scores), categories, classes)
      : sortByFallingScore(sortByIndex(rows, categories, classes), scores),
    columns: columnsOf(categories, useCategories),
  };
}

function columnsOf(categories: Int32Array, useCategories: boolean): Int32Array {
  return useCategories ? categories : new Int32Array(categories.length);
}

function byImage({ rows, columns }: Rows, images: Int32Array, axes: Axes): RowsByImage {
  const count = axes.imageIds.length;
  const starts = new Uint32Array(count + 1);
  for (const row of rows) starts[images[row]! + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  return { rows: sortByIndex(rows, images, count), starts, columns };
}

/**
 * Visits the columns of one image that have a truth or a detection.
 * @param visit gets the column, and where its truths and its detections begin and end in the rows
 */
export function walkImage(
  truths: Rows,
  found: Rows,
  visit: (column: number, truthsFrom: number, truthsTo: number, from: number, to: number) => void,
): void {
  for (let g = 0, d = 0; g < truths.rows.length || d < found.rows.length; ) {
    const column = Math.min(columnAt(truths, g), columnAt(found, d));
    let truthEnd = g;
    while (columnAt(truths, truthEnd) === column) truthEnd++;
    let end = d;
    while (columnAt(found, end) === column) end++;
    visit(column, g, truthEnd, d, end);
    g = truthEnd;
    d = end;
  }
}

/** The column of the row at place `i`; beyond the last one after all columns. */
function columnAt({ rows, columns }: Rows, i: number): number {
  return i < rows.length ? columns[rows[i]!]! : Number.POSITIVE_INFINITY;
}

/** Looks every index up; what is not there (-1) stays so. */
export function places(indices: Int32Array, table: Int32Array): Int32Array {
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
