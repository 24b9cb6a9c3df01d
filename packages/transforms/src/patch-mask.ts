import type { ImageSize, InstanceMask, RunLengths } from '@rcnn/core';

/** A rectangle of whole pixels; it may reach beyond the image. */
export interface Window {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Maps a point of the new image to one of the old: row-major 3x3, homogeneous. */
export type Projection = readonly [number, number, number, number, number, number, number, number, number];

/**
 * The mask of one object, held as the smallest bitmap that contains it, so that every geometric step costs as much as
 * the object and not as much as the image. Never changed after it is made.
 */
export class PatchMask implements InstanceMask {
  readonly size: ImageSize;
  /** Column and row of the patch's first pixel. */
  readonly x: number;
  readonly y: number;
  /** Columns and rows of the patch; both 0 when no pixel is left. */
  readonly width: number;
  readonly height: number;
  /** 0 or 1 per pixel of the patch, row-major. No border row or column is empty. */
  readonly data: Uint8Array;

  private constructor(size: ImageSize, { x, y, width, height }: Window, data: Uint8Array) {
    this.size = size;
    this.x = x;
    this.y = y;
    this.width = width;
    this.height = height;
    this.data = data;
  }

  /** Any mask as a patch; a patch is handed back as it is. */
  static from(mask: InstanceMask): PatchMask {
    if (mask instanceof PatchMask) return mask;
    return PatchMask.fromRunLengths(mask.runLengths());
  }

  /** A mask without a pixel. */
  static empty(size: ImageSize): PatchMask {
    return new PatchMask(size, { x: 0, y: 0, width: 0, height: 0 }, new Uint8Array(0));
  }

  static fromRunLengths({ size, counts }: RunLengths): PatchMask {
    const [height] = size;
    const bounds = boundsOfRuns(counts, height);
    if (bounds === undefined) return PatchMask.empty(size);
    const data = new Uint8Array(bounds.width * bounds.height);
    forEachRun(counts, (from, to) => {
      let column = Math.floor(from / height);
      let row = from - column * height;
      for (let i = from; i < to; ) {
        const end = Math.min(height, row + (to - i));
        let at = (row - bounds.y) * bounds.width + (column - bounds.x);
        for (let y = row; y < end; y++, at += bounds.width) data[at] = 1;
        i += end - row;
        row = 0;
        column++;
      }
    });
    return new PatchMask(size, bounds, data);
  }

