import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Rounds at most. */
const ROUNDS = 4;

/**
 * By how much the memory of this process grows while something is done, in bytes. A busy machine frees garbage late, which
 * can only add to it: while the answer is above `bound` it is done again, and the least counts. What really takes that
 * much takes it every time, since its memory is given back in between.
 */
export async function memoryTaken<T>(
  body: () => T | Promise<T>,
  bound: number,
): Promise<{ readonly taken: number; readonly result: T }> {
  let taken = Infinity;
  for (let round = 1; ; round++) {
    collectGarbage();
    const before = process.memoryUsage.rss();
    const result = await body();
    taken = Math.min(taken, process.memoryUsage.rss() - before);
    if (taken <= bound || round === ROUNDS) return { taken, result };
  }
}

/** What is held now, in bytes, once nothing is left to free: values, and memory outside of the heap. */
export function heldMemory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
