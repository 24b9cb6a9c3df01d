import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { LineCounter } from 'yaml';
import { pathProblem } from '../../images/image-path.ts';
import type { Category } from '../../records.ts';
import { readText } from '../files/text.ts';
import { readYaml } from '../files/yaml.ts';
import { isFolder, namesIn } from './folders.ts';

export const SPLITS: readonly string[] = ['train', 'val', 'valid', 'test'];

/** Names that Ultralytics takes as well. */
const ALIASES: Readonly<Record<string, string>> = { val: 'validation' };

/** Of `data.yaml`: names and folders. */
const MAX_YAML_BYTES = 2 ** 20;

/** What the file of a YOLO dataset says. */
export interface DataYaml {
  readonly root: string | undefined;
  /** Folders of pictures, or files that list pictures, by split. */
  readonly places: ReadonlyMap<string, readonly string[]>;
  /** Ids from 1: 0 is the background in every model here. */
  readonly names: readonly Category[];
  /** Numbers of key points that follow each box, of `kpt_shape`; 0 where there are none. */
  readonly keypoints: number;
}

export async function yamlIn(folder: string): Promise<string | undefined> {
  const names = (await namesIn(folder)).filter((name) => /\.ya?ml$/i.test(name));
  const name =
    names.find((one) => /^(?:data|dataset)\.ya?ml$/i.test(one)) ?? (names.length === 1 ? names[0] : undefined);
  return name === undefined ? undefined : join(folder, name);
}

/** `data.yaml`, or a text with the names of the classes alone, one a line. */
export async function readDataFile(file: string): Promise<DataYaml> {
  if (/\.ya?ml$/i.test(file)) return readDataYaml(file);
  const lines = (await readText(file, MAX_YAML_BYTES)).split(/\r?\n/).map((line) => line.trim());
  while (lines.at(-1) === '') lines.pop();
  return { root: undefined, places: await listsBeside(file), names: namesOf(lines, file), keypoints: 0 };
}

async function readDataYaml(file: string): Promise<DataYaml> {
  const value = valueOf(await readText(file, MAX_YAML_BYTES), file);
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const places = new Map<string, readonly string[]>();
  for (const split of SPLITS) {
    const named = [fields[split] ?? fields[ALIASES[split] ?? '']].flat().filter((place) => typeof place === 'string');
    if (named.length > 0) places.set(split, named);
  }
  // A split of another name, as the writer here keeps it.
  for (const [key, value] of Object.entries(fields))
    if (!SPLITS.includes(key) && key !== 'path' && typeof value === 'string' && value === `images/${key}`)
      places.set(key, [value]);
  const root = fields['path'];
  return {
    root: typeof root === 'string' ? root : undefined,
    places,
    names: namesOf(fields['names'], file),
    keypoints: keypointNumbers(fields['kpt_shape'], file),
  };
}

/** `kpt_shape: [17, 3]`: points, and 2 or 3 numbers for each. */
function keypointNumbers(value: unknown, file: string): number {
  if (value === undefined || value === null) return 0;
  if (Array.isArray(value) && value.length === 2 && value.every((count) => Number.isSafeInteger(count) && count > 0))
    return (value as [number, number])[0] * (value as [number, number])[1];
  throw new RcnnError('DATASET_INVALID', {
    where: file,
    place: 'kpt_shape',
    problem: 'the shape of the key points cannot be used',
    expected: 'the count of points, and 2 or 3 numbers for each',
  });
}

/** @throws FILE_MALFORMED with line and column */
function valueOf(text: string, file: string): unknown {
  const lineCounter = new LineCounter();
  const { document, fault } = readYaml(text, { lineCounter });
  const malformed = (found: string, place?: string): RcnnError =>
    new RcnnError('FILE_MALFORMED', {
      where: file,
      ...(place !== undefined && { place }),
      problem: 'the file is not YAML that can be read',
      found,
    });
  if (fault !== undefined) {
    const { line, col } = lineCounter.linePos(fault.offset);
    throw malformed(fault.problem, `${line}:${col}`);
  }
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw malformed((error as Error).message); // an alias, which can make a small file large
  }
}

