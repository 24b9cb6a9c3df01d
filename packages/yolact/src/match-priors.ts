import { boxArea, overlap } from '@rcnn/boxes';

/** What is on an image, as shares of it. */
export interface PriorTruth {
  /** `[G * 4]`: `x1, y1, x2, y2`. */
  readonly boxes: Float32Array;
  /** `[G]`, 1 and up. */
  readonly labels: Int32Array;
  /** `[C * 4]`: regions with too many objects to tell apart. */
  readonly crowdBoxes: Float32Array;
}

/** What each prior should find. */
export interface PriorMatch {
  /** `[P]`: the label of its object, {@link BACKGROUND} or {@link NEUTRAL}. */
  readonly labels: Int32Array;
  /** `[P]`: the index of its object; means something for positives. */
  readonly objects: Int32Array;
}

export const BACKGROUND = 0;
/** Neither object nor background: no loss looks at it. */
export const NEUTRAL = -1;

export interface MatchOptions {
  /** From this IoU on a prior is its object's. Default 0.5. */
  readonly positive?: number | undefined;
  /** Below this IoU it is background. Default 0.4. */
  readonly negative?: number | undefined;
  /** Above this share of its area inside a crowd it is neutral. Default 0.7. */
  readonly crowd?: number | undefined;
}

/**
 * Links priors with the objects of an image: each prior with its best object, and each object with one prior of its
 * own, whatever their IoU. The pairs are given away best first, so two objects never fight for one prior; torchvision's
 * rule for low-quality matches is another. Without objects all are background.
 * @param boxes the priors as `[P * 4]`, `x1, y1, x2, y2` as shares of the image
 */
export function matchPriors(
  boxes: Float32Array,
  { boxes: gtBoxes, labels: gtLabels, crowdBoxes }: PriorTruth,
  { positive = 0.5, negative = 0.4, crowd = 0.7 }: MatchOptions = {},
): PriorMatch {
  const areas = boxArea(boxes);
  const ious = iousOf(gtBoxes, boxes, areas);
  const objects = new Int32Array(areas.length);
  const best = bestObjects(ious, gtLabels.length, objects);
  for (const [prior, object] of ownPriors(ious, gtLabels.length, areas.length)) {
    best[prior] = 2; // above every threshold
    objects[prior] = object;
  }
  const inCrowd = crowdShares(crowdBoxes, boxes, areas);
  const from = Math.fround(positive); // IoUs are float32, and so must be what they are compared with
  const below = Math.fround(negative);
  const labels = Int32Array.from(best, (iou, prior) => {
    if (gtLabels.length > 0 && iou >= from) return gtLabels[objects[prior]!]!;
    if (inCrowd[prior]! > crowd) return NEUTRAL;
    return gtLabels.length === 0 || iou < below ? BACKGROUND : NEUTRAL;
  });
  return { labels, objects };
}

/** `[G * P]` */
function iousOf(gtBoxes: Float32Array, boxes: Float32Array, areas: Float32Array): Float32Array {
  const gtAreas = boxArea(gtBoxes);
  const ious = new Float32Array(gtAreas.length * areas.length);
  for (let object = 0, i = 0; object < gtAreas.length; object++) {
    for (let prior = 0; prior < areas.length; prior++, i++) {
      ious[i] = overlap(boxes, prior, areas[prior]!, gtBoxes, object, gtAreas[object]!);
    }
  }
  return ious;
}

/** The best IoU of each prior `[P]`; whose it is goes into `objects`. */
function bestObjects(ious: Float32Array, numObjects: number, objects: Int32Array): Float32Array {
  const count = objects.length;
  const best = new Float32Array(count).fill(-1);
  for (let object = 0; object < numObjects; object++) {
    for (let prior = 0; prior < count; prior++) {
      const iou = ious[object * count + prior]!;
      if (!(iou > best[prior]!)) continue;
      best[prior] = iou;
      objects[prior] = object;
    }
  }
  return best;
}

/** A prior for each object: again and again the pair with the highest IoU of those that are left. */
function ownPriors(ious: Float32Array, numObjects: number, count: number): Map<number, number> {
  const owners = new Map<number, number>();
  const waiting = new Set(Array.from({ length: Math.min(numObjects, count) }, (_, object) => object));
  const bestOf = (object: number): { prior: number; iou: number } => {
    let prior = -1;
    let iou = Number.NEGATIVE_INFINITY;
    for (let p = 0; p < count; p++) {
      const value = ious[object * count + p]!;
      if (!(value > iou) || owners.has(p)) continue;
      prior = p;
      iou = value;
    }
    return { prior, iou };
  };
  const bests = new Map([...waiting].map((object) => [object, bestOf(object)]));
  while (waiting.size > 0) {
    const [first] = [...waiting].toSorted((a, b) => bests.get(b)!.iou - bests.get(a)!.iou || a - b) as [number];
    const { prior } = bests.get(first)!;
    owners.set(prior, first);
    waiting.delete(first);
    for (const object of waiting) if (bests.get(object)!.prior === prior) bests.set(object, bestOf(object));
  }
  return owners;
}

/** The largest share of each prior's own area that lies inside one crowd: `[P]`. */
function crowdShares(crowdBoxes: Float32Array, boxes: Float32Array, areas: Float32Array): Float32Array {
  const shares = new Float32Array(areas.length);
  for (let q = 0; q < crowdBoxes.length; q += 4) {
    for (let prior = 0, p = 0; prior < areas.length; prior++, p += 4) {
      const across = Math.min(boxes[p + 2]!, crowdBoxes[q + 2]!) - Math.max(boxes[p]!, crowdBoxes[q]!);
      const down = Math.min(boxes[p + 3]!, crowdBoxes[q + 3]!) - Math.max(boxes[p + 1]!, crowdBoxes[q + 1]!);
      const share = (Math.max(0, across) * Math.max(0, down)) / areas[prior]!;
      if (share > shares[prior]!) shares[prior] = share;
    }
  }
  return shares;
}
