import { RcnnError } from '@rcnn/core';
import { type Boxes, boxArea, overlap } from './geometry.ts';

/** The box matches no gt box: it is background. */
export const BELOW_THRESHOLD = -1;
/** The box is neither clearly an object nor clearly background: it is ignored. */
export const BETWEEN_THRESHOLDS = -2;

export interface MatcherOptions {
  /** From this IoU on a box is an object. */
  readonly foreground: number;
  /** Below this IoU a box is background. */
  readonly background: number;
  /** Give every gt box its best boxes, however low their IoU. Default false. */
  readonly lowQuality?: boolean;
}

/** Links boxes with gt boxes. {@link Matcher} is one. */
export interface BoxMatcher {
  /** Per box the index of its gt box, {@link BELOW_THRESHOLD} or {@link BETWEEN_THRESHOLDS}: `[boxes]`. */
  matchBoxes(gtBoxes: Boxes, boxes: Boxes): Int32Array;
}

/**
 * Links boxes (anchors or proposals) to gt boxes by IoU. Per box the index of its gt box, or
 * {@link BELOW_THRESHOLD} or {@link BETWEEN_THRESHOLDS}. Without gt boxes all are background.
 *
 * With `lowQuality`, a box whose IoU with some gt box equals that gt box's best takes back its **own** best gt box,
 * which need not be that one.
 * @see Ren et al. 2015, section 3.1.2 (arXiv:1506.01497)
 */
export class Matcher implements BoxMatcher {
  readonly #foreground: number;
  readonly #background: number;
  readonly #lowQuality: boolean;

  /** @throws INVALID_ARGUMENT when `background` is above `foreground` */
  constructor({ foreground, background, lowQuality = false }: MatcherOptions) {
    if (!(background <= foreground)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'Matcher',
        problem: 'the background threshold is above the foreground threshold',
        found: `${background} > ${foreground}`,
      });
    }
    // IoUs are float32: an IoU of 0.7 is 0.69999999 there, and so must be the threshold that it is compared with.
    this.#foreground = Math.fround(foreground);
    this.#background = Math.fround(background);
    this.#lowQuality = lowQuality;
  }

  /** Matches by a row-major IoU matrix `[gt * boxes]`. Gives `[boxes]`. @throws SHAPE_MISMATCH */
  match(iou: Float32Array, numGt: number, numBoxes: number): Int32Array {
    if (iou.length !== numGt * numBoxes) {
      throw new RcnnError('SHAPE_MISMATCH', {
        where: 'Matcher.match',
        problem: 'the matrix has another size',
        found: String(iou.length),
        expected: `${numGt} gt boxes times ${numBoxes} boxes`,
      });
    }
    return this.#match(numGt, numBoxes, (gt, box) => iou[gt * numBoxes + box]!);
  }

  /** The same from the boxes themselves, without a matrix in memory. */
  matchBoxes(gtBoxes: Boxes, boxes: Boxes): Int32Array {
    const gtAreas = boxArea(gtBoxes);
    const areas = boxArea(boxes);
    return this.#match(gtAreas.length, areas.length, (gt, box) =>
      overlap(gtBoxes, gt, gtAreas[gt]!, boxes, box, areas[box]!),
    );
  }

  #match(numGt: number, numBoxes: number, iou: (gt: number, box: number) => number): Int32Array {
    const matched = new Int32Array(numBoxes).fill(BELOW_THRESHOLD);
    if (numGt === 0) return matched;
    const best = new Float32Array(numBoxes).fill(Number.NEGATIVE_INFINITY);
    const bestGt = new Int32Array(numBoxes);
    const bestBoxes: number[][] = []; // per gt box: all boxes that share its best IoU
    for (let gt = 0; gt < numGt; gt++) {
      let bestOfGt = 0;
      let ties: number[] = [];
      for (let box = 0; box < numBoxes; box++) {
        const value = iou(gt, box);
        if (value > best[box]!) {
          best[box] = value;
          bestGt[box] = gt;
        }
        if (value > bestOfGt) {
          bestOfGt = value;
          ties = [box];
        } else if (value === bestOfGt && value > 0) ties.push(box);
      }
      // A gt box that overlaps nothing has 0 as its best, like everything that it does not overlap.
      if (bestOfGt === 0) ties = indicesWhere(numBoxes, (box) => iou(gt, box) === 0);
      bestBoxes.push(ties);
    }
    for (let box = 0; box < numBoxes; box++) {
      if (best[box]! >= this.#foreground) matched[box] = bestGt[box]!;
      else if (best[box]! >= this.#background) matched[box] = BETWEEN_THRESHOLDS;
    }
    if (this.#lowQuality) for (const box of bestBoxes.flat()) matched[box] = bestGt[box]!;
    return matched;
  }
}

function indicesWhere(count: number, holds: (i: number) => boolean): number[] {
  const found: number[] = [];
  for (let i = 0; i < count; i++) if (holds(i)) found.push(i);
  return found;
}
