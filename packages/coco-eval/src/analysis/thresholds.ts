export interface Rates {
  /** Right detections among the detections; 0 without any. */
  readonly precision: number;
  /** Found objects among the objects; 0 without any. */
  readonly recall: number;
  /** Harmonic mean of both. */
  readonly f1: number;
}

/** Where the F1 is highest: the lowest score that is still looked at. */
export interface BestThreshold {
  /** NaN without a detection that is right. */
  readonly scoreThreshold: number;
  readonly f1: number;
}

/** A detection that counts. */
export interface Judged {
  /** Place on the category axis. */
  readonly category: number;
  readonly score: number;
  readonly right: boolean;
}

/** What was found of one class so far. */
export interface Tally {
  /** Objects that count. */
  readonly support: number;
  right: number;
  wrong: number;
}

export function talliesOf(supports: Iterable<number>): Tally[] {
  return Array.from(supports, (support) => ({ support, right: 0, wrong: 0 }));
}

export function count(tally: Tally, right: boolean): void {
  if (right) tally.right++;
  else tally.wrong++;
}

/** Whether a class has objects or detections: the others are no part of an average. */
export function isPresent({ support, right, wrong }: Tally): boolean {
  return support + right + wrong > 0;
}

export function ratesOf({ support, right, wrong }: Tally): Rates {
  return {
    precision: right === 0 ? 0 : right / (right + wrong),
    recall: right === 0 ? 0 : right / support,
    f1: right === 0 ? 0 : (2 * right) / (right + wrong + support),
  };
}

/**
 * The score thresholds with the highest F1, of each class and of the mean over classes; of equal ones the highest.
 * @param judged best first
 */
export function bestThresholds(
  judged: readonly Judged[],
  supports: Iterable<number>,
): { readonly classes: readonly BestThreshold[]; readonly macro: BestThreshold } {
  const tallies = talliesOf(supports);
  const classes = tallies.map((): BestThreshold => ({ scoreThreshold: Number.NaN, f1: 0 }));
  let macro: BestThreshold = { scoreThreshold: Number.NaN, f1: 0 };
  let sum = 0; // of the F1 of the classes that are present
  let present = tallies.filter(isPresent).length;
  const changed = new Set<number>(); // classes with detections of the score at hand
  judged.forEach(({ category, score, right }, i) => {
    const tally = tallies[category]!;
    if (!isPresent(tally)) present++;
    sum -= ratesOf(tally).f1;
    count(tally, right);
    sum += ratesOf(tally).f1;
    changed.add(category);
    if (judged[i + 1]?.score === score) return; // of equal scores all are looked at or none
    for (const k of changed) {
      const { f1 } = ratesOf(tallies[k]!);
      if (f1 > classes[k]!.f1) classes[k] = { scoreThreshold: score, f1 };
    }
    changed.clear();
    // A little more than before, for sums of differences wander in their last bits.
    if (sum / present > macro.f1 + 1e-12) macro = { scoreThreshold: score, f1: sum / present };
  });
  return { classes, macro };
}
