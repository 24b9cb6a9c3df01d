import type { RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { runsArea, runsBox } from './runs.ts';

/**
 * Union or intersection of masks of one size, run by run, without a bitmap.
 * @throws MASK_SIZE_MISMATCH
 */
export function mergeRuns(masks: readonly RunLengths[], how: 'union' | 'intersection' = 'union'): RunLengths {
  const first = masks[0];
  if (first === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', { where: 'mergeRuns', problem: 'there is no mask to merge' });
  }
  let merged = first.counts;
  for (const mask of masks.slice(1)) {
    if (mask.size[0] !== first.size[0] || mask.size[1] !== first.size[1]) {
      throw new RcnnError('MASK_SIZE_MISMATCH', {
        where: 'mergeRuns',
        problem: 'masks of different sizes cannot be merged',
        found: `[${mask.size.join(', ')}]`,
        expected: `[${first.size.join(', ')}]`,
      });
    }
    merged = mergeTwo(merged, mask.counts, first.size[0] * first.size[1], how === 'intersection');
  }
  return { size: [first.size[0], first.size[1]], counts: merged === first.counts ? merged.slice() : merged };
}

let merging = new Uint32Array(1024);

function mergeTwo(a: Uint32Array, b: Uint32Array, total: number, intersect: boolean): Uint32Array {
  if (merging.length < a.length + b.length + 1) merging = new Uint32Array(2 * (a.length + b.length + 1));
  const counts = merging;
  let length = 0;
  let last = 0; // where the run being built begins
  let i = 0;
  let j = 0;
  // Where each mask turns next; beyond every position once it turns no more.
  const never = total + 1;
  let nextA = a.length > 1 ? a[0]! : never;
  let nextB = b.length > 1 ? b[0]! : never;
  let inA = 0;
  let inB = 0;
  let inside = 0;
  while (nextA < never || nextB < never) {
    const position = nextA < nextB ? nextA : nextB;
    if (nextA === position) {
      inA ^= 1;
      i++;
      nextA = i < a.length - 1 ? nextA + a[i]! : never;
    }
    if (nextB === position) {
      inB ^= 1;
      j++;
      nextB = j < b.length - 1 ? nextB + b[j]! : never;
    }
    const now = intersect ? inA & inB : inA | inB;
    if (now === inside) continue;
    inside = now;
    counts[length++] = position - last;
    last = position;
  }
  counts[length++] = total - last;
  return counts.slice(0, length);
}

/** Where each run ends, in pixels from the start: what {@link sharedPixels} walks. */
export function runEnds(counts: Uint32Array): Uint32Array {
  const ends = new Uint32Array(counts.length);
  let position = 0;
  for (let i = 0; i < counts.length; i++) ends[i] = position += counts[i]!;
  return ends;
}

/**
 * Pixels that two masks share: the inner loop of mask IoU. Masks are given by the ends of their runs (background
 * first) as spans `[start, end)` of larger arrays, so that many masks can live in one. Only where the two can overlap
 * are runs looked at.
 */
export function sharedPixels(
  a: Uint32Array,
  aStart: number,
  aEnd: number,
  b: Uint32Array,
  bStart: number,
  bEnd: number,
): number {
  if (aEnd - aStart < 2 || bEnd - bStart < 2) return 0;
  // Object runs stand at odd places; each begins where the run before it ends.
  let i = firstBeyond(a, aStart, aEnd, b[bStart]!);
  let j = firstBeyond(b, bStart, bEnd, a[aStart]!);
  if (i >= aEnd || j >= bEnd) return 0;
  let shared = 0;
  let startA = a[i - 1]!;
  let endA = a[i]!;
  let startB = b[j - 1]!;
  let endB = b[j]!;
  for (;;) {
    const from = startA > startB ? startA : startB;
    if (endA < endB) {
      if (endA > from) shared += endA - from;
      i += 2;
      if (i >= aEnd) return shared;
      startA = a[i - 1]!;
      endA = a[i]!;
    } else {
      if (endB > from) shared += endB - from;
      j += 2;
      if (j >= bEnd) return shared;
      startB = b[j - 1]!;
      endB = b[j]!;
    }
  }
}

/** The first object run of `[start, end)` that ends after a position, by halving. */
function firstBeyond(ends: Uint32Array, start: number, end: number, position: number): number {
  let low = 0;
  let high = (end - start) >> 1; // object runs
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[start + 2 * middle + 1]! > position) high = middle;
    else low = middle + 1;
  }
  return start + 2 * low + 1;
}

/**
 * IoU of every detection with every ground truth. Where a ground truth is a crowd, the intersection is divided by the
 * detection's area instead of the union. Masks of different sizes whose boxes overlap give -1, as in pycocotools.
 * @param crowd 1 per ground truth that is a crowd; none by default
 * @returns `[detections, truths]`, row-major
 */
export function maskIoU(
  detections: readonly RunLengths[],
  truths: readonly RunLengths[],
  crowd?: ArrayLike<number | boolean>,
): Float64Array {
  const result = new Float64Array(detections.length * truths.length);
  const truthBoxes = truths.map(runsBox);
  const truthAreas = truths.map(runsArea);
  const truthEnds = truths.map(({ counts }) => runEnds(counts));
  detections.forEach((detection, d) => {
    const box = runsBox(detection);
    const area = runsArea(detection);
    const ends = runEnds(detection.counts);
    truths.forEach((truth, g) => {
      if (!overlap(box, truthBoxes[g]!)) return;
      const index = d * truths.length + g;
      if (detection.size[0] !== truth.size[0] || detection.size[1] !== truth.size[1]) {
        result[index] = -1;
        return;
      }
      const shared = sharedPixels(ends, 0, ends.length, truthEnds[g]!, 0, truth.counts.length);
      if (shared === 0) return;
      result[index] = shared / (crowd?.[g] ? area : area + truthAreas[g]! - shared);
    });
  });
  return result;
}

function overlap(a: readonly [number, number, number, number], b: readonly [number, number, number, number]): boolean {
  return (
    Math.min(a[0] + a[2], b[0] + b[2]) > Math.max(a[0], b[0]) &&
    Math.min(a[1] + a[3], b[1] + b[3]) > Math.max(a[1], b[1])
  );
}
