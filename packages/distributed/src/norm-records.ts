/** A norm that a rank goes through. */
export interface Passing {
  readonly kind: 'forward' | 'backward';
  /** Which of the norms of this batch, from 0, in the order of the forward pass. */
  readonly call: number;
  /** Pixels per channel. */
  readonly count: number;
  /** Two lists with a number for each channel. */
  readonly values: readonly [Float32Array, Float32Array];
}

/** What a rank is at when it meets others for their norms. */
export type NormPass = Passing | { readonly kind: 'idle' } | { readonly kind: 'failed' };

const KINDS = ['idle', 'forward', 'backward', 'failed'] as const;

/** Places of a record before its values: kind, call, channels, and the count in two parts, for float32 holds 24 bits. */
const HEAD = 5;
const LOW = 65536;

/**
 * What all ranks are at as one buffer, of which the mean over the ranks is taken: a record for each, of the same length
 * for every norm, so that a rank can meet others without knowing what they are at. Each leaves zeros in the records of
 * others, so the mean is what a rank wrote over the number of ranks.
 */
export class NormRecords {
  readonly #size: number;
  readonly #length: number;

  /** @param channels of the widest norm */
  constructor(size: number, channels: number) {
    this.#size = size;
    this.#length = HEAD + 2 * channels;
  }

  write(rank: number, pass: NormPass): Float32Array {
    const all = new Float32Array(this.#size * this.#length);
    const record = all.subarray(rank * this.#length, (rank + 1) * this.#length);
    record[0] = KINDS.indexOf(pass.kind);
    if (pass.kind === 'idle' || pass.kind === 'failed') return all;
    const { call, count, values } = pass;
    const [first, second] = values;
    record.set([call, first.length, count % LOW, Math.floor(count / LOW)], 1);
    record.set(first, HEAD);
    record.set(second, HEAD + first.length);
    return all;
  }

  /** What each rank wrote, by rank. */
  read(mean: Float32Array): NormPass[] {
    return Array.from({ length: this.#size }, (_, rank) => this.#record(mean.subarray(rank * this.#length)));
  }

  #record(mean: Float32Array): NormPass {
    const [kind, call, channels, low, high] = Array.from(mean.subarray(0, HEAD), (value) =>
      Math.round(value * this.#size),
    ) as [number, number, number, number, number];
    const name = KINDS[kind]!;
    if (name === 'idle' || name === 'failed') return { kind: name };
    const list = (at: number): Float32Array =>
      mean.subarray(HEAD + at * channels, HEAD + (at + 1) * channels).map((value) => value * this.#size);
    return { kind: name, call, count: low + LOW * high, values: [list(0), list(1)] };
  }
}
