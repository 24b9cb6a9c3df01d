const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The float's bits as an unsigned number that sorts as the float does; NaN sorts last, below -infinity. */
function sortKey(score: number): number {
  if (Number.isNaN(score)) return 0;
  float[0] = score + 0; // -0 becomes 0
  const word = bits[0]!;
  return (word & 0x80000000 ? ~word : word | 0x80000000) >>> 0;
}

/**
 * Indices of the `k` highest scores, best first; equal scores in input order. All of them when there are fewer.
 * Only what is kept is sorted: the k-th key is found by counting its digits, so that 1000 of 200,000 cost two passes.
 */
export function topK(scores: ArrayLike<number>, k: number): Int32Array {
  const n = scores.length;
  const wanted = Math.min(Math.max(0, Math.floor(k)), n);
  const keys = new Uint32Array(n);
  for (let i = 0; i < n; i++) keys[i] = sortKey(scores[i]!);
  const { threshold, ties } = wanted < n ? cut(keys, wanted) : { threshold: 0, ties: n };

  const chosen = new Int32Array(wanted);
  let size = 0;
  let tiesLeft = ties;
  for (let i = 0; i < n && size < wanted; i++) {
    const key = keys[i]!;
    if (key > threshold || (key === threshold && tiesLeft-- > 0)) chosen[size++] = i;
  }
  return chosen.sort((a, b) => keys[b]! - keys[a]! || a - b);
}

/** The `wanted`-th largest key, and how many keys equal to it are among the `wanted`. Two counts of 16 bits each. */
function cut(keys: Uint32Array, wanted: number): { threshold: number; ties: number } {
  const counts = new Uint32Array(0x10000);
  let left = wanted;
  const digit = (): number => {
    let d = 0xffff;
    while (d > 0 && counts[d]! < left) left -= counts[d--]!;
    return d;
  };
  for (const key of keys) counts[key >>> 16]!++;
  const high = digit();
  counts.fill(0);
  for (const key of keys) if (key >>> 16 === high) counts[key & 0xffff]!++;
  const low = digit();
  return { threshold: high * 0x10000 + low, ties: left };
}
