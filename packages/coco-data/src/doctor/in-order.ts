import { Problems } from './problems.ts';

const AT_ONCE = 4; // images on their way at a time

/**
 * Looks at every item, a few at a time, and hands on what is found in the order of the items, in whatever order the looks
 * are done.
 */
export async function lookAtEach<T>(
  items: readonly T[],
  problems: Problems,
  look: (item: T, own: Problems) => Promise<void>,
): Promise<void> {
  const waiting = new Map<number, Problems>();
  let [next, told] = [0, 0];
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      const own = new Problems(Number.POSITIVE_INFINITY);
      await look(items[index]!, own);
      waiting.set(index, own);
      for (let ready; (ready = waiting.get(told)); told++) {
        problems.addAll(ready);
        waiting.delete(told);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
