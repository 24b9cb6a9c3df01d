import type { RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { malformedCounts, parseCounts, runsFromBox, runsFromPolygons } from '@rcnn/masks';

/** Masks of one (image, category) cell, decoded: the ends of their runs lie one after the other in one array. */
export class MaskArena {
  /** Ends of runs, in pixels from each mask's start; run lengths until a mask is committed. */
  ends: Uint32Array = new Uint32Array(4096);
  length = 0;
  /** First run of mask i; one more at the end. */
  readonly starts: number[] = [0];
  readonly heights: number[] = [];
  readonly widths: number[] = [];
  readonly areas: number[] = [];
  /** x, y, width, height per mask. */
  readonly boxes: number[] = [];

  get masks(): number {
    return this.heights.length;
  }

  clear(): void {
    this.length = 0;
    this.starts.length = 1;
    this.heights.length = 0;
    this.widths.length = 0;
    this.areas.length = 0;
    this.boxes.length = 0;
  }

  /** Makes room for `more` runs. */
  reserve(more: number): void {
    if (this.length + more <= this.ends.length) return;
    const larger = new Uint32Array(Math.max(2 * this.ends.length, this.length + more));
    larger.set(this.ends.subarray(0, this.length));
    this.ends = larger;
  }

  /** Takes the `runs` counts that were just written at the end as one mask. @throws RLE_INVALID */
  commit(runs: number, height: number, width: number): void {
    const { ends } = this;
    const start = this.length;
    const end = start + runs;
    let left = width;
    let top = height;
    let right = -1;
    let bottom = -1;
    let area = 0;
    let position = 0;
    for (let i = start; i < end; i += 2) {
      const first = position + ends[i]!;
      const run = i + 1 < end ? ends[i + 1]! : 0;
      position = first + run;
      ends[i] = first;
      if (i + 1 < end) ends[i + 1] = position;
      if (run === 0 || height === 0) continue;
      area += run;
      const x0 = Math.floor(first / height);
      const y0 = first - x0 * height;
      if (x0 < left) left = x0;
      if (y0 + run <= height) {
        right = x0;
        if (y0 < top) top = y0;
        if (y0 + run > bottom) bottom = y0 + run;
      } else {
        right = Math.floor((position - 1) / height);
        top = 0;
        bottom = height;
      }
    }
    if (position !== height * width) {
      throw new RcnnError('RLE_INVALID', {
        where: 'segmentation',
        problem: 'the runs do not cover the image',
        found: `${position} pixels`,
        expected: `${height} x ${width} = ${height * width}`,
      });
    }
    if (right < 0) this.boxes.push(0, 0, 0, 0);
    else this.boxes.push(left, top, right - left + 1, bottom - top);
    this.areas.push(area);
    this.heights.push(height);
    this.widths.push(width);
    this.length = end;
    this.starts.push(end);
  }

  /** Adds a compressed string given as bytes `[start, end)`. @throws RLE_INVALID */
  addCompressed(bytes: Uint8Array, start: number, end: number, height: number, width: number): void {
    checkSize(height, width);
    this.reserve(end - start);
    const runs = parseCounts(bytes, start, end, this.ends, this.length);
    if (runs < 0) throw malformedCounts(runs, 'segmentation');
    this.commit(runs, height, width);
  }

  /** Adds plain counts. @throws RLE_INVALID */
  addCounts(counts: ArrayLike<number>, height: number, width: number): void {
    checkSize(height, width);
    this.reserve(counts.length);
    for (let i = 0; i < counts.length; i++) {
      const count = counts[i]!;
      if (!Number.isInteger(count) || count < 0 || count > 0xffffffff) {
        throw new RcnnError('RLE_INVALID', {
          where: 'segmentation',
          place: `counts/${i}`,
          problem: 'a run length must be a whole number that is not negative',
          found: String(count),
        });
      }
      this.ends[this.length + i] = count;
    }
    this.commit(counts.length, height, width);
  }

  /** Adds the union of polygons, filled as pycocotools does. @throws POLYGON_INVALID */
  addPolygons(polygons: readonly ArrayLike<number>[], height: number, width: number): void {
    this.#addRuns(runsFromPolygons(polygons, [height, width]));
  }

  /** Adds a box as a mask, as pycocotools does for results without masks. */
  addBox(x: number, y: number, boxWidth: number, boxHeight: number, height: number, width: number): void {
    this.#addRuns(runsFromBox([x, y, boxWidth, boxHeight], [height, width]));
  }

  /** Adds runs that are known to be right. */
  #addRuns({ counts, size: [height, width] }: RunLengths): void {
    this.reserve(counts.length);
    this.ends.set(counts, this.length);
    this.commit(counts.length, height, width);
  }
}

