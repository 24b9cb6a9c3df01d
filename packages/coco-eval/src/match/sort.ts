import { Kernel } from '../kernel.ts';

/** Rows `0 … count - 1`. */
export function identity(count: number): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return order;
}

/** Reorders `order` by the small whole number that `keys` gives each row. Stable. */
export function sortByIndex(order: Uint32Array, keys: ArrayLike<number>, buckets: number): Uint32Array {
  // A few rows among very many keys: the table of counts would cost more than comparing them.
  if (32 * order.length < buckets) return order.slice().sort((a, b) => keys[a]! - keys[b]!);
  const starts = new Uint32Array(buckets + 1);
  for (let i = 0; i < order.length; i++) starts[keys[order[i]!]! + 1]!++;
  for (let b = 0; b < buckets; b++) starts[b + 1]! += starts[b]!;
  const sorted = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) sorted[starts[keys[order[i]!]!]!++] = order[i]!;
  return sorted;
}

const DIGIT_BITS = 11;
const BUCKETS = 1 << DIGIT_BITS;

/** Fewer rows are sorted before a kernel is made. */
const FEW = 256;

/** Reorders `order` by falling score. Stable: equal scores keep their order. */
export function sortByFallingScore(order: Uint32Array, scores: Float64Array): Uint32Array {
  const kernel = order.length < FEW ? undefined : Kernel.make();
  return kernel === undefined ? sortInJs(order, scores) : sortNatively(kernel, order, scores);
}

function sortNatively(kernel: Kernel, order: Uint32Array, scores: Float64Array): Uint32Array {
  const n = order.length;
  const rows = kernel.copy(order);
  const keys = kernel.room(8 * n);
  const spare = kernel.room(12 * n);
  const own = kernel.doubles(keys, n);
  for (let i = 0; i < n; i++) own[i] = scores[order[i]!]!;
  kernel.run.sortByFallingScore(rows, keys, spare, n);
  return kernel.words(rows, n).slice();
}

/**
 * A radix sort over the bits of the doubles, which needs no comparisons; digits in which all scores agree are passed
 * over.
 */
export function sortInJs(order: Uint32Array, scores: Float64Array): Uint32Array {
  const n = order.length;
  const bits = new Uint32Array(new Float64Array(1).buffer);
  const value = new Float64Array(bits.buffer);
  let low: Uint32Array<ArrayBufferLike> = new Uint32Array(n);
  let high: Uint32Array<ArrayBufferLike> = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    value[0] = scores[order[i]!]! + 0; // -0 becomes 0: they compare as equal
    // Bits that grow as the score falls.
    const negative = bits[1]! >>> 31;
    low[i] = negative ? bits[0]! : ~bits[0]!;
    high[i] = negative ? bits[1]! : ~bits[1]! & 0x7fffffff;
  }
  let rows = order.slice();
  let rowsNext = new Uint32Array(n);
  let lowNext: Uint32Array<ArrayBufferLike> = new Uint32Array(n);
  let highNext: Uint32Array<ArrayBufferLike> = new Uint32Array(n);
  const starts = new Uint32Array(BUCKETS);
  for (let digit = 0; digit < 6; digit++) {
    const source = digit < 3 ? low : high;
    const shift = (digit % 3) * DIGIT_BITS;
    starts.fill(0);
    for (let i = 0; i < n; i++) starts[(source[i]! >>> shift) & (BUCKETS - 1)]!++;
    if (n === 0 || starts[(source[0]! >>> shift) & (BUCKETS - 1)] === n) continue;
    for (let b = 0, sum = 0; b < BUCKETS; b++) {
      const size = starts[b]!;
      starts[b] = sum;
      sum += size;
    }
    for (let i = 0; i < n; i++) {
      const to = starts[(source[i]! >>> shift) & (BUCKETS - 1)]!++;
      rowsNext[to] = rows[i]!;
      lowNext[to] = low[i]!;
      highNext[to] = high[i]!;
    }
    [rows, rowsNext] = [rowsNext, rows];
    [low, lowNext] = [lowNext, low];
    [high, highNext] = [highNext, high];
  }
  return rows;
}
