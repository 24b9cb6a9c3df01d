import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** Whether an image is at an address rather than in a file. */
export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
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
