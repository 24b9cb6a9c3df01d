import { lstat } from 'node:fs/promises';
import { extname } from 'node:path';
import { folded } from './new-names.ts';
import { placeFinder } from './places.ts';

/** Tells whether a file that is there was written by an earlier run, and may be replaced by what this one makes. */
export type IsOurs = (file: string) => Promise<boolean>;

/**
 * The files that one run writes into a folder that may hold other people's: a file that is there is replaced only when an
 * earlier run wrote it, and never when this run reads it or wrote it itself. So a run that is repeated renews its files,
 * and nothing else is lost.
 */
export class OwnFiles {
  readonly #placeOf = placeFinder();
  readonly #inputs: ReadonlySet<string>;
  readonly #given = new Set<string>();

  /** @param inputs files that this run reads */
  constructor(inputs: readonly string[]) {
    this.#inputs = new Set(inputs.map(this.#placeOf));
  }

  /** Takes a file for this run. @returns whether it may be written */
  async take(file: string, isOurs: IsOurs): Promise<boolean> {
    const place = this.#placeOf(file);
    const key = folded(place);
    if (this.#given.has(key) || this.#inputs.has(place) || !(await isFreeOr(file, isOurs))) return false;
    this.#given.add(key);
    return true;
  }

  /** Takes `cat.png`, or the first of `cat-2.png`, `cat-3.png` and so on that may be written. */
  async takeFree(file: string, isOurs: IsOurs): Promise<string> {
    const ending = extname(file);
    const stem = file.slice(0, file.length - ending.length);
    let free = file;
    for (let number = 2; !(await this.take(free, isOurs)); number++) free = `${stem}-${number}${ending}`;
    return free;
  }
}

async function isFreeOr(file: string, isOurs: IsOurs): Promise<boolean> {
  const stats = await lstat(file).catch(() => undefined); // a path that cannot be looked at: writing says why
  // A link or a folder is never of this program's making.
  return stats === undefined || (stats.isFile() && isOurs(file));
}
