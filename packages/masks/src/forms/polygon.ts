import type { ImageSize, RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { mergeRuns } from '../runs/combine.ts';
import { checkMaskSize } from '../runs/runs.ts';

/** Steps per pixel in which outlines are walked. */
const STEPS = 5;
/** Coordinates beyond this do not fit the 32-bit steps of the original. */
const MAX_COORDINATE = 2 ** 31 / STEPS - 1;

/**
 * Fills the polygons of one object: the union of its parts, byte-equal to pycocotools.
 * Coordinates are continuous (the pixel in row 0, column 0 spans 0 to 1), not pixel indices.
 * @param polygons one flat `x0, y0, x1, y1, …` list per part, at least three points each
 * @throws POLYGON_INVALID
 */
export function runsFromPolygons(polygons: readonly ArrayLike<number>[], size: ImageSize): RunLengths {
  checkMaskSize(size, 'runsFromPolygons');
  if (polygons.length === 0) {
    throw new RcnnError('POLYGON_INVALID', {
      where: 'runsFromPolygons',
      problem: 'an object needs at least one polygon',
    });
  }
  const parts = polygons.map((polygon, i) => {
    checkPolygon(polygon, i);
    return fillPolygon(polygon, size);
  });
  return parts.length === 1 ? parts[0]! : mergeRuns(parts, 'union');
}

/**
 * Fills a box `[x, y, width, height]` in pixels, byte-equal to pycocotools: a polygon of four corners.
 * @throws POLYGON_INVALID
 */
export function runsFromBox([x, y, width, height]: ArrayLike<number> & Iterable<number>, size: ImageSize): RunLengths {
  checkMaskSize(size, 'runsFromBox');
  const right = x! + width!;
  const bottom = y! + height!;
  const corners = [x!, y!, x!, bottom, right, bottom, right, y!];
  checkPolygon(corners, 0);
  return fillPolygon(corners, size);
}

function checkPolygon(polygon: ArrayLike<number>, part: number): void {
  const fail = (problem: string, found: string, hint?: string): never => {
    throw new RcnnError('POLYGON_INVALID', {
      where: 'runsFromPolygons',
      place: `polygon ${part}`,
      problem,
      found,
      ...(hint === undefined ? {} : { hint }),
    });
  };
  if (typeof polygon !== 'object' || polygon === null) {
    fail('a polygon must be a list of numbers', String(polygon), 'Polygons are a list of lists: [[x, y, x, y, …]].');
  }
  if (polygon.length % 2 === 1) fail('coordinates must come in pairs', `${polygon.length} numbers`);
  if (polygon.length < 6) fail('a polygon needs three points', `${polygon.length} numbers`);
  for (let i = 0; i < polygon.length; i++) {
    if (!(Math.abs(polygon[i]!) < MAX_COORDINATE)) fail('a coordinate is out of range', String(polygon[i]));
  }
}

/**
 * Where the fill of one polygon turns: rows, by the column they are in. Sorted by counting, because there are only a
 * few turns in each of many columns. Kept between polygons: datasets have very many.
 */
class TurnList {
  #columns: Uint32Array = new Uint32Array(1024);
  #rows: Uint32Array = new Uint32Array(1024);
  #sorted: Uint32Array = new Uint32Array(1024);
  #starts: Uint32Array = new Uint32Array(1024);
  #length = 0;

  clear(): void {
    this.#length = 0;
  }

  add(column: number, row: number): void {
    if (this.#length === this.#columns.length) {
      const larger = 2 * this.#length;
      this.#columns = copied(this.#columns, larger);
      this.#rows = copied(this.#rows, larger);
      this.#sorted = new Uint32Array(larger);
    }
    this.#columns[this.#length] = column;
    this.#rows[this.#length++] = row;
  }

  /** Positions `column * height + row` in ascending order; valid until the next polygon. */
  positions(height: number, width: number): Uint32Array {
    const n = this.#length;
    const columns = this.#columns;
    const rows = this.#rows;
    if (this.#starts.length < width + 1) this.#starts = new Uint32Array(width + 1);
    const starts = this.#starts.fill(0, 0, width + 1);
    for (let i = 0; i < n; i++) starts[columns[i]! + 1]!++;
    let most = 0;
    for (let c = 0; c < width; c++) {
      most = Math.max(most, starts[c + 1]!);
      starts[c + 1]! += starts[c]!;
    }
    const sorted = this.#sorted;
    for (let i = 0; i < n; i++) {
      const column = columns[i]!;
      sorted[starts[column]!++] = column * height + rows[i]!;
    }
    if (most > FEW) return sorted.subarray(0, n).sort();
    for (let i = 1; i < n; i++) {
      const position = sorted[i]!;
      let j = i - 1;
      while (j >= 0 && sorted[j]! > position) {
        sorted[j + 1] = sorted[j]!;
        j--;
      }
      sorted[j + 1] = position;
    }
    return sorted.subarray(0, n);
  }
}

/** Up to so many turns in a column are sorted by insertion. */
const FEW = 32;

function copied(values: Uint32Array, length: number): Uint32Array {
  const copy = new Uint32Array(length);
  copy.set(values);
  return copy;
}

const turns = new TurnList();

/**
 * The rule of maskApi's rleFrPoly: vertices go to a grid of 1/5 pixel, every edge is walked along its longer axis, and
 * where the walk passes the middle of a pixel column the fill turns. The original keeps every step of the walk; only
 * the steps at column middles matter, so only those are computed here: the cost is the columns an edge spans inside
 * the image, whatever its length.
 */
function fillPolygon(polygon: ArrayLike<number>, [height, width]: ImageSize): RunLengths {
  const points = polygon.length >> 1;
  turns.clear();
  let x = toGrid(polygon[0]!);
  let y = toGrid(polygon[1]!);
  for (let i = 1; i <= points; i++) {
    const next = i === points ? 0 : i;
    const nextX = toGrid(polygon[2 * next]!);
    const nextY = toGrid(polygon[2 * next + 1]!);
    if (x !== nextX) {
      if (Math.abs(nextX - x) >= Math.abs(nextY - y)) walkFlat(x, y, nextX, nextY, height, width);
      else walkSteep(x, y, nextX, nextY, height, width);
    }
    x = nextX;
    y = nextY;
  }
  return { size: [height, width], counts: countsFromTurns(turns.positions(height, width), height * width) };
}

function toGrid(coordinate: number): number {
  return Math.trunc(STEPS * coordinate + 0.5); // C truncation: negative numbers go up
}

/** First and last column whose middle (step 5c + 2) an edge over steps `[low, high)` passes. */
function firstColumn(low: number): number {
  return Math.max(0, Math.ceil((low - 2) / STEPS));
}

function lastColumn(high: number, width: number): number {
  return Math.min(width - 1, Math.floor((high - 3) / STEPS));
}

/** An edge that is at least as wide as high: one y for each step in x. */
function walkFlat(x0: number, y0: number, x1: number, y1: number, height: number, width: number): void {
  const flip = x0 > x1;
  const xs = flip ? x1 : x0;
  const xe = flip ? x0 : x1;
  const ys = flip ? y1 : y0;
  const ye = flip ? y0 : y1;
  const slope = (ye - ys) / (xe - xs);
  const last = lastColumn(xe, width);
  for (let column = firstColumn(xs); column <= last; column++) {
    const t = STEPS * column + 2 - xs;
    const here = Math.trunc(ys + slope * t + 0.5);
    const there = Math.trunc(ys + slope * (t + 1) + 0.5);
    turns.add(column, toRow(Math.min(here, there), height));
  }
}

/** An edge that is higher than wide: one x for each step in y; the step that passes the column's middle is searched. */
function walkSteep(x0: number, y0: number, x1: number, y1: number, height: number, width: number): void {
  const flip = y0 > y1;
  const xs = flip ? x1 : x0;
  const xe = flip ? x0 : x1;
  const ys = flip ? y1 : y0;
  const ye = flip ? y0 : y1;
  const steps = ye - ys;
  const slope = (xe - xs) / steps;
  const last = lastColumn(Math.max(xs, xe), width);
  for (let column = firstColumn(Math.min(xs, xe)); column <= last; column++) {
    const middle = STEPS * column + 2;
    let t = Math.min(steps, Math.max(0, Math.round((middle + 0.5 - xs) / slope)));
    while (t > 0 && passed(xs, slope, t - 1, middle)) t--;
    while (t <= steps && !passed(xs, slope, t, middle)) t++;
    if (t < 1 || t > steps) continue;
    turns.add(column, toRow(t - 1 + ys, height));
  }
}

/** Whether the x of step t has passed from the middle of a column to the next grid line, or back when x falls. */
function passed(xs: number, slope: number, t: number, middle: number): boolean {
  const x = Math.trunc(xs + slope * t + 0.5);
  return slope > 0 ? x > middle : x <= middle;
}

/** From a grid step to the first row below it, kept inside the image. */
function toRow(step: number, height: number): number {
  const row = (step + 0.5) / STEPS - 0.5;
  return row < 0 ? 0 : row > height ? height : Math.ceil(row);
}

/** Turns may coincide: two at one place cancel, which joins the runs before and after. */
function countsFromTurns(positions: Uint32Array, total: number): Uint32Array {
  const n = positions.length;
  if (n === 0) return Uint32Array.of(total);
  const counts = new Uint32Array(n + 1);
  counts[0] = positions[0]!;
  let length = 1;
  for (let i = 1; i <= n; i++) {
    const run = (i < n ? positions[i]! : total) - positions[i - 1]!;
    if (run > 0) {
      counts[length++] = run;
    } else {
      i++;
      if (i <= n) counts[length - 1]! += (i < n ? positions[i]! : total) - positions[i - 1]!;
    }
  }
  return length === counts.length ? counts : counts.slice(0, length);
}