/** The masks of a column, decoded only when a mask is needed. */
export interface Segmentations {
  /** Whether row i has a mask at all. */
  has(i: number): boolean;
  /** Whether row i says its own size, as run lengths do. */
  hasSize(i: number): boolean;
  /** Decodes row i into the arena. Polygons have no size of their own: the image's is given. */
  load(i: number, arena: MaskArena, imageHeight: number, imageWidth: number): void;
}

/** A `segmentation` of parsed JSON: polygons, or run lengths as a string or a list. */
export type Segmentation =
  | readonly (readonly number[])[]
  | { readonly size: readonly number[]; readonly counts: string | ArrayLike<number> };

/** Masks kept as the objects that JSON gave. */
export class ObjectSegmentations implements Segmentations {
  readonly values: readonly (Segmentation | undefined)[];
  readonly #encoder: TextEncoder = new TextEncoder();
  #bytes: Uint8Array = new Uint8Array(1024);

  constructor(values: readonly (Segmentation | undefined)[]) {
    this.values = values;
  }

  has(i: number): boolean {
    const value = this.values[i];
    return value !== undefined && value !== null;
  }

  hasSize(i: number): boolean {
    return !isPolygons(this.values[i]);
  }

  load(i: number, arena: MaskArena, imageHeight: number, imageWidth: number): void {
    const value = this.values[i];
    if (isPolygons(value)) {
      arena.addPolygons(value, imageHeight, imageWidth);
      return;
    }
    const [height, width] = sizeOf(value);
    const counts = (value as { counts: unknown }).counts;
    if (typeof counts === 'string') {
      if (this.#bytes.length < 3 * counts.length) this.#bytes = new Uint8Array(6 * counts.length);
      const { written } = this.#encoder.encodeInto(counts, this.#bytes);
      arena.addCompressed(this.#bytes, 0, written, height, width);
    } else if (Array.isArray(counts) || ArrayBuffer.isView(counts)) {
      arena.addCounts(counts as unknown as ArrayLike<number>, height, width);
    } else {
      throw new RcnnError('RLE_INVALID', {
        where: 'segmentation',
        place: 'counts',
        problem: 'must be a string or a list',
        found: typeof counts,
      });
    }
  }
}

function isPolygons(value: unknown): value is readonly (readonly number[])[] {
  return Array.isArray(value);
}

function sizeOf(value: unknown): [number, number] {
  const size = (value as { size?: unknown } | undefined)?.size;
  if (!Array.isArray(size) || size.length !== 2) {
    throw new RcnnError('RLE_INVALID', {
      where: 'segmentation',
      place: 'size',
      problem: 'must be [height, width]',
      found: JSON.stringify(size) ?? 'nothing',
    });
  }
  return [size[0] as number, size[1] as number];
}

/** Refuses sizes that no image has before anything is computed from them. */
export function checkSize(height: number, width: number): void {
  const whole = Number.isInteger(height) && Number.isInteger(width) && height >= 0 && width >= 0;
  if (!whole || height * width > 0xffffffff) {
    throw new RcnnError('RLE_INVALID', {
      where: 'segmentation',
      place: 'size',
      problem: 'impossible mask size',
      found: `[${height}, ${width}]`,
    });
  }
}
