import type { ImageSize, RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';

/** The most pixels a mask may have: run lengths are 32-bit, as in pycocotools. */
export const MAX_PIXELS: number = 2 ** 32 - 1;

/** COCO's compressed mask, as it stands in JSON files. */
export interface CompressedMask {
  readonly size: ImageSize;
  readonly counts: string;
}

/** Refuses sizes that no mask can have, before anything is allocated. @throws RLE_INVALID */
export function checkMaskSize([height, width]: ImageSize, where: string): void {
  const whole = Number.isInteger(height) && Number.isInteger(width) && height >= 0 && width >= 0;
  if (!whole || height * width > MAX_PIXELS) {
    throw new RcnnError('RLE_INVALID', {
      where,
      problem: 'impossible mask size',
      found: `[${height}, ${width}]`,
      expected: 'whole numbers [height, width] with at most 2^32 - 1 pixels',
    });
  }
}

/**
 * Makes run lengths from plain counts (COCO's uncompressed form), checking that they cover the image exactly.
 * @param size `[height, width]` in pixels
 * @throws RLE_INVALID
 */
export function runsFromCounts(counts: ArrayLike<number>, size: ImageSize): RunLengths {
  checkMaskSize(size, 'runsFromCounts');
  let total = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (!Number.isInteger(count) || count < 0) {
      throw new RcnnError('RLE_INVALID', {
        where: 'runsFromCounts',
        place: `counts/${i}`,
        problem: 'a run length must be a whole number that is not negative',
        found: String(count),
      });
    }
    total += count;
  }
  checkTotal(total, size, 'runsFromCounts');
  return { size: [size[0], size[1]], counts: Uint32Array.from(counts) };
}

/**
 * Reads COCO's compressed string.
 * @param size `[height, width]` in pixels
 * @throws RLE_INVALID when the string is malformed or does not cover the image exactly
 */
export function runsFromString(text: string, size: ImageSize): RunLengths {
  checkMaskSize(size, 'runsFromString');
  if (scratch.length < 3 * text.length) scratch = new Uint8Array(6 * text.length);
  const { written } = encoder.encodeInto(text, scratch); // what is not ASCII becomes bytes that no code has
  if (scratchCounts.length < written) scratchCounts = new Uint32Array(2 * written);
  const length = parseCounts(scratch, 0, written, scratchCounts, 0);
  if (length < 0) throw malformedCounts(length, 'runsFromString');
  let total = 0;
  for (let i = 0; i < length; i++) total += scratchCounts[i]!;
  checkTotal(total, size, 'runsFromString');
  return { size: [size[0], size[1]], counts: scratchCounts.slice(0, length) };
}

// Kept between calls: a dataset has very many strings, each of them short.
const encoder = new TextEncoder();
const decoder = new TextDecoder();
let scratch = new Uint8Array(4096);
let scratchCounts = new Uint32Array(4096);

/** The most bytes that one run takes: a difference has 33 bits, in groups of five. */
const MAX_GROUPS = 7;

/** Writes COCO's compressed string, byte for byte as pycocotools does. */
export function runsToString({ counts }: RunLengths): string {
  if (scratch.length < MAX_GROUPS * counts.length) scratch = new Uint8Array(2 * MAX_GROUPS * counts.length);
  const bytes = scratch;
  let length = 0;
  for (let i = 0; i < counts.length; i++) {
    const difference = i > 2 ? counts[i]! - counts[i - 2]! : counts[i]!;
    let x = difference | 0;
    if (x !== difference) {
      // The 33rd bit, which 32 cannot hold: the low group goes ahead, and what is left fits.
      bytes[length++] = (difference & 0x1f) + 0x20 + 48;
      x = Math.floor(difference / 32);
    }
    while (x < -16 || x > 15) {
      bytes[length++] = (x & 0x1f) + 0x20 + 48; // the low five bits, also of a negative number; more follow
      x >>= 5;
    }
    bytes[length++] = (x & 0x1f) + 48;
  }
  return decoder.decode(bytes.subarray(0, length));
}

