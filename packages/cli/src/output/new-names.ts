import { basename, extname } from 'node:path';

/** Bytes that a file name may have; file systems allow 255, and endings and numbers come on top. */
const LONGEST = 180;

/**
 * Names for files that are written, made from names that were read: no two alike, each a plain name that leads nowhere
 * else, none too long for a file system.
 */
export class NewNames {
  readonly #taken = new Set<string>();

  /** `cat` for `photos/cat.jpg`, then `cat-2` for `others/cat.png`. */
  take(file: string): string {
    const stem = plainName(basename(file.replaceAll('\\', '/'), extname(file)));
    let name = stem;
    // Compared without case: some file systems do not tell `A` from `a`.
    for (let number = 2; this.#taken.has(name.toLowerCase()); number++) name = `${stem}-${number}`;
    this.#taken.add(name.toLowerCase());
    return name;
  }
}

/** What every file system takes as a name; it leads nowhere else. */
export function plainName(name: string): string {
  let text = name
    .replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}/\\<>:"|?*]/gu, '_')
    .replace(/^\.+/, '_')
    .replace(/[. ]+$/, '');
  while (Buffer.byteLength(text) > LONGEST) text = Array.from(text).slice(0, -1).join('');
  return text === '' ? 'image' : text;
}
