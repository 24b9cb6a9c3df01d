import type { ImageSize, RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { findRuns } from '../kernel.ts';
import { checkMaskSize } from '../runs/runs.ts';

const LITTLE_WORD = 4; // bytes compared at once

/**
 * Run lengths of a column-major bitmap, as pycocotools takes it. Any byte but 0 is object.
 * @param bitmap `[width * height]`, one column after the other
 */
export function encodeColumns(bitmap: Uint8Array | Uint8ClampedArray, size: ImageSize): RunLengths {
  checkBitmap(bitmap, size, 'encodeColumns');
  const found = findRuns(bitmap, size, 'columns');
  if (found !== undefined) return { size: [size[0], size[1]], counts: found };
  return encodeColumnsInJs(bitmap, size);
}

/** The same in plain JavaScript: for restless or very large bitmaps, and where WebAssembly SIMD is missing. */
export function encodeColumnsInJs(bitmap: Uint8Array | Uint8ClampedArray, size: ImageSize): RunLengths {
  const turns = new Positions();
  const words = wordsOf(bitmap);
  const n = bitmap.length;
  let inside = false;
  let i = 0;
  while (i < n) {
    if (words !== undefined && (i & 3) === 0) {
      // Whole words of background or object are passed over four pixels at a time.
      const same = inside ? 0x01010101 : 0;
      let w = i >> 2;
      while (w < words.length && words[w] === same) w++;
      i = w * LITTLE_WORD;
      if (i >= n) break;
    }
    if ((bitmap[i] !== 0) !== inside) {
      turns.push(i);
      inside = !inside;
    }
    i++;
  }
  return { size: [size[0], size[1]], counts: turns.toCounts(n) };
}

/**
 * Run lengths of a row-major bitmap, as images are kept. Any byte but 0 is object.
 * @param bitmap `[height * width]`, one row after the other
 */
export function encodeRows(bitmap: Uint8Array | Uint8ClampedArray, size: ImageSize): RunLengths {
  checkBitmap(bitmap, size, 'encodeRows');
  const found = findRuns(bitmap, size, 'rows');
  if (found !== undefined) return { size: [size[0], size[1]], counts: found };
  return encodeRowsInJs(bitmap, size);
}

/** The same in plain JavaScript: for restless or very large bitmaps, and where WebAssembly SIMD is missing. */
export function encodeRowsInJs(bitmap: Uint8Array | Uint8ClampedArray, [height, width]: ImageSize): RunLengths {
  if (height === 0 || width === 0) return { size: [height, width], counts: Uint32Array.of(0) };
  // A run turns at (y, x) where the pixel differs from the one before it in its column. Rows are compared with the
  // row above a word at a time, and the turns, found row by row, are then sorted into columns by counting.
  const rows = new Positions();
  const perColumn = new Uint32Array(width + 1);
  const last = (height - 1) * width;
  for (let x = 0; x < width; x++) {
    const before = x > 0 && bitmap[last + x - 1] !== 0; // the pixel at the foot of the column before
    if ((bitmap[x] !== 0) !== before) {
      rows.push(x);
      perColumn[x + 1]!++;
    }
  }
  compareRows(bitmap, height, width, rows, perColumn);
  for (let x = 0; x < width; x++) perColumn[x + 1]! += perColumn[x]!;
  const turns = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const position = rows.values[i]!;
    const y = Math.floor(position / width);
    const x = position - y * width;
    turns[perColumn[x]!++] = x * height + y;
  }
  return { size: [height, width], counts: countsBetween(turns, turns.length, height * width) };
}

/** Compares every row but the first with the one above it. */
function compareRows(
  bitmap: Uint8Array | Uint8ClampedArray,
  height: number,
  width: number,
  turns: Positions,
  perColumn: Uint32Array,
): void {
  const compare = (from: number, to: number, row: number): void => {
    for (let i = from; i < to; i++) {
      if ((bitmap[i] !== 0) !== (bitmap[i - width] !== 0)) {
        turns.push(i);
        perColumn[i - row + 1]!++;
      }
    }
  };
  const words = width % LITTLE_WORD === 0 ? wordsOf(bitmap) : undefined;
  if (words === undefined) {
    for (let y = 1; y < height; y++) compare(y * width, (y + 1) * width, y * width);
    return;
  }
  const stride = width / LITTLE_WORD;
  for (let y = 1; y < height; y++) {
    const end = (y + 1) * stride;
    for (let w = y * stride; w < end; w++) {
      if (words[w] !== words[w - stride]) compare(w * LITTLE_WORD, (w + 1) * LITTLE_WORD, y * width);
    }
  }
}

/** The column-major bitmap: 0 or 1 per pixel, `[width * height]`. */
export function decodeColumns({ size: [height, width], counts }: RunLengths): Uint8Array {
  checkMaskSize([height, width], 'decodeColumns');
  const bitmap = new Uint8Array(height * width);
  let position = 0;
  for (let i = 1; i < counts.length; i += 2) {
    const start = position + counts[i - 1]!;
    position = start + counts[i]!;
    bitmap.fill(1, start, position);
  }
  return bitmap;
}

/** The row-major bitmap: 0 or 1 per pixel, `[height * width]`. */
export function decodeRows({ size: [height, width], counts }: RunLengths): Uint8Array {
  checkMaskSize([height, width], 'decodeRows');
  const bitmap = new Uint8Array(height * width);
  let y = 0;
  let x = 0;
  for (let i = 0; i < counts.length; i++) {
    let left = counts[i]!;
    if ((i & 1) === 0) {
      y += left;
      if (y >= height && height > 0) {
        const columns = Math.floor(y / height);
        x += columns;
        y -= columns * height;
      }
      continue;
    }
    while (left > 0 && x < width) {
      const stop = Math.min(height, y + left);
      left -= stop - y;
      for (let p = y * width + x, end = stop * width + x; p < end; p += width) bitmap[p] = 1;
      y = stop;
      if (y === height) {
        y = 0;
        x++;
      }
    }
  }
  return bitmap;
}

/** Positions where runs begin, growing as needed. */
class Positions {
  values: Uint32Array = new Uint32Array(256);
  length = 0;

  push(position: number): void {
    if (this.length === this.values.length) {
      const larger = new Uint32Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = position;
  }

  toCounts(total: number): Uint32Array {
    return countsBetween(this.values, this.length, total);
  }
}

/** Run lengths from the sorted positions at which the value turns. */
export function countsBetween(turns: Uint32Array, length: number, total: number): Uint32Array {
  const counts = new Uint32Array(length + 1);
  let before = 0;
  for (let i = 0; i < length; i++) {
    const turn = turns[i]!;
    counts[i] = turn - before;
    before = turn;
  }
  counts[length] = total - before;
  return counts;
}

function wordsOf(bitmap: Uint8Array | Uint8ClampedArray): Int32Array | undefined {
  if (bitmap.byteOffset % LITTLE_WORD !== 0) return undefined;
  return new Int32Array(bitmap.buffer, bitmap.byteOffset, Math.floor(bitmap.length / LITTLE_WORD));
}

function checkBitmap(bitmap: ArrayLike<number>, size: ImageSize, where: string): void {
  checkMaskSize(size, where);
  if (bitmap.length !== size[0] * size[1]) {
    throw new RcnnError('MASK_SIZE_MISMATCH', {
      where,
      problem: 'the bitmap has another number of pixels',
      found: String(bitmap.length),
      expected: `${size[0]} x ${size[1]} = ${size[0] * size[1]}`,
    });
  }
}
