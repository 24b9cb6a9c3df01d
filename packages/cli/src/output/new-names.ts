import { basename, extname } from 'node:path';
import { plainName } from '@rcnn/files';

/**
 * Names for files that are written, made from names that were read: no two alike whatever their endings, each a plain
 * name that leads nowhere else, none too long for a file system.
 */
export class NewNames {
  readonly #taken = new Set<string>();

  /** `cat` for `photos/cat.jpg`, then `cat-2` for `others/cat.png`. */
  take(file: string): string {
    const stem = plainName(basename(file.replaceAll('\\', '/'), extname(file)) || 'image');
    let name = stem;
    for (let number = 2; this.#taken.has(folded(name)); number++) name = `${stem}-${number}`;
    this.#taken.add(folded(name));
    return name;
  }

  /** The same, of the names that `isFree` allows: those of files that may be written. */
  async takeFree(file: string, isFree: (name: string) => Promise<boolean>): Promise<string> {
    for (;;) {
      const name = this.take(file);
      if (await isFree(name)) return name;
    }
  }
}

/** Compared so: some file systems tell neither `A` from `a` nor two ways to write `Ä`. */
export function folded(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
