import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { isRcnnError, quoteName } from '@rcnn/core/errors';
import type { Problem, Problems } from '../../doctor/problems.ts';
import { readHead, readText } from '../files/text.ts';
import { readImageHeader } from '../images/decode.ts';
import { fileProblem } from './file-problem.ts';
import { namesBelow, namesIn } from './folders.ts';

/** Files with the names of the classes. */
export const NAMES: RegExp = /^(?:classes\.txt|[\w-]+\.names|_darknet\.labels)$/i;

/**
 * The text of a picture's labels; a picture without a label file has no objects. A folder far above that happens to be
 * called `images` says nothing: where it leads to no labels, those beside the picture are taken.
 */
export async function labelsOf(picture: string): Promise<string | undefined> {
  for (const label of labelFiles(picture)) {
    try {
      return await readText(label);
    } catch (error) {
      if (!isRcnnError(error, 'FILE_MISSING')) throw error;
    }
  }
  return undefined;
}

/** Where the labels of a picture are looked for. */
function labelFiles(picture: string): readonly string[] {
  return [labelFile(picture), `${stemOf(picture)}.txt`];
}

/** `images` becomes `labels` in the last place where it stands, as YOLO does it; else the label is beside the picture. */
export function labelFile(image: string): string {
  const steps = image.split(/[/\\]/);
  const at = steps.lastIndexOf('images');
  if (at >= 0) steps[at] = 'labels';
  return `${stemOf(steps.join('/'))}.txt`;
}

function stemOf(name: string): string {
  return name.slice(0, name.length - extname(name).length);
}

/** Whether labels lie where those of a folder of pictures are looked for. */
export async function hasTexts(folder: string): Promise<boolean> {
  const names = await Promise.all([folderOfLabels(folder), folder].map(namesBelow));
  return names.flat().some((name) => /\.txt$/i.test(name) && !NAMES.test(basename(name)));
}

function folderOfLabels(root: string): string {
  return dirname(labelFile(join(root, 'x.png')));
}

/** Labels whose picture is gone would be missing in silence: the reader goes by the pictures. */
export async function reportLabelsAlone(
  root: string,
  pictures: readonly string[],
  source: string,
  problems: Problems,
): Promise<void> {
  const lookedFor = new LookedFor(root, pictures);
  const alone = [...(await lookedFor.without(await textsApart(root)))];
  for (const label of await lookedFor.without(await textsBeside(root, pictures)))
    if (await isLabel(label.path)) alone.push(label);
  for (const label of alone)
    problems.add({ source, place: label.name, ...(await whyUnread(root, label.name, lookedFor.alike(label))) });
}

/** A file of text by its path, and below the folder of labels or pictures that it lies in. */
interface TextFile {
  readonly name: string;
  readonly path: string;
}

/** What lies in the folder of labels, where that is not the folder of pictures. */
async function textsApart(root: string): Promise<readonly TextFile[]> {
  const folder = folderOfLabels(root);
  if (resolve(folder) === resolve(root)) return [];
  const names = (await namesBelow(folder)).filter((name) => name.endsWith('.txt') && !NAMES.test(basename(name)));
  return names.map((name) => ({ name, path: resolve(folder, name) }));
}

/** Texts beside the pictures, whatever is in them. */
async function textsBeside(root: string, pictures: readonly string[]): Promise<readonly TextFile[]> {
  const folders = [...new Set([root, ...pictures.map((file) => dirname(join(root, file)))])];
  const texts = folders.map(async (folder) => {
    const names = (await namesIn(folder)).filter((name) => /\.txt$/i.test(name) && !NAMES.test(name));
    return names.map((name) => ({
      name: relative(root, join(folder, name)).replaceAll(sep, '/'),
      path: resolve(folder, name),
    }));
  });
  return (await Promise.all(texts)).flat();
}

/** Whether the first line is an object: people keep words and lists beside pictures too. */
async function isLabel(path: string): Promise<boolean> {
  const line = (await readHead(path, 2 ** 12).catch(() => '')).trimStart().split(/\r?\n/)[0]!;
  const [index, ...places] = line.split(/\s+/).slice(0, 5).map(Number);
  return Number.isSafeInteger(index) && index! >= 0 && places.length === 4 && places.every(Number.isFinite);
}

/** The files of labels that pictures have or would have. */
class LookedFor {
  readonly #paths = new Set<string>();
  /** A path and its picture by the path in small letters. */
  readonly #alike = new Map<string, { readonly path: string; readonly picture: string }>();

  constructor(root: string, pictures: readonly string[]) {
    for (const picture of pictures) {
      for (const path of labelFiles(join(root, picture)).map((label) => resolve(label))) {
        this.#paths.add(path);
        this.#alike.set(path.toLowerCase(), { path, picture });
      }
    }
  }

  /** Those that no picture has. */
  async without(texts: readonly TextFile[]): Promise<readonly TextFile[]> {
    const alone: TextFile[] = [];
    for (const text of texts) if (!this.#paths.has(text.path) && !(await this.#isRead(text))) alone.push(text);
    return alone;
  }

  /** The picture that is called like a text but for capital and small letters. */
  alike({ path }: TextFile): string | undefined {
    return this.#alike.get(path.toLowerCase())?.picture;
  }

  /** Where the disk does not tell capital and small letters apart, a path that differs in them is the same file. */
  async #isRead({ path }: TextFile): Promise<boolean> {
    const alike = this.#alike.get(path.toLowerCase());
    if (alike === undefined) return false;
    const [own, other] = await Promise.all([path, alike.path].map((one) => stat(one).catch(() => undefined)));
    return own !== undefined && other !== undefined && own.ino === other.ino && own.dev === other.dev;
  }
}

/** Why labels have no picture: there is none, one is called almost like them, or it is a file that is not read. */
async function whyUnread(
  root: string,
  label: string,
  alike: string | undefined,
): Promise<Pick<Problem, 'kind' | 'found'>> {
  const missing = { kind: 'image-missing', found: `${label} has no picture in ${root}` } as const;
  if (alike !== undefined)
    return { ...missing, found: `${missing.found}; ${quoteName(alike)} differs in capital and small letters` };
  const other = await otherOf(root, label);
  if (other === undefined) return missing;
  try {
    await readImageHeader(join(root, other), other);
    return { ...missing, found: `${missing.found}; ${other} is one, under an ending of no picture` };
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return { kind: fileProblem(error), found: error.message };
  }
}

/** A file that is called like labels and is no text: it may be their picture. */
async function otherOf(root: string, label: string): Promise<string | undefined> {
  const stem = basename(stemOf(label));
  const names = await namesIn(dirname(join(root, label)));
  const name = names.find((one) => stemOf(one) === stem && !/\.(?:txt|json|xml|csv|ya?ml)$/i.test(one));
  return name && join(dirname(label), name).replaceAll(sep, '/');
}
