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
    merged = mergeTwo(merged, mask.counts, how === 'intersection');
  }
  return { size: [first.size[0], first.size[1]], counts: merged === first.counts ? merged.slice() : merged };
}

function mergeTwo(a: Uint32Array, b: Uint32Array, intersect: boolean): Uint32Array {
  const counts = new Uint32Array(a.length + b.length + 1);
  let length = 0;
  let leftA = a[0] ?? 0;
  let leftB = b[0] ?? 0;
  let i = 1;
  let j = 1;
  let inA = false;
  let inB = false;
  let inside = false;
  let run = 0;
  for (let done = false; !done; ) {
    const step = Math.min(leftA, leftB);
    run += step;
    leftA -= step;
    leftB -= step;
    if (leftA === 0 && i < a.length) {
      leftA = a[i++]!;
      inA = !inA;
    }
    if (leftB === 0 && j < b.length) {
      leftB = b[j++]!;
      inB = !inB;
    }
    done = leftA === 0 && leftB === 0 && i >= a.length && j >= b.length;
    const was: boolean = inside;
    inside = intersect ? inA && inB : inA || inB;
    if (inside !== was || done) {
      counts[length++] = run;
      run = 0;
    }
  }
  return counts.slice(0, length);
}

/**
 * Pixels that two masks share: the inner loop of mask IoU. The masks are spans of larger arrays, so that a whole
 * dataset can live in one.
 */
export function sharedPixels(
  a: Uint32Array,
  aStart: number,
  aEnd: number,
  b: Uint32Array,
  bStart: number,
  bEnd: number,
): number {
  let shared = 0;
  let leftA = aStart < aEnd ? a[aStart]! : 0;
  let leftB = bStart < bEnd ? b[bStart]! : 0;
  let i = aStart + 1;
  let j = bStart + 1;
  let inA = 0;
  let inB = 0;
  for (;;) {
    if (leftA < leftB) {
      if (inA & inB) shared += leftA;
      leftB -= leftA;
      leftA = 0;
    } else {
      if (inA & inB) shared += leftB;
      leftA -= leftB;
      leftB = 0;
    }
    if (leftA === 0 && i < aEnd) {
      leftA = a[i++]!;
      inA ^= 1;
    }
    if (leftB === 0 && j < bEnd) {
      leftB = b[j++]!;
      inB ^= 1;
    }
    if (leftA === 0 && leftB === 0 && i >= aEnd && j >= bEnd) return shared;
  }
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
  detections.forEach((detection, d) => {
    const box = runsBox(detection);
    const area = runsArea(detection);
    truths.forEach((truth, g) => {
      if (!overlap(box, truthBoxes[g]!)) return;
      const index = d * truths.length + g;
      if (detection.size[0] !== truth.size[0] || detection.size[1] !== truth.size[1]) {
        result[index] = -1;
        return;
      }
      const { counts } = detection;
      const shared = sharedPixels(counts, 0, counts.length, truth.counts, 0, truth.counts.length);
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
