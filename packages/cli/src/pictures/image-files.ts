import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, join, sep } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import { fileError, PHOTOGRAPH, photographs } from '@rcnn/files';
import { onceEach } from './once-each.ts';

/**
 * The image files that arguments name, in order and each once: files as they are, the images of a folder, and patterns
 * (`photos/*.jpg`, `**` for folders of any depth, `{a,b}`) for shells that leave them alone.
 * @param others what counts in folders and patterns beside images
 * @throws FILE_MISSING, FILE_REFUSED (a pipe or device), IO_FAILED
 */
export async function imageFiles(where: string, inputs: readonly string[], others?: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const input of inputs) found.push(...(await expand(where, input, others)));
  return onceEach(found, (file) => file);
}

async function expand(where: string, input: string, others: RegExp | undefined): Promise<string[]> {
  const stats = statsOf(input);
  if (stats?.isFile()) return [input];
  if (stats !== undefined && !stats.isDirectory()) throw notAFile(where, input);
  const found = stats === undefined ? await matches(input, others) : imagesIn(input, others);
  if (found.length > 0) return found;
  throw new RcnnError('FILE_MISSING', {
    where,
    place: input,
    problem: stats ? 'the folder holds no image' : 'there is no such image, folder or match',
    ...(stats && { hint: `Images in folders within it are named by a pattern, such as '${join(input, '**/*.jpg')}'.` }),
    ...(!stats &&
      /^[a-z][a-z0-9+.-]+:\/\//i.test(input) && { hint: 'Of addresses, those with http and https are read.' }),
  });
}

/**
 * The images directly in a folder, by name. What is called like one and is none (a pipe, a device, a folder) is among
 * them: reading refuses it by name, and to leave it out here would be silent.
 */
export function imagesIn(folder: string, others?: RegExp): string[] {
  try {
    const names = readdirSync(folder);
    const found = [...photographs(names), ...names.filter((name) => others?.test(name))];
    return found.sort().map((name) => join(folder, name));
  } catch (error) {
    throw fileError(folder, 'the folder cannot be read', error);
  }
}

/** What is at a path; undefined when nothing is. @throws IO_FAILED */
export function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A pattern is no path: too long for one, or below a file.
    if (code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw fileError(path, 'cannot be looked at', error);
  }
}

function notAFile(where: string, place: string): RcnnError {
  return new RcnnError('FILE_REFUSED', {
    where,
    place,
    problem: 'this is neither a file nor a folder',
    hint: 'A pipe or device may never end. To read an image from a pipe, write - for its name.',
  });
}

async function matches(pattern: string, others: RegExp | undefined): Promise<string[]> {
  const { globSync, isDynamicPattern } = await import('tinyglobby');
  const plain = sep === '\\' ? pattern.replaceAll('\\', '/') : pattern;
  if (!isDynamicPattern(plain)) return [];
  return globSync(plain, {
    expandDirectories: false,
    absolute: isAbsolute(plain),
    fs: { readdirSync: readdirTelling as typeof readdirSync },
  })
    .filter((name) => PHOTOGRAPH.test(name) || others?.test(name))
    .sort();
}

/**
 * A listing in which what is neither a file nor a folder (a pipe, a link to nothing) passes for a file: it is told when it
 * is read, as in a folder.
 */
function readdirTelling(folder: string, options: { withFileTypes: true }): Dirent[] {
  return readdirSync(folder, options).map((entry) => {
    const isPlain = entry.isFile() || entry.isDirectory();
    if (isPlain || !isOdd(join(folder, entry.name))) return entry;
    return Object.create(entry, { isFile: { value: () => true }, isSymbolicLink: { value: () => false } }) as Dirent;
  });
}

function isOdd(path: string): boolean {
  try {
    const stats = statSync(path);
    return !stats.isFile() && !stats.isDirectory();
  } catch {
    return true;
  }
}