  /** Takes a bitmap of a window of the image, cuts it to the image and to its own pixels. */
  static fromPatch(size: ImageSize, window: Window, data: Uint8Array): PatchMask {
    const x0 = Math.max(0, window.x);
    const y0 = Math.max(0, window.y);
    const x1 = Math.min(size[1], window.x + window.width);
    const y1 = Math.min(size[0], window.y + window.height);
    if (x0 >= x1 || y0 >= y1) return PatchMask.empty(size);
    let [left, right, top, bottom] = [x1, -1, y1, -1];
    for (let y = y0; y < y1; y++) {
      const start = (y - window.y) * window.width - window.x;
      let first = x0;
      while (first < x1 && data[start + first] === 0) first++;
      if (first === x1) continue;
      let last = x1 - 1;
      while (data[start + last] === 0) last--;
      if (first < left) left = first;
      if (last > right) right = last;
      if (y < top) top = y;
      bottom = y;
    }
    if (right < 0) return PatchMask.empty(size);
    const tight = { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
    if (tight.width === window.width && tight.height === window.height) return new PatchMask(size, tight, data);
    const cut = new Uint8Array(tight.width * tight.height);
    for (let y = 0; y < tight.height; y++) {
      const start = (top + y - window.y) * window.width + left - window.x;
      cut.set(data.subarray(start, start + tight.width), y * tight.width);
    }
    return new PatchMask(size, tight, cut);
  }

  get isEmpty(): boolean {
    return this.width === 0;
  }

  /** How many pixels it covers. */
  get area(): number {
    let sum = 0;
    for (const value of this.data) sum += value;
    return sum;
  }

  /** The smallest box around it, `x1, y1, x2, y2`; all zero when it is empty. */
  get box(): [x1: number, y1: number, x2: number, y2: number] {
    return [this.x, this.y, this.x + this.width, this.y + this.height];
  }

  runLengths(): RunLengths {
    const [height, width] = this.size;
    const counts: number[] = [];
    let value = 0;
    let run = this.x * height;
    for (let x = 0; x < this.width; x++) {
      if (value === 1 && this.y > 0) {
        counts.push(run);
        [value, run] = [0, 0];
      }
      run += this.y;
      for (let y = 0, at = x; y < this.height; y++, at += this.width) {
        if (this.data[at] === value) run++;
        else {
          counts.push(run);
          [value, run] = [1 - value, 1];
        }
      }
      const below = height - this.y - this.height;
      if (value === 1 && below > 0) {
        counts.push(run);
        [value, run] = [0, 0];
      }
      run += below;
    }
    const after = (width - this.x - this.width) * height;
    if (value === 1 && after > 0) {
      counts.push(run);
      run = 0;
    }
    counts.push(run + after);
    return { size: this.size, counts: Uint32Array.from(counts) };
  }

  bitmap(): Uint8Array {
    const [height, width] = this.size;
    const out = new Uint8Array(height * width);
    for (let y = 0; y < this.height; y++) {
      out.set(this.data.subarray(y * this.width, (y + 1) * this.width), (this.y + y) * width + this.x);
    }
    return out;
  }

  /** Whether it covers the pixel at this column and row of the image. */
  has(x: number, y: number): boolean {
    const column = x - this.x;
    const row = y - this.y;
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return false;
    return this.data[row * this.width + column] === 1;
  }

  /** Left and right swapped. */
  flip(): PatchMask {
    const data = new Uint8Array(this.data.length);
    for (let start = 0; start < data.length; start += this.width) {
      for (let x = 0; x < this.width; x++) data[start + x] = this.data[start + this.width - 1 - x]!;
    }
    return new PatchMask(this.size, { ...this.#window(), x: this.size[1] - this.x - this.width }, data);
  }

  /** Nearest neighbour, `source = floor(target * old / new)`, as torchvision resizes masks. */
  resize(size: ImageSize): PatchMask {
    const columns = sources(this.x, this.width, this.size[1], size[1]);
    const rows = sources(this.y, this.height, this.size[0], size[0]);
    const width = columns.index.length;
    const data = new Uint8Array(width * rows.index.length);
    for (const [y, row] of rows.index.entries()) {
      for (let x = 0; x < width; x++) data[y * width + x] = this.data[row * this.width + columns.index[x]!]!;
    }
    return PatchMask.fromPatch(size, { x: columns.first, y: rows.first, width, height: rows.index.length }, data);
  }

  /** What a window of the image shows of it; the window is the new image. */
  crop({ x, y, width, height }: Window): PatchMask {
    return PatchMask.fromPatch([height, width], { ...this.#window(), x: this.x - x, y: this.y - y }, this.data);
  }

  /** Its image under a projection: `inverse` maps new points to old, `forward` the other way. Nearest neighbour. */
  warp(inverse: Projection, forward: Projection, size: ImageSize): PatchMask {
    if (this.isEmpty) return PatchMask.empty(size);
    const { x, y, width, height } = projectedBounds(this.box, forward, size);
    const data = new Uint8Array(width * height);
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++, at++) {
        const [u, v] = project(inverse, x + column + 0.5, y + row + 0.5);
        if (this.has(Math.floor(u), Math.floor(v))) data[at] = 1;
      }
    }
    return PatchMask.fromPatch(size, { x, y, width, height }, data);
  }

  /** It without the pixels that `other` covers. */
  without(other: PatchMask): PatchMask {
    const x0 = Math.max(this.x, other.x);
    const x1 = Math.min(this.x + this.width, other.x + other.width);
    const y0 = Math.max(this.y, other.y);
    const y1 = Math.min(this.y + this.height, other.y + other.height);
    if (x0 >= x1 || y0 >= y1) return this;
    const data = this.data.slice();
    for (let y = y0; y < y1; y++) {
      const mine = (y - this.y) * this.width - this.x;
      const theirs = (y - other.y) * other.width - other.x;
      for (let x = x0; x < x1; x++) if (other.data[theirs + x] === 1) data[mine + x] = 0;
    }
    return PatchMask.fromPatch(this.size, this.#window(), data);
  }

  /** Moved by whole pixels into an image of another size. */
  moveTo(size: ImageSize, x: number, y: number): PatchMask {
    return PatchMask.fromPatch(size, { ...this.#window(), x, y }, this.data);
  }

  #window(): Window {
    return { x: this.x, y: this.y, width: this.width, height: this.height };
  }
}

/** A point under a projection. */
export function project(m: Projection, x: number, y: number): [x: number, y: number] {
  const w = m[6] * x + m[7] * y + m[8];
  return [(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w];
}

function projectedBounds(
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  m: Projection,
  size: ImageSize,
): Window {
  const corners = [project(m, x1, y1), project(m, x2, y1), project(m, x1, y2), project(m, x2, y2)];
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  const left = Math.max(0, Math.floor(Math.min(...xs)) - 1);
  const top = Math.max(0, Math.floor(Math.min(...ys)) - 1);
  const right = Math.min(size[1], Math.ceil(Math.max(...xs)) + 1);
  const bottom = Math.min(size[0], Math.ceil(Math.max(...ys)) + 1);
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

function forEachRun(counts: Uint32Array, visit: (from: number, to: number) => void): void {
  let at = 0;
  for (let i = 0; i < counts.length; i++) {
    const to = at + counts[i]!;
    if (i % 2 === 1 && to > at) visit(at, to);
    at = to;
  }
}

function boundsOfRuns(counts: Uint32Array, height: number): Window | undefined {
  let [left, right, top, bottom] = [Number.POSITIVE_INFINITY, -1, height, -1];
  forEachRun(counts, (from, to) => {
    const first = Math.floor(from / height);
    const last = Math.floor((to - 1) / height);
    left = Math.min(left, first);
    right = Math.max(right, last);
    // A run that goes on in the next column holds the last row of this one and the first of that.
    top = Math.min(top, first === last ? from - first * height : 0);
    bottom = Math.max(bottom, first === last ? to - 1 - last * height : height - 1);
  });
  return right < 0 ? undefined : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The new positions whose source lies in `[start, start + length)`, and that source counted from `start`. */
function sources(start: number, length: number, before: number, after: number): { first: number; index: Int32Array } {
  const source = (target: number): number => Math.min(before - 1, Math.floor((target * before) / after));
  let first = Math.max(0, Math.floor((start * after) / before) - 1);
  while (first < after && source(first) < start) first++;
  let end = first;
  while (end < after && source(end) < start + length) end++;
  return { first, index: Int32Array.from({ length: end - first }, (_, i) => source(first + i) - start) };
}
