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
  /** Centres. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** Where the strips begin, and how wide each is. */
  readonly left: number;
  readonly stripWidth: number;
}

/** Enough to leave most boxes aside, few enough to visit those of a wide box quickly. */
const STRIPS = 128;

/**
 * The kept boxes of a group, in vertical strips by the x of their centre, so that a box is compared only with those
 * that can suppress it. With widths `w` and `v`, an IoU above `t` needs an overlap of more than `t * max(w, v)` along
 * x, hence `v < w / t`, and centres less than `(1 - t) * max(w, v)`, so less than `w * (1 - t) / t`, apart. Along y alike.
 */
class KeptBoxes {
  readonly #geometry: Geometry;
  readonly #strips: number[][] = Array.from({ length: STRIPS }, () => []);

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  add(i: number): void {
    this.#strips[this.#strip(this.#geometry.x[i]!)]!.push(i);
  }

  /** Whether the IoU of box `i` with a kept one is above the threshold. */
  suppress(i: number, threshold: number): boolean {
    const { boxes, areas, x, y } = this.#geometry;
    const reach = (1 - threshold) / threshold + 1e-3; // a little more: IoUs are float32
    const reachX = (boxes[i * 4 + 2]! - boxes[i * 4]!) * reach;
    const reachY = (boxes[i * 4 + 3]! - boxes[i * 4 + 1]!) * reach;
    const centreX = x[i]!;
    const centreY = y[i]!;
    const last = this.#strip(centreX + reachX);
    for (let s = this.#strip(centreX - reachX); s <= last; s++) {
      const strip = this.#strips[s]!;
      for (let k = 0; k < strip.length; k++) {
        const j = strip[k]!;
        if (Math.abs(y[j]! - centreY) > reachY || Math.abs(x[j]! - centreX) > reachX) continue;
        if (overlap(boxes, j, areas[j]!, boxes, i, areas[i]!) > threshold) return true;
      }
    }
    return false;
  }

  #strip(x: number): number {
    const index = Math.floor((x - this.#geometry.left) / this.#geometry.stripWidth);
    return index > 0 ? Math.min(index, STRIPS - 1) : 0; // NaN: the first
  }
}

function geometryOf(boxes: Boxes): Geometry {
  const areas = boxArea(boxes);
  const x = new Float64Array(areas.length);
  const y = new Float64Array(areas.length);
  let left = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  for (let i = 0, p = 0; i < areas.length; i++, p += 4) {
    x[i] = (boxes[p]! + boxes[p + 2]!) / 2;
    y[i] = (boxes[p + 1]! + boxes[p + 3]!) / 2;
    if (x[i]! < left) left = x[i]!;
    if (x[i]! > right) right = x[i]!;
  }
  return { boxes, areas, x, y, left, stripWidth: (right - left) / STRIPS || 1 };
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
