import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** Whether an image is at an address rather than in a file. */
export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

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

/** One place for each file, however its folder is written and whatever links lead there; a folder is looked at once. */
export function placeFinder(): (file: string) => string {
  const folders = new Map<string, string>();
  return (file) => {
    if (isAddress(file)) return file;
    const folder = dirname(file);
    const known = folders.get(folder) ?? realFolder(folder);
    folders.set(folder, known);
    return join(known, basename(file));
  };
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return resolve(folder); // what is wrong with it is told when it is read
  }
}
