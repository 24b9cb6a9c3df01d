import type { Target } from '@rcnn/core';
import type { SampledRoIs } from './rois.ts';

/** Where key points lie in the heatmaps of their regions. */
export interface KeypointTargets {
  /** `[R * K]`: row-major cell of the heatmap; 0 where `valid` is 0. */
  readonly cells: Int32Array;
  /** `[R * K]`: 1 for a point that is labelled and lies inside of its region. */
  readonly valid: Uint8Array;
}

/**
 * The cell of each key point in the heatmap over its region. A point on the right or lower edge itself is in the last
 * cell. Every step is float32.
 * @param keypoints `[R * K * 3]`: x, y, visibility, of the object of each region
 * @param boxes `[R * 4]` with sides above 0, in the same pixels
 * @param size cells on a side
 * @see He et al. 2017, section 5 (arXiv:1703.06870)
 */
export function encodeKeypoints(keypoints: Float32Array, boxes: Float32Array, size: number): KeypointTargets {
  const regions = boxes.length / 4;
  const points = regions === 0 ? 0 : keypoints.length / 3 / regions;
  const cells = new Int32Array(regions * points);
  const valid = new Uint8Array(regions * points);
  for (let at = 0; at < cells.length; at++) {
    const box = 4 * Math.floor(at / points);
    const x = cellOf(keypoints[3 * at]!, boxes[box]!, boxes[box + 2]!, size);
    const y = cellOf(keypoints[3 * at + 1]!, boxes[box + 1]!, boxes[box + 3]!, size);
    const inside = x >= 0 && x < size && y >= 0 && y < size;
    if (!inside || !(keypoints[3 * at + 2]! > 0)) continue;
    cells[at] = y * size + x;
    valid[at] = 1;
  }
  return { cells, valid };
}

function cellOf(value: number, low: number, high: number, size: number): number {
  if (value === high) return size - 1;
  const scale = Math.fround(size / Math.fround(high - low)); // a product with the quotient, not a division: other cells
  return Math.floor(Math.fround(Math.fround(value - low) * scale));
}

/** The key points of the object of each region, which must have one: `[R * K * 3]`. */
export function matchedKeypoints(
  { matchedIndices }: Pick<SampledRoIs, 'matchedIndices'>,
  { keypoints = new Float32Array(), labels }: Pick<Target, 'keypoints' | 'labels'>,
): Float32Array {
  const width = labels.length === 0 ? 0 : keypoints.length / labels.length;
  const matched = new Float32Array(matchedIndices.length * width);
  for (const [row, gt] of matchedIndices.entries()) {
    matched.set(keypoints.subarray(gt * width, (gt + 1) * width), row * width);
  }
  return matched;
}
