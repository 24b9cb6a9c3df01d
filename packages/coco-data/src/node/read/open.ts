import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { fileError } from '@rcnn/files';
import { ClassMap } from '../../class-map.ts';
import { Dataset, type DatasetOptions } from '../../dataset.ts';
import { Problems } from '../../doctor/problems.ts';
import { renumbered } from '../../doctor/renumber.ts';
import type { ViaOptions } from '../../formats/via/read-via.ts';
import type { VocOptions } from '../../formats/voc/records.ts';
import { pathProblem } from '../../images/image-path.ts';
import type { AnnotationSet } from '../../records.ts';
import { FolderImages, type FolderImagesOptions } from '../images/folder-images.ts';
import { cocoReader } from './coco-reader.ts';
import { splitOf } from './folders.ts';
import { foreignAt } from './foreign.ts';
import { labelmeReader } from './labelme-reader.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';
import { viaReader } from './via-reader.ts';
import { vocReader } from './voc-reader.ts';
import { yoloReader } from './yolo-reader.ts';

export type { DatasetReader, DatasetSource } from './reader.ts';

/** Every format that is read, in the order in which readers are asked whether files are theirs. */
export const READERS: readonly DatasetReader[] = [vocReader, cocoReader, viaReader, yoloReader, labelmeReader];

export interface OpenOptions extends DatasetOptions, FolderImagesOptions {
  /** Which part: `train`, `val2017`, … Default: the only one there is. */
  readonly split?: string | undefined;
  /** The name of a reader's format. Default: told from the folder and the file. */
  readonly format?: string | undefined;
  /** The folder of images. Default: told from where the annotations are. */
  readonly images?: string | undefined;
  readonly via?: Omit<ViaOptions, 'sizeOf' | 'filesOf'>;
  readonly voc?: VocOptions;
  /** Who reads: put a reader of your own before {@link READERS}, or leave some out. Default: READERS. */
  readonly readers?: readonly DatasetReader[] | undefined;
}

/**
 * Opens a dataset: a COCO or VIA file, a folder that holds one per split (`annotations/instances_<split>.json` with
 * `<split>/` beside it, `<split>/_annotations.coco.json`, or `<split>/via_region_data.json`), a Pascal VOC folder, a folder
 * with YOLO's `data.yaml`, or labelme's JSON files beside their pictures.
 * @throws FILE_MISSING, DATASET_INVALID, and the errors of the readers
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<Dataset> {
  const sources = await selectSources(path, options);
  if (sources.length === 1) return openSource(sources[0]!, options);
  throw new RcnnError('INVALID_ARGUMENT', {
    where: path,
    problem: 'the dataset has several splits; choose one',
    expected: sources.map(({ split }) => split).join(', '),
    hint: `Name it with the split setting (--split ${sources.at(-1)?.split}).`,
  });
}

/**
 * The splits that are meant: those of the given name, or all of them.
 * @throws FILE_MISSING when there is none of that name, and what {@link findSources} throws
 */
export async function selectSources(path: string, options: OpenOptions = {}): Promise<readonly DatasetSource[]> {
  const { split: wanted, images } = options;
  if (images !== undefined) await requireFolder(images);
  const sources = await findSources(path, options);
  const exact = sources.filter(({ split }) => wanted === undefined || split === wanted);
  const found = exact.length > 0 ? exact : sources.filter(({ split }) => matchesSplit(split, wanted!));
  if (found.length > 0) return found;
  throw new RcnnError('FILE_MISSING', {
    where: path,
    problem: `there is no split '${wanted}'`,
    expected: sources.map(({ split }) => split).join(', '),
    hint: `Name one that there is (--split ${sources.at(-1)?.split}).`,
  });
}

/** A wrong name is told, also where the layout of the data leaves the setting without an effect. */
async function requireFolder(images: string): Promise<void> {
  const stats = await stat(images).catch(() => undefined);
  if (stats?.isDirectory() === true) return;
  throw new RcnnError('FILE_MISSING', {
    where: images,
    problem: stats === undefined ? 'there is no such folder of images' : 'this is not a folder of images',
    hint: 'Name the folder that the file names of the annotations begin from (--images).',
  });
}

/** Reads, checks and maps one split. */
export async function openSource(source: DatasetSource, options: OpenOptions = {}): Promise<Dataset> {
  const problems = new Problems();
  const read = await readSource(source, problems, options);
  const { classes } = options;
  const hasNamesAlone = source.format !== 'coco' || read.categories.some(({ textId }) => textId !== undefined);
  const set = classes instanceof ClassMap && hasNamesAlone ? renumbered(read, classes) : read;
  return Dataset.from(set, new FolderImages(source.images, options), problems, {
    name: `${basename(source.format === 'voc' ? dirname(source.images) : dirname(dirname(source.annotations)))} ${source.split}`,
    ...options,
  });
}

/** What the annotations of one split say, unchecked. Problems are reported, not thrown. */
export async function readSource(
  source: DatasetSource,
  problems: Problems,
  options: OpenOptions = {},
): Promise<AnnotationSet> {
  return readerOf(source.format, options).read(source, problems, options);
}