/** Powers of 32: what a five-bit group is worth. Multiplying is exact to 2^53, where `<<` wraps at 2^32. */
const GROUP_WORTH = [1, 2 ** 5, 2 ** 10, 2 ** 15, 2 ** 20, 2 ** 25, 2 ** 30] as const;

/**
 * The inner loop of every reader: decodes the bytes `[start, end)` of a compressed string into `into` from index `at`.
 * `into` must have room for one run per byte. Allocates nothing.
 * @returns how many runs were written; -1 for a byte outside the code, -2 for a number of too many groups or cut
 *   short, -3 for a run that is negative or beyond 32 bits
 */
export function parseCounts(bytes: Uint8Array, start: number, end: number, into: Uint32Array, at: number): number {
  let to = at;
  const first = at + 3; // from here on, differences to the run two before
  for (let p = start; p < end; ) {
    let group = bytes[p++]! - 48;
    if (group < 0 || group > 0x3f) return -1;
    if (group < 0x20) {
      // One group is by far the commonest. Kept to whole numbers of 32 bits, in which engines count quickest.
      let x = (group << 27) >> 27; // five bits with their sign
      if (to >= first) x += into[to - 2]!;
      if (x < 0) return -3;
      into[to++] = x;
      continue;
    }
    let x = group & 0x1f;
    let groups = 1;
    do {
      if (p >= end || groups > 6) return -2;
      group = bytes[p++]! - 48;
      if (group < 0 || group > 0x3f) return -1;
      x += (group & 0x1f) * GROUP_WORTH[groups as 1]!;
      groups++;
    } while (group >= 0x20);
    if (group & 0x10) x -= 32 ** groups;
    if (to >= first) x += into[to - 2]!;
    if (x < 0 || x > MAX_PIXELS) return -3;
    into[to++] = x;
  }
  return to - at;
}

/** The error that a negative answer of {@link parseCounts} stands for. */
export function malformedCounts(answer: number, where: string, place?: string): RcnnError {
  const problem =
    answer === -1
      ? 'the counts hold a character outside the code'
      : answer === -2
        ? 'a number in the counts is cut short or too long'
        : 'the counts give a run that is negative or beyond 32 bits';
  return new RcnnError('RLE_INVALID', {
    where,
    ...(place === undefined ? {} : { place }),
    problem,
    hint: "Write masks with pycocotools' encode or with runsToString of @rcnn/masks.",
  });
}

function checkTotal(total: number, [height, width]: ImageSize, where: string): void {
  if (total !== height * width) {
    throw new RcnnError('RLE_INVALID', {
      where,
      problem: 'the runs do not cover the image',
      found: `${total} pixels`,
      expected: `${height} x ${width} = ${height * width}`,
      hint: 'Is the size [height, width], and of this image?',
    });
  }
}

/** Pixels of the object. */
export function runsArea({ counts }: RunLengths): number {
  let area = 0;
  for (let i = 1; i < counts.length; i += 2) area += counts[i]!;
  return area;
}

/** The tightest box around the object: `[x, y, width, height]` in pixels, as COCO writes it; all 0 without pixels. */
export function runsBox({ size: [height, width], counts }: RunLengths): [number, number, number, number] {
  let left = width;
  let top = height;
  let right = -1;
  let bottom = -1;
  let position = 0;
  for (let i = 1; i < counts.length; i += 2) {
    const start = position + counts[i - 1]!;
    position = start + counts[i]!;
    if (position === start) continue;
    const firstColumn = Math.floor(start / height);
    const lastColumn = Math.floor((position - 1) / height);
    left = Math.min(left, firstColumn);
    right = lastColumn;
    if (firstColumn < lastColumn) {
      top = 0; // a run over a column's end touches the bottom and the top
      bottom = height - 1;
    } else {
      top = Math.min(top, start - firstColumn * height);
      bottom = Math.max(bottom, position - 1 - lastColumn * height);
    }
  }
  return right < 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
}
