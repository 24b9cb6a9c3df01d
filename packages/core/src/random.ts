import { RcnnError } from './errors.ts';

/** The whole state of a {@link Random}: four 32-bit words and, maybe, the second normal of a pair. JSON-safe. */
export interface RandomState {
  readonly words: readonly [number, number, number, number];
  readonly spareNormal: number | null;
}

/** Whatever names a stream of random numbers: `['augment', epoch, index]`. */
export type RandomKey = number | string;

/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna 2018), seeded through splitmix32. The same seed gives the
 * same numbers on every machine. `fork` makes independent streams by name, so that the order in which parts of a
 * program draw does not matter.
 */
export class Random {
  readonly #words = new Uint32Array(4);
  #spareNormal: number | null = null;

  constructor(seed: number | RandomState = 0) {
    if (typeof seed === 'number') this.#seed(seed);
    else this.state = seed;
  }

  get state(): RandomState {
    const [a, b, c, d] = this.#words as unknown as [number, number, number, number];
    return { words: [a, b, c, d], spareNormal: this.#spareNormal };
  }

  set state(state: RandomState) {
    this.#words.set(state.words);
    this.#spareNormal = state.spareNormal;
  }

  /** A stream of its own, fixed by this generator's current state and the keys. Draws nothing from this one. */
  fork(...keys: readonly RandomKey[]): Random {
    let hash = 0x811c9dc5; // FNV-1a, 32 bits, over the state and the keys
    const mix = (word: number): void => {
      for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((word >>> shift) & 0xff), 0x01000193);
    };
    for (const word of this.#words) mix(word);
    for (const key of keys) {
      const text = `${typeof key}:${key};`;
      for (let i = 0; i < text.length; i++) mix(text.charCodeAt(i));
    }
    return new Random(hash >>> 0);
  }

  /** An integer in [0, 2^32). */
  bits(): number {
    const s = this.#words as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  /** A double in [low, high), from 53 random bits. Default [0, 1). */
  uniform(low = 0, high = 1): number {
    const unit = ((this.bits() >>> 5) * 67108864 + (this.bits() >>> 6)) / 9007199254740992;
    return low + (high - low) * unit;
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.uniform() < p;
  }

  /** An integer in [0, count), without bias. */
  integer(count: number): number {
    if (!Number.isInteger(count) || count < 1 || count > 2 ** 32) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'Random.integer',
        problem: 'the count must be a whole number from 1 to 2^32',
        found: String(count),
      });
    }
    const limit = 2 ** 32 - (2 ** 32 % count);
    for (;;) {
      const bits = this.bits();
      if (bits < limit) return bits % count;
    }
  }

  /** A standard normal (Box and Muller 1958). */
  normal(mean = 0, deviation = 1): number {
    if (this.#spareNormal !== null) {
      const spare = this.#spareNormal;
      this.#spareNormal = null;
      return mean + deviation * spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return mean + deviation * radius * Math.cos(angle);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)]!;
  }

  /** Shuffles in place (Fisher and Yates) and hands back the same array. */
  shuffle<T extends { [index: number]: number; readonly length: number } | unknown[]>(items: T): T {
    const list = items as unknown[];
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return items;
  }

  #seed(seed: number): void {
    if (!Number.isFinite(seed)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'Random',
        problem: 'the seed must be finite',
        found: String(seed),
      });
    }
    // Seeds beyond 32 bits keep their high part too.
    let x = (Math.trunc(seed) ^ Math.trunc(seed / 2 ** 32)) >>> 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#words[i] = z ^ (z >>> 15);
    }
  }
}

function rotateLeft(word: number, by: number): number {
  return ((word << by) | (word >>> (32 - by))) >>> 0;
}