function readerOf(format: string, { readers = READERS }: OpenOptions): DatasetReader {
  const reader = readers.find((one) => one.format === format);
  if (reader !== undefined) return reader;
  throw new RcnnError('UNKNOWN_OPTION', {
    where: 'openDataset',
    problem: 'no reader has this format',
    found: quoteName(format),
    expected: readers.map((one) => one.format).join(', '),
  });
}

/** Every split of the dataset at `path`. @throws FILE_MISSING, DATASET_INVALID, PATH_REFUSED */
export async function findSources(path: string, options: OpenOptions = {}): Promise<readonly DatasetSource[]> {
  const sources = distinct(await sourcesAt(path, options));
  for (const { split, annotations } of sources) requirePlainSplit(split, annotations);
  return sources;
}

/**
 * Whoever asks for a split would get the first of several of that name alone. Files of one folder are then called like
 * themselves, others like the nearest folders that differ, with the split behind: `site1-train`.
 */
function distinct(sources: readonly DatasetSource[]): readonly DatasetSource[] {
  const bySplit = new Map<string, DatasetSource[]>();
  for (const source of sources) {
    const namesakes = bySplit.get(source.split) ?? [];
    namesakes.push(source);
    bySplit.set(source.split, namesakes);
  }
  const names = new Map<DatasetSource, string>();
  for (const namesakes of bySplit.values()) {
    const rules = [({ split }: DatasetSource) => split, ({ annotations }: DatasetSource) => splitOf(annotations)];
    const rule = [...rules, ...folderRules(namesakes)].find((nameOf) => areApart(namesakes.map(nameOf))) ?? rules[0]!;
    for (const source of namesakes) names.set(source, rule(source));
  }
  return sources.map((source) => ({ ...source, split: names.get(source)! }));
}

/** Names by the folder above, the one above that, and so on. */
function folderRules(sources: readonly DatasetSource[]): readonly ((source: DatasetSource) => string)[] {
  const stepsOf = ({ annotations }: DatasetSource): readonly string[] => dirname(resolve(annotations)).split(sep);
  const most = Math.max(...sources.map((source) => stepsOf(source).length));
  return Array.from({ length: most }, (_, i) => (source) => `${stepsOf(source).at(-1 - i) ?? ''}-${source.split}`);
}

function areApart(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

/** Splits are named by files, and folders by splits: `..` would lead out of the dataset. */
function requirePlainSplit(split: string, file: string): void {
  if (!/[/\\]|^\.{0,2}$/.test(split) && pathProblem(split) === undefined) return;
  throw new RcnnError('PATH_REFUSED', {
    where: file,
    problem: 'the name of the split leads to another folder',
    found: quoteName(split),
    hint: 'Rename the file: what comes after instances_, or before .txt, names the split.',
  });
}

const FORMATS =
  'annotations/*.json, <split>/_annotations.coco.json, <split>/via_region_data.json, XML files of Pascal VOC, data.yaml or classes.txt of YOLO, or JSON files of labelme beside their pictures';

async function sourcesAt(path: string, options: OpenOptions): Promise<readonly DatasetSource[]> {
  const { format, readers = READERS } = options;
  const info = await stat(path).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'EACCES') throw fileError(path, 'it cannot be read', cause);
    throw new RcnnError('FILE_MISSING', { where: path, problem: 'there is no such file or folder', cause });
  });
  if (!info.isDirectory() && !info.isFile())
    throw new RcnnError('FILE_REFUSED', { where: path, problem: 'this is not a file but a pipe or device' });
  for (const reader of format === undefined ? readers : [readerOf(format, options)]) {
    const found = await reader.find(path, options);
    if (found.length > 0) return found;
  }
  if (info.isDirectory()) await requireReadable(path);
  const foreign = await foreignAt(path);
  if (foreign !== undefined)
    throw new RcnnError('DATASET_INVALID', {
      where: path,
      problem: 'this is no dataset that is read',
      found: foreign.what,
      expected: FORMATS,
      hint: foreign.hint,
    });
  throw new RcnnError('DATASET_INVALID', {
    where: path,
    problem: info.isDirectory() ? 'no annotations were found in this folder' : 'this is not an annotation file',
    expected: FORMATS,
    hint: 'Name the annotation file itself, and its images with the images setting (--images).',
  });
}

/** A folder that nobody may look into, or one in it, looks like one without annotations. @throws IO_FAILED */
async function requireReadable(path: string): Promise<void> {
  const look = (folder: string) =>
    readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
      throw fileError(folder, 'the folder cannot be read', cause);
    });
  for (const entry of await look(path)) if (entry.isDirectory()) await look(join(path, entry.name));
}

/** `train` finds `train2017` too, when nothing else does. */
export function matchesSplit(split: string, wanted: string): boolean {
  return split === wanted || split.replace(/\d{4}$/, '') === wanted;
}
