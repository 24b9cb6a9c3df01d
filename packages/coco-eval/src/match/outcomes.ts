import type { ResolvedParams } from '../params.ts';

/**
 * What is left of a detection once its image is matched: its score, and per area range one bit per IoU threshold for
 * "matched" and one for "ignored". Everything else about the detection can be forgotten.
 */
export class Outcomes {
  readonly areas: number;
  readonly words: number;
  readonly categories: number;
  count = 0;
  scores: Float64Array;
  image: Int32Array;
  category: Int32Array;
  /** Place by score among the detections of its cell, from 0. */
  rank: Int32Array;
  /** `[count * areas * words]`: bit t % 32 of word t / 32 belongs to threshold t. */
  matched: Uint32Array;
  ignored: Uint32Array;
  /** `[categories * areas]`: ground truth that counts. */
  readonly positives: Uint32Array;
  /** `[categories]`: 1 where there was any ground truth or detection. */
  readonly seen: Uint8Array;

  constructor(params: ResolvedParams, categories: number, capacity = 1024) {
    this.areas = params.areaRanges.length;
    this.words = Math.ceil(params.iouThresholds.length / 32);
    this.categories = categories;
    const bits = capacity * this.areas * this.words;
    this.scores = new Float64Array(capacity);
    this.image = new Int32Array(capacity);
    this.category = new Int32Array(capacity);
    this.rank = new Int32Array(capacity);
    this.matched = new Uint32Array(bits);
    this.ignored = new Uint32Array(bits);
    this.positives = new Uint32Array(categories * this.areas);
    this.seen = new Uint8Array(categories);
  }

  /** Makes room for `more` detections. */
  reserve(more: number): void {
    const needed = this.count + more;
    if (needed <= this.scores.length) return;
    const capacity = Math.max(needed, 2 * this.scores.length);
    this.scores = grown(this.scores, new Float64Array(capacity));
    this.image = grown(this.image, new Int32Array(capacity));
    this.category = grown(this.category, new Int32Array(capacity));
    this.rank = grown(this.rank, new Int32Array(capacity));
    this.matched = grown(this.matched, new Uint32Array(capacity * this.areas * this.words));
    this.ignored = grown(this.ignored, new Uint32Array(capacity * this.areas * this.words));
  }

  /** Adds the outcomes of other images; the order of images does not matter. */
  append(other: OutcomeColumns): void {
    this.reserve(other.count);
    const bits = this.areas * this.words;
    this.scores.set(other.scores.subarray(0, other.count), this.count);
    this.image.set(other.image.subarray(0, other.count), this.count);
    this.category.set(other.category.subarray(0, other.count), this.count);
    this.rank.set(other.rank.subarray(0, other.count), this.count);
    this.matched.set(other.matched.subarray(0, other.count * bits), this.count * bits);
    this.ignored.set(other.ignored.subarray(0, other.count * bits), this.count * bits);
    other.positives.forEach((n, i) => {
      this.positives[i]! += n;
    });
    other.seen.forEach((n, i) => {
      this.seen[i]! |= n;
    });
    this.count += other.count;
  }
}

/** {@link Outcomes} as another thread sends them: without the methods. */
export type OutcomeColumns = Omit<Outcomes, 'reserve' | 'append'>;

function grown<T extends Float64Array | Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
