import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it, one after the other: asked to make all at once, Node tries for ever where nothing
 * can be made, such as below `/proc`.
 * @throws the error of the operating system
 */
export function makeFolderSync(path: string): void {
  const missing: string[] = [];
  let nearest = resolve(path);
  while (!isFolder(nearest) && dirname(nearest) !== nearest) {
    missing.push(nearest);
    nearest = dirname(nearest);
  }
  for (const folder of missing.reverse()) makeOne(folder, path);
}

/** Another process may have made it meanwhile. Of a file in the way of `path` the system says what it is in the way of. */
function makeOne(folder: string, path: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!isFolder(folder)) mkdirSync(path);
  }
}

/** No for what cannot be looked at, too: to make it says why. */
function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}
