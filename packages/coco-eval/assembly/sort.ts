// Sorts rows by falling score: a radix sort over the bits of the doubles, as `src/match/sort.ts` does it.

const DIGIT_BITS = 11;
const BUCKETS = 1 << DIGIT_BITS;
const starts = memory.data(BUCKETS * 4);

/**
 * Reorders the `n` rows (u32) at `order` by falling score, stably. `keys` holds the score of each row in that order and
 * is overwritten; `spare` has room for n numbers of 4 and n of 8 bytes.
 */
export function sortByFallingScore(order: usize, keys: usize, spare: usize, n: i32): void {
  const count = <usize>n;
  for (let i: usize = 0; i < count; i++) {
    const at = keys + (i << 3);
    const bits = reinterpret<u64>(load<f64>(at) + 0); // -0 becomes 0: they compare as equal
    // Bits that grow as the score falls.
    store<u64>(at, bits >> 63 != 0 ? bits : ~bits & 0x7fffffffffffffff);
  }
  let rows = order;
  let from = keys;
  let nextKeys = spare;
  let nextRows = spare + (count << 3);
  for (let shift: u64 = 0; shift < 64; shift += DIGIT_BITS) {
    memory.fill(starts, 0, BUCKETS * 4);
    for (let i: usize = 0; i < count; i++) {
      const at = starts + ((<usize>((load<u64>(from + (i << 3)) >> shift) & (BUCKETS - 1))) << 2);
      store<u32>(at, load<u32>(at) + 1);
    }
    if (n == 0 || load<u32>(starts + ((<usize>((load<u64>(from) >> shift) & (BUCKETS - 1))) << 2)) == <u32>n) continue;
    let sum: u32 = 0;
    for (let b: usize = 0; b < <usize>BUCKETS; b++) {
      const size = load<u32>(starts + (b << 2));
      store<u32>(starts + (b << 2), sum);
      sum += size;
    }
    for (let i: usize = 0; i < count; i++) {
      const key = load<u64>(from + (i << 3));
      const at = starts + ((<usize>((key >> shift) & (BUCKETS - 1))) << 2);
      const to = <usize>load<u32>(at);
      store<u32>(at, <u32>to + 1);
      store<u64>(nextKeys + (to << 3), key);
      store<u32>(nextRows + (to << 2), load<u32>(rows + (i << 2)));
    }
    let swap = from;
    from = nextKeys;
    nextKeys = swap;
    swap = rows;
    rows = nextRows;
    nextRows = swap;
  }
  if (rows != order) memory.copy(order, rows, count << 2);
}

/**
 * Writes the `n` rows (u32) at `order` to `sorted`, by the small whole number (u32) that `keys` has for each. Stable.
 * @param ends room for `buckets` numbers of 4 bytes; afterwards where each number's rows end in `sorted`
 */
export function sortByIndex(order: usize, n: i32, keys: usize, buckets: i32, ends: usize, sorted: usize): void {
  memory.fill(ends, 0, (<usize>buckets) << 2);
  const last = order + ((<usize>n) << 2);
  for (let at = order; at < last; at += 4) {
    const bucket = ends + ((<usize>load<u32>(keys + ((<usize>load<u32>(at)) << 2))) << 2);
    store<u32>(bucket, load<u32>(bucket) + 1);
  }
  let sum: u32 = 0;
  for (let b = 0; b < buckets; b++) {
    const bucket = ends + ((<usize>b) << 2);
    const size = load<u32>(bucket);
    store<u32>(bucket, sum);
    sum += size;
  }
  for (let at = order; at < last; at += 4) {
    const row = load<u32>(at);
    const bucket = ends + ((<usize>load<u32>(keys + ((<usize>row) << 2))) << 2);
    const to = load<u32>(bucket);
    store<u32>(bucket, to + 1);
    store<u32>(sorted + ((<usize>to) << 2), row);
  }
}

/** Writes the score (f64) of each of the `n` rows at `order` to `keys`. */
export function scoresInOrder(order: usize, n: i32, scores: usize, keys: usize): void {
  for (let i: usize = 0; i < <usize>n; i++) {
    store<f64>(keys + (i << 3), load<f64>(scores + ((<usize>load<u32>(order + (i << 2))) << 3)));
  }
}
