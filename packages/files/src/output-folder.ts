import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { fileError } from './file-error.ts';
import { makeFolderSync } from './make-folder.ts';

/** Bytes that one name may have. File systems allow 255; numbers that tell names apart come on top. */
const LONGEST_NAME = 180;

/** Bytes that a path below the folder may have; with longer ones the folders in it are given up. */
const LONGEST_PATH = 900;

/** What no file system or terminal should meet in a name. Windows forbids a few characters more. */
const NEVER = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}\u200b\u2060\ufeff]/gu;
const NOT_ON_WINDOWS = /[<>:"|?*]/g;

/** Names that Windows gives to devices, with any ending. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;

/**
 * The folder that a dataset's copy, or pictures of it, are written into. Every path of a writer comes from here, so whatever
 * names the data hold (`..`, an absolute path, a device of Windows, two names that differ in case alone), files are made
 * inside the folder only, and each has a name of its own.
 */
export class OutputFolder {
  readonly root: string;
  /** Paths given out, folded as the least careful file system does, and the folders above them. */
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  /** Folders that were looked at. */
  readonly #made = new Set<string>();

  private constructor(root: string) {
    this.root = root;
  }

  /** Makes the folder where it is missing. @throws FILE_EXISTS when a file has its name */
  static async open(root: string): Promise<OutputFolder> {
    try {
      makeFolderSync(root);
    } catch (cause) {
      throw writeError(root, cause);
    }
    return new OutputFolder(root);
  }

  /**
   * The name under which a file of the data is written below `folder`: its own, as far as that is safe and free.
   * @param folder a path that was given out by {@link takeFolder}
   * @returns relative to `folder`, with `/`
   */
  take(folder: string, name: string): string {
    const parts = plainParts(name);
    const last = parts.pop() ?? 'file';
    let parent = parts.join('/');
    // A folder cannot have the name of a file that is there.
    for (let i = 1; i <= parts.length; i++) {
      const head = parts.slice(0, i).join('/');
      if (!this.#files.has(fold(`${folder}/${head}`))) continue;
      parts[i - 1] = this.#free(folder, parts.slice(0, i - 1).join('/'), parts[i - 1]!);
      parent = parts.join('/');
    }
    const free = this.#free(folder, parent, last);
    const path = parent === '' ? free : `${parent}/${free}`;
    this.#files.add(fold(`${folder}/${path}`));
    const above = `${folder}/${path}`.split('/');
    for (let i = 1; i < above.length; i++) this.#folders.add(fold(above.slice(0, i).join('/')));
    return path;
  }

  /**
   * The path of a new folder, for a split or a class.
   * @param above where it lies: a path that was given out; right below this folder unless said
   */
  takeFolder(name: string, above = ''): string {
    const plain = `${above === '' ? '' : `${above}/`}${plainParts(name).join('_') || 'data'}`;
    let free = plain;
    for (let number = 2; this.#files.has(fold(free)) || this.#folders.has(fold(free)); number++)
      free = `${plain}-${number}`;
    this.#folders.add(fold(free));
    return free;
  }

  /**
   * Where to write a path that was given out. Makes the folders above it; a link among them is refused, wherever it leads.
   * @throws PATH_REFUSED, FILE_EXISTS
   */
  async file(path: string): Promise<string> {
    const parts = path.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..'))
      throw new RcnnError('PATH_REFUSED', { where: quoteName(path), problem: 'the path leaves its folder' });
    let folder = this.root;
    for (const part of parts.slice(0, -1)) folder = await this.#makeFolder(folder, part);
    return join(folder, parts.at(-1)!);
  }

  async #makeFolder(above: string, name: string): Promise<string> {
    const folder = join(above, name);
    if (this.#made.has(folder)) return folder;
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw writeError(folder, error);
    });
    if (!(await lstat(folder)).isDirectory()) {
      throw new RcnnError('PATH_REFUSED', {
        where: quoteName(folder),
        problem: 'a link or a file stands where a folder should be',
        hint: 'Choose a new folder: nothing is written through links.',
      });
    }
    this.#made.add(folder);
    return folder;
  }

  /** `cat.jpg`, or `cat-2.jpg` where that is taken. */
  #free(folder: string, parent: string, name: string): string {
    const at = parent === '' ? folder : `${folder}/${parent}`;
    const ending = /(?<=.)\.[^.]{1,10}$/.exec(name)?.[0] ?? '';
    const stem = name.slice(0, name.length - ending.length);
    let free = name;
    for (let number = 2; ; number++) {
      const key = fold(`${at}/${free}`);
      if (!this.#files.has(key) && !this.#folders.has(key)) return free;
      free = `${stem}-${number}${ending}`;
    }
  }
}

/**
 * A name from outside as one name that every system takes and shows, and that leads nowhere else; at most 180 bytes.
 * What cannot stand in a name becomes `_`.
 */
export function plainName(name: string): string {
  const plain = plainPart(name.replace(/[/\\<>:"|?*]/g, '_')).replace(/^\.+/, '_');
  return plain === '' ? '_' : plain;
}

/** The error of a file that could not be written. */
export function writeError(path: string, cause: unknown): RcnnError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    return new RcnnError('FILE_EXISTS', {
      where: path,
      problem: 'the file exists already',
      hint: 'Choose a new folder: nothing is overwritten.',
      cause,
    });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RcnnError('DISK_FULL', { where: path, problem: 'there is no room to write this file', cause });
  return fileError(path, 'it cannot be written', cause);
}

/** A name from outside as the parts of a path that leads down and nowhere else. */
function plainParts(name: string): string[] {
  const parts = name
    .replace(/^[a-z]:(?=[/\\])/i, '')
    .split(/[/\\]+/)
    .filter((part) => part !== '' && part !== '.')
    .map(plainPart);
  if (Buffer.byteLength(parts.join('/')) <= LONGEST_PATH) return parts;
  return parts.slice(-1);
}

function plainPart(part: string): string {
  let text = part.replace(NEVER, '_');
  if (process.platform === 'win32') text = text.replace(NOT_ON_WINDOWS, '_');
  text = text.replace(/^\.\.+/, '_').replace(/[. ]+$/, '_');
  if (DEVICE.test(text)) text = `_${text}`;
  return cut(text);
}

/** At most {@link LONGEST_NAME} bytes; the ending stays. */
function cut(name: string): string {
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name;
  const ending = /\.[^.]{1,10}$/.exec(name)?.[0] ?? '';
  const room = LONGEST_NAME - Buffer.byteLength(ending);
  let [stem, bytes] = ['', 0];
  for (const character of name.slice(0, name.length - ending.length)) {
    bytes += Buffer.byteLength(character);
    if (bytes > room) break;
    stem += character;
  }
  return stem + ending;
}

function fold(path: string): string {
  return path.normalize('NFC').toLowerCase();
}
