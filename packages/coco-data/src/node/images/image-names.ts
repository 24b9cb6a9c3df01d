import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PHOTOGRAPH, photographs } from '@rcnn/files';
import { pathProblem } from '../../images/image-path.ts';

/** Folders that pictures are in when they are not where the names say or beside their annotations, as exports call them. */
export const IMAGE_FOLDERS: readonly string[] = ['images', 'JPEGImages', 'img', 'imgs', 'data'];

/**
 * Finds the files below a folder of images that annotations mean. Tools write names as their own machine has them: with
 * backslashes, with the path of an upload folder in front, as an address, percent-encoded, in another case or another
 * form of Unicode, with the ending that the picture had before it was converted. A name that is a file as it stands stays.
 */
export class ImageNames {
  readonly #root: string;
  readonly #folders: readonly string[];
  readonly #listings = new Map<string, Promise<Listing>>();

  /** @param folders names of folders below the root that are looked into as well, after those in common use */
  constructor(root: string, folders: readonly string[] = []) {
    this.#root = root;
    this.#folders = ['', ...IMAGE_FOLDERS, ...folders];
  }

  /** The file, with slashes, or undefined where nothing, or not one thing alone, can be meant. */
  async find(written: string): Promise<string | undefined> {
    const isPlain = pathProblem(written) === undefined && !/(?:^|\/)\.?\//.test(written);
    if (isPlain && (await this.#isThere(written))) return written;
    // The longest end first: a shorter one may be that of another folder's picture.
    for (const ends of endsOf(written)) {
      for (const match of [same, alike, ofOneStem, withoutHash]) {
        for (const steps of ends) {
          for (const folder of this.#folders) {
            const found = await this.#walk(folder, steps, match);
            if (found !== undefined) return found;
          }
        }
      }
    }
    return undefined;
  }

  /** Whether one of the names leads to a file. */
  async findAny(names: readonly string[]): Promise<boolean> {
    for (const name of names) if ((await this.find(name)) !== undefined) return true;
    return false;
  }

  /** The picture that has this name and an ending, where there is one alone. */
  async findPicture(stem: string): Promise<string | undefined> {
    for (const folder of this.#folders) {
      const found = await this.#walk(folder, [stem], ofOneStem);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * The files of those names that are not the file's own. Where names that differ lead to one file, it is that of the name
   * that stands for it as it is; the others may mean any file.
   */
  async findAll(written: Iterable<string>): Promise<ReadonlyMap<string, string>> {
    const all = new Set(written);
    const found = new Map<string, string>();
    const claims = new Map<string, Set<string>>();
    for (const name of all) {
      const file = await this.find(name);
      if (file === undefined || file === name) continue;
      found.set(name, file);
      claims.set(file, (claims.get(file) ?? new Set(all.has(file) ? [file] : [])).add(plain(name)));
    }
    for (const [name, file] of found) if (claims.get(file)!.size > 1 && plain(name) !== file) found.delete(name);
    return found;
  }

  async #isThere(name: string): Promise<boolean> {
    const steps = name.split('/');
    const listing = await this.#listing(steps.slice(0, -1).join('/'));
    return listing.names.has(steps.at(-1)!);
  }

  async #walk(folder: string, steps: readonly string[], match: Match): Promise<string | undefined> {
    const path = folder === '' ? [] : [folder];
    for (const [i, step] of steps.entries()) {
      const name = match(await this.#listing(path.join('/')), step, i === steps.length - 1);
      if (name === undefined) return undefined;
      path.push(name);
    }
    return path.join('/');
  }

  #listing(folder: string): Promise<Listing> {
    const known = this.#listings.get(folder);
    if (known !== undefined) return known;
    const listing = readdir(join(this.#root, folder)).then(
      (names) => new Listing(names),
      () => new Listing([]),
    );
    this.#listings.set(folder, listing);
    return listing;
  }
}

/** What is in a folder, by name and by what names have in common. */
class Listing {
  readonly names: ReadonlySet<string>;
  #byKey: ReadonlyMap<string, string | undefined> | undefined;
  #byStem: ReadonlyMap<string, string | undefined> | undefined;

  constructor(names: readonly string[]) {
    this.names = new Set(names);
  }

  /** Names by a key; undefined where several have it. Made when a name is first looked for in vain. */
  get byKey(): ReadonlyMap<string, string | undefined> {
    this.#byKey ??= unique(this.names, keyOf);
    return this.#byKey;
  }

  get byStem(): ReadonlyMap<string, string | undefined> {
    this.#byStem ??= unique(photographs([...this.names]), stemOf);
    return this.#byStem;
  }
}

type Match = (listing: Listing, step: string, isLast: boolean) => string | undefined;

const same: Match = ({ names }, step) => (names.has(step) ? step : undefined);
const alike: Match = (listing, step) => same(listing, step, false) ?? listing.byKey.get(keyOf(step));
const ofOneStem: Match = (listing, step, isLast) =>
  isLast ? listing.byStem.get(stemOf(step)) : alike(listing, step, false);

/** Label Studio writes eight digits of its own before the names of uploaded files; people have their files without. */
const withoutHash: Match = (listing, step, isLast) => {
  if (!isLast) return alike(listing, step, false);
  const name = step.replace(/^[0-9a-f]{8}-/, '');
  return name === step ? undefined : alike(listing, name, true);
};

/** File systems of Windows and macOS do not tell cases apart, and that of macOS writes letters and accents apart. */
function keyOf(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** A name may have the ending of another kind of picture than the file, or none. */
function stemOf(name: string): string {
  return keyOf(name.replace(PHOTOGRAPH, ''));
}

function unique(names: Iterable<string>, key: (name: string) => string): ReadonlyMap<string, string | undefined> {
  const map = new Map<string, string | undefined>();
  for (const name of names) map.set(key(name), map.has(key(name)) ? undefined : name);
  return map;
}

/**
 * The last steps of a path, from all of them to the name alone: of each number of steps as written, decoded as an address
 * is, and without blanks around.
 */
function endsOf(written: string): readonly (readonly (readonly string[])[])[] {
  const forms = [...new Set([written, decoded(written), written.trim()])].map(stepsOf);
  const most = Math.max(...forms.map(({ length }) => length));
  return Array.from({ length: most }, (_, left) =>
    forms.filter(({ length }) => length >= most - left).map((steps) => steps.slice(steps.length - (most - left))),
  );
}

/** Label Studio gives files of its own disk as `/data/local-files/?d=folder/file`. */
function stepsOf(path: string): readonly string[] {
  return path.split(/[/\\]+|\?d=/).filter((step) => step !== '' && step !== '.' && step !== '..');
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replace(/^([a-z]+:\/\/[^?]*)\?(?!d=).*$/i, '$1'));
  } catch {
    return name; // a percent sign of its own
  }
}

/** The same path without what says nothing. */
function plain(name: string): string {
  return stepsOf(name).join('/');
}