/** A list of names, or names by number. */
function namesOf(value: unknown, file: string): readonly Category[] {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value as Record<string, unknown>) : [];
  const numbers = entries.map(([key]) => Number(key));
  if (entries.length > 0 && numbers.every((number, i) => number === i))
    return entries.map(([, name], i) => ({ id: i + 1, name: String(name) }));
  throw new RcnnError('DATASET_INVALID', {
    where: file,
    place: 'names',
    problem: 'the names of the classes are missing, or their numbers have gaps',
    expected: 'a list of names, or names by number from 0',
  });
}

export function stepsOf(path: string): readonly string[] {
  const steps = path.split(/[/\\]+/);
  return steps.filter((step) => step !== '' && step !== '.' && step !== '..' && !/^[a-z]:$/i.test(step));
}

/**
 * The folder of a split's pictures. Paths in these files are often those of another machine or lead one folder too high
 * (Roboflow's `../train/images`): the longest end of the path that is a folder below the file's own is taken. Where there is
 * none and the file says where its dataset is, the path is taken as it is written, as far as the folder above the file's
 * own: a dataset may lie beside its file, and a stranger's file must not open the rest of a disk.
 */
export async function folderOf(base: string, root: string | undefined, named: string): Promise<string | undefined> {
  const below = await folderBelow(base, root, named);
  const isSaid = root !== undefined || isAbsolute(named) || stepsOf(named).length === 0;
  return below ?? (isSaid ? folderAsWritten(base, root, named) : undefined);
}

async function folderAsWritten(base: string, root: string | undefined, named: string): Promise<string | undefined> {
  const folder = resolve(base, (root ?? '.').replaceAll('\\', '/'), named.replaceAll('\\', '/'));
  const highest = dirname(resolve(base));
  if (folder !== highest && !folder.startsWith(highest + sep)) return undefined;
  const images = join(folder, 'images');
  if (await isFolder(images)) return images;
  return (await isFolder(folder)) ? folder : undefined;
}

/** The longest end of a path that is a folder below `base`. @throws PATH_REFUSED */
export async function folderBelow(base: string, root: string | undefined, named: string): Promise<string | undefined> {
  const steps = stepsOf(root === undefined || isAbsolute(named) ? named : `${root}/${named}`);
  for (let i = 0; i < steps.length; i++) {
    const name = steps.slice(i).join('/');
    if (pathProblem(name) !== undefined)
      throw new RcnnError('PATH_REFUSED', { where: quoteName(named), problem: 'the folder of a split cannot be used' });
    const images = join(base, name, 'images');
    if (await isFolder(images)) return images;
    if (await isFolder(join(base, name))) return join(base, name);
  }
  return undefined;
}

/** A list of pictures by the longest end of its path that is a file here. */
export async function listAt(base: string, root: string | undefined, named: string): Promise<string | undefined> {
  const steps = stepsOf(root === undefined || isAbsolute(named) ? named : `${root}/${named}`);
  for (let i = 0; i < steps.length; i++) {
    const name = steps.slice(i).join('/');
    if (pathProblem(name) !== undefined) return undefined;
    const below = await namesIn(dirname(join(base, name)));
    if (below.includes(steps.at(-1)!)) return join(base, name);
  }
  return undefined;
}

/**
 * The lists of pictures that darknet's `obj.data` beside the names of the classes gives its splits (`train = data/train.txt`),
 * CVAT's too. Lists that are not there or empty, and a second split of the same list, are none.
 */
export async function listsBeside(names: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const lists = new Map<string, readonly string[]>();
  const folder = dirname(names);
  const file = (await namesIn(folder)).find((name) => /\.data$/i.test(name));
  const text = file === undefined ? '' : await readText(join(folder, file), MAX_YAML_BYTES).catch(() => '');
  const known = new Set<string>();
  for (const [, split = '', place = ''] of text.matchAll(/^[ \t]*(\w+)[ \t]*=[ \t]*(\S.*\.txt)[ \t]*$/gim)) {
    const list = SPLITS.includes(split) ? await listAt(folder, undefined, place) : undefined;
    if (list === undefined || known.has(list) || (await readText(list).catch(() => '')).trim() === '') continue;
    known.add(list);
    lists.set(split, [place]);
  }
  return lists;
}
