import { placeFinder } from '../output/places.ts';

/**
 * Each file once, under the first of its names: `a.png` and `./a.png` are one, and so are two ways to a folder that links
 * open. A link to a file has a name of its own and stays.
 */
export function onceEach<T>(items: readonly T[], fileOf: (item: T) => string): T[] {
  const placeOf = placeFinder();
  const first = new Map<string, T>();
  for (const item of items) {
    const place = placeOf(fileOf(item));
    if (!first.has(place)) first.set(place, item);
  }
  return [...first.values()];
}
