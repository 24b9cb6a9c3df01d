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
 * @throws SHAPE_MISMATCH; INVALID_ARGUMENT for a threshold below 0
 */
export function nms(
  boxes: Boxes,
  scores: ArrayLike<number>,
  iouThreshold: number,
  { groups, limit = Number.POSITIVE_INFINITY }: NmsOptions = {},
): Int32Array {
  const count = countBoxes(boxes, 'nms');
  check(count, scores, groups, iouThreshold);
  const geometry = geometryOf(boxes);
  const kept = new Int32Array(Math.min(count, limit));
  const rivals = new Map<number, KeptBoxes>();
  let size = 0;
  for (const i of topK(scores, count)) {
    if (size >= limit) break;
    const group = groups?.[i] ?? 0;
    let ofGroup = rivals.get(group);
    if (ofGroup === undefined) rivals.set(group, (ofGroup = new KeptBoxes(geometry)));
    if (ofGroup.suppress(i, iouThreshold)) continue;
    ofGroup.add(i);
    kept[size++] = i;
  }
  return kept.slice(0, size);
}

interface Geometry {
  readonly boxes: Boxes;
  readonly areas: Float32Array;
  /** Centres, and the cells in which they are counted along each axis. */
  readonly x: Axis;
  readonly y: Axis;
  /** For each kept box the one before it in its cell; -1 after the last. */
  readonly next: Int32Array;
}

interface Axis {
  readonly centres: Float64Array;
  /** Where the cells begin, and how long each is. */
  readonly start: number;
  readonly cell: number;
}

/** Cells along an axis: enough to leave most boxes aside, few enough to visit those of a wide box quickly. */
const CELLS = 32;

/**
 * The kept boxes of a group, in the cells of a grid by their centre, so that a box is compared only with those that can
 * suppress it. An IoU above `t` needs as much along x alone: widths `w` and `v` that overlap by more than `t` times what they
 * cover together. Then `v < w / t`, and the centres are less than `(w + v) / 2 * (1 - t) / (1 + t)` apart, or, where one lies
 * within the other, half the difference of their widths: both less than `w * (1 - t) / (2 t)`. Along y alike.
 */
class KeptBoxes {
  readonly #geometry: Geometry;
  /** The last box of each cell, row by row; -1 where there is none. */
  readonly #heads = new Int32Array(CELLS * CELLS).fill(-1);

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  add(i: number): void {
    const { x, y, next } = this.#geometry;
    const cell = CELLS * cellOf(y, y.centres[i]!) + cellOf(x, x.centres[i]!);
    next[i] = this.#heads[cell]!;
    this.#heads[cell] = i;
  }

  /** Whether the IoU of box `i` with a kept one is above the threshold. */
  suppress(i: number, threshold: number): boolean {
    const { boxes, areas, x, y, next } = this.#geometry;
    const reach = (1 - threshold) / (2 * threshold) + 1e-3; // a little more: IoUs are float32
    const reachX = (boxes[i * 4 + 2]! - boxes[i * 4]!) * reach;
    const reachY = (boxes[i * 4 + 3]! - boxes[i * 4 + 1]!) * reach;
    const centreX = x.centres[i]!;
    const centreY = y.centres[i]!;
    const first = cellOf(x, centreX - reachX);
    const last = cellOf(x, centreX + reachX);
    const lastRow = cellOf(y, centreY + reachY);
    for (let row = cellOf(y, centreY - reachY); row <= lastRow; row++) {
      for (let cell = CELLS * row + first; cell <= CELLS * row + last; cell++) {
        for (let j = this.#heads[cell]!; j >= 0; j = next[j]!) {
          if (Math.abs(y.centres[j]! - centreY) > reachY || Math.abs(x.centres[j]! - centreX) > reachX) continue;
          if (overlap(boxes, j, areas[j]!, boxes, i, areas[i]!) > threshold) return true;
        }
      }
    }
    return false;
  }
}

function cellOf({ start, cell }: Axis, centre: number): number {
  const index = Math.floor((centre - start) / cell);
  return index > 0 ? Math.min(index, CELLS - 1) : 0; // NaN: the first
}

function geometryOf(boxes: Boxes): Geometry {
  const areas = boxArea(boxes);
  const [x, y] = [axisOf(boxes, 0), axisOf(boxes, 1)];
  return { boxes, areas, x, y, next: new Int32Array(areas.length) };
}

/** @param from 0 for x, 1 for y */
function axisOf(boxes: Boxes, from: 0 | 1): Axis {
  const centres = new Float64Array(boxes.length / 4);
  let start = Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (let i = 0, p = from; i < centres.length; i++, p += 4) {
    const centre = (boxes[p]! + boxes[p + 2]!) / 2;
    centres[i] = centre;
    if (centre < start) start = centre;
    if (centre > end) end = centre;
  }
  return { centres, start, cell: (end - start) / CELLS || 1 };
}

function check(count: number, scores: ArrayLike<number>, groups: Int32Array | undefined, threshold: number): void {
  if (scores.length !== count || (groups !== undefined && groups.length !== count)) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'nms',
      problem: 'one score (and one group, if any) per box is needed',
      found: `${scores.length} scores${groups ? `, ${groups.length} groups` : ''}`,
      expected: String(count),
    });
  }
  if (!(threshold >= 0)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'nms',
      problem: 'the IoU threshold must be at least 0',
      found: String(threshold),
    });
  }
}
