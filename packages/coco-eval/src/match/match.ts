import type { ResolvedParams } from '../params.ts';
import type { Cell } from './cell.ts';
import type { Outcomes } from './outcomes.ts';

/** Similarity at or above which a pair can match: a threshold of 1 is met by 1 - 1e-10. */
export function reachable(threshold: number): number {
  return Math.min(threshold, 1 - 1e-10);
}

/** Matches cells and writes what came out. Owns the scratch memory, so one serves a whole evaluation. */
export class Matcher {
  readonly #thresholds: readonly number[];
  /** The lowest similarity that any threshold accepts. */
  readonly least: number;
  readonly #params: ResolvedParams;
  #taken: Uint32Array = new Uint32Array(64);
  readonly #ignored: boolean[] = [];
  readonly #order: number[] = [];
  readonly #candidates: number[] = [];

  constructor(params: ResolvedParams) {
    this.#params = params;
    this.#thresholds = params.iouThresholds.map(reachable);
    this.least = Math.min(...this.#thresholds);
  }

  match(cell: Cell, outcomes: Outcomes): void {
    const { areaRanges } = this.#params;
    outcomes.seen[cell.category] = 1;
    outcomes.reserve(cell.detections);
    const first = outcomes.count;
    for (let d = 0; d < cell.detections; d++) {
      outcomes.scores[first + d] = cell.scores[d]!;
      outcomes.image[first + d] = cell.image;
      outcomes.category[first + d] = cell.category;
      outcomes.rank[first + d] = d;
    }
    for (let a = 0; a < areaRanges.length; a++) {
      const { min, max } = areaRanges[a]!;
      const positives = this.#orderTruths(cell, min, max);
      outcomes.positives[cell.category * areaRanges.length + a]! += positives;
      for (let d = 0; d < cell.detections; d++) {
        const outside = cell.areas[d]! < min || cell.areas[d]! > max;
        const at = ((first + d) * areaRanges.length + a) * outcomes.words;
        this.#matchOne(cell, d, outside, outcomes, at);
      }
    }
    outcomes.count += cell.detections;
  }

  /** Puts the truths that count before the ignored ones. Gives how many count. */
  #orderTruths(cell: Cell, min: number, max: number): number {
    const order = this.#order;
    const ignored = this.#ignored;
    let positives = 0;
    for (let g = 0; g < cell.truths; g++) {
      ignored[g] = cell.truthIgnored[g]! || cell.truthAreas[g]! < min || cell.truthAreas[g]! > max;
      if (!ignored[g]) order[positives++] = g;
    }
    let next = positives;
    for (let g = 0; g < cell.truths; g++) if (ignored[g]) order[next++] = g;
    const words = Math.ceil(this.#thresholds.length / 32);
    if (this.#taken.length < cell.truths * words) this.#taken = new Uint32Array(2 * cell.truths * words);
    else this.#taken.fill(0, 0, cell.truths * words);
    return positives;
  }

  #matchOne(cell: Cell, d: number, outside: boolean, outcomes: Outcomes, at: number): void {
    const { similarity, truths } = cell;
    const row = d * truths;
    const candidates = this.#candidates;
    let found = 0;
    let most = 0;
    for (let i = 0; i < truths; i++) {
      const g = this.#order[i]!;
      const value = similarity[row + g]!;
      if (value < this.least) continue;
      candidates[found++] = g;
      if (value > most) most = value;
    }
    const none = outside ? 0xffffffff : 0;
    for (let w = 0; w < outcomes.words; w++) {
      if (found === 0) {
        outcomes.matched[at + w] = 0;
        outcomes.ignored[at + w] = none;
        continue;
      }
      let matched = 0;
      let ignored = 0;
      const end = Math.min(this.#thresholds.length, 32 * w + 32);
      for (let t = 32 * w; t < end; t++) {
        const g = most < this.#thresholds[t]! ? -1 : this.#best(cell, row, t, found, outcomes.words, w);
        const bit = 1 << (t & 31);
        if (g >= 0) {
          // An annotation with id 0 looks unmatched to COCO, though it was taken.
          if (!cell.truthUnseen[g]) matched |= bit;
          else if (outside) ignored |= bit;
          if (this.#ignored[g]) ignored |= bit;
          const slot = g * outcomes.words + w;
          if (cell.detectionIds[d]! > 0) this.#taken[slot]! |= bit;
          else this.#taken[slot]! &= ~bit;
        } else if (outside) {
          ignored |= bit;
        }
      }
      outcomes.matched[at + w] = matched;
      outcomes.ignored[at + w] = ignored;
    }
  }

  /** The truth that a detection takes at threshold t, or -1. Of equal ones the later. */
  #best(cell: Cell, row: number, t: number, found: number, words: number, w: number): number {
    let best = this.#thresholds[t]!;
    let match = -1;
    const bit = 1 << (t & 31);
    for (let i = 0; i < found; i++) {
      const g = this.#candidates[i]!;
      if ((this.#taken[g * words + w]! & bit) !== 0 && !cell.truthCrowd[g]) continue;
      if (match >= 0 && !this.#ignored[match] && this.#ignored[g]) break; // a real match is not given up for an ignored one
      const value = cell.similarity[row + g]!;
      if (value < best) continue;
      best = value;
      match = g;
    }
    return match;
  }
}
