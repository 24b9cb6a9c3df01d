import { RcnnError } from '@rcnn/core';
import { type Boxes, boxArea, countBoxes, overlap } from './geometry.ts';
import { topK } from './top-k.ts';

export interface NmsOptions {
  /** Boxes compete only inside a group (level or class): one id per box. Default: all in one. */
  readonly groups?: Int32Array;
  /** Stop when this many are kept. Default: never. */
  readonly limit?: number;
}

/**
 * Greedy non-maximum suppression: best score first, a box goes when its IoU with a kept one of its group is
 * **strictly greater** than the threshold. Equal scores keep input order. Gives the kept indices, best first.
 * @throws SHAPE_MISMATCH
 */
export function nms(
  boxes: Boxes,
  scores: ArrayLike<number>,
  iouThreshold: number,
  { groups, limit = Number.POSITIVE_INFINITY }: NmsOptions = {},
): Int32Array {
  const count = countBoxes(boxes, 'nms');
  if (scores.length !== count || (groups !== undefined && groups.length !== count)) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'nms',
      problem: 'one score (and one group, if any) per box is needed',
      found: `${scores.length} scores${groups ? `, ${groups.length} groups` : ''}`,
      expected: String(count),
    });
  }
  const areas = boxArea(boxes);
  const kept: number[] = [];
  const rivals = new Map<number, number[]>();
  for (const i of topK(scores, count)) {
    if (kept.length >= limit) break;
    const group = groups?.[i] ?? 0;
    let inGroup = rivals.get(group);
    if (inGroup === undefined) rivals.set(group, (inGroup = []));
    if (inGroup.some((j) => overlap(boxes, j, areas[j]!, boxes, i, areas[i]!) > iouThreshold)) continue;
    inGroup.push(i);
    kept.push(i);
  }
  return Int32Array.from(kept);
}
