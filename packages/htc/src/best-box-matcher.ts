import { BELOW_THRESHOLD, type BoxMatcher, boxArea, overlap } from '@rcnn/boxes';

/**
 * Links proposals with objects as mmdetection does for a stage of a cascade: a proposal goes to the object that it
 * overlaps most, if it reaches the threshold; and the best proposals of an object go to that object if they reach it,
 * even where they overlap another one more. Of two objects that claim one proposal the later has it.
 */
export class BestBoxMatcher implements BoxMatcher {
  readonly #threshold: number;

  /** @param threshold least IoU of a proposal with its object */
  constructor(threshold: number) {
    this.#threshold = Math.fround(threshold); // IoUs are float32: compare like with like
  }

  matchBoxes(gtBoxes: Float32Array, boxes: Float32Array): Int32Array {
    const areas = boxArea(boxes);
    const matched = new Int32Array(areas.length).fill(BELOW_THRESHOLD);
    const best = new Float32Array(areas.length); // what does not reach a threshold above 0 is never looked at
    const claims: { gt: number; box: number }[] = [];
    boxArea(gtBoxes).forEach((area, gt) => {
      let bestOfGt = 0;
      let own: number[] = []; // all boxes that share this object's best IoU
      for (let box = 0; box < areas.length; box++) {
        const iou = overlap(gtBoxes, gt, area, boxes, box, areas[box]!);
        if (!(iou >= this.#threshold)) continue;
        if (iou > best[box]!) {
          best[box] = iou;
          matched[box] = gt;
        }
        if (iou > bestOfGt) own = [];
        if (iou >= bestOfGt) own.push(box);
        bestOfGt = Math.max(bestOfGt, iou);
      }
      claims.push(...own.map((box) => ({ gt, box })));
    });
    for (const { gt, box } of claims) matched[box] = gt;
    return matched;
  }
}
