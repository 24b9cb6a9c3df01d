import { createReadStream } from 'node:fs';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { ImageSize } from '@rcnn/core';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { ClassMap } from '../../class-map.ts';
import { Dataset, type DatasetOptions } from '../../dataset.ts';
import { Problems } from '../../doctor/problems.ts';
import { renumbered } from '../../doctor/renumber.ts';
import { readCoco } from '../../formats/coco/read-coco.ts';
import { parseVia, type ViaOptions } from '../../formats/via/read-via.ts';
import type { VocOptions } from '../../formats/voc/records.ts';
import { pathProblem } from '../../images/image-path.ts';
import type { AnnotationSet } from '../../records.ts';
import { readImageHeader } from '../images/decode.ts';
import { FolderImages, type FolderImagesOptions } from '../images/folder-images.ts';
import { isVocFolder, readVoc, vocSplits } from './read-voc.ts';

export type DatasetFormat = 'coco' | 'via' | 'voc';

export interface OpenOptions extends DatasetOptions, FolderImagesOptions {
  /** Which part: `train`, `val2017`, … Default: the only one there is. */
  readonly split?: string;
  /** Default: told from the folder and the file. */
  readonly format?: DatasetFormat;
  /** The folder of images. Default: told from where the annotations are. */
  readonly images?: string;
  readonly via?: Omit<ViaOptions, 'sizeOf'>;
  readonly voc?: VocOptions;
}

/** One split of a dataset on disk, before anything is read. */
export interface DatasetSource {
  readonly format: DatasetFormat;
  readonly split: string;
  readonly annotations: string;
  readonly images: string;
}

/**
 * Opens a dataset: a COCO or VIA file, a folder that holds one per split (`annotations/instances_<split>.json` with
 * `<split>/` beside it, `<split>/_annotations.coco.json`, or `<split>/via_region_data.json`), or a Pascal VOC folder.
 * @throws FILE_MISSING, DATASET_INVALID, and the errors of the readers
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<Dataset> {
  const sources = await findSources(path, options);
  const wanted =
    options.split === undefined ? sources : sources.filter(({ split }) => matchesSplit(split, options.split!));
  if (wanted.length === 1) return openSource(wanted[0]!, options);
  const splits = sources.map(({ split }) => split).join(', ');
  throw new RcnnError(wanted.length === 0 ? 'FILE_MISSING' : 'INVALID_ARGUMENT', {
    where: path,
    problem:
      wanted.length === 0 ? `there is no split '${options.split}'` : 'the dataset has several splits; choose one',
    expected: splits,
    hint: `Name it with the split setting (--split ${sources.at(-1)?.split}).`,
  });
}

/** Reads, checks and maps one split. */
export async function openSource(source: DatasetSource, options: OpenOptions = {}): Promise<Dataset> {
  const problems = new Problems();
  const read = await readSource(source, problems, options);
  const { classes } = options;
  const set = classes instanceof ClassMap && source.format !== 'coco' ? renumbered(read, classes) : read;
  return Dataset.from(set, new FolderImages(source.images, options), problems, {
    name: `${basename(source.format === 'voc' ? dirname(source.images) : dirname(dirname(source.annotations)))} ${source.split}`,
    ...options,
  });
}

/** What the annotations of one split say, unchecked. Problems are reported, not thrown. */
export async function readSource(
  { format, annotations, images }: DatasetSource,
  problems: Problems,
  options: OpenOptions = {},
): Promise<AnnotationSet> {
  if (format === 'coco')
    return readCoco(createReadStream(annotations, { highWaterMark: 2 ** 20 }), annotations, problems);
  if (format === 'voc') return readVoc(dirname(images), annotations, problems, options.voc);
  const folder = new FolderImages(images, options);
  const sizeOf = async (file: string): Promise<ImageSize> =>
    (await readImageHeader(await folder.locate(file), file)).size;
  return parseVia(await readJSON(annotations), annotations, problems, { ...options.via, sizeOf });
}

/** Every split of the dataset at `path`. @throws FILE_MISSING, DATASET_INVALID, PATH_REFUSED */
export async function findSources(path: string, options: OpenOptions = {}): Promise<DatasetSource[]> {
  const sources = await sourcesAt(path, options);
  for (const { split, annotations } of sources) requirePlainSplit(split, annotations);
  return sources;
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

async function sourcesAt(path: string, { format, images, split }: OpenOptions): Promise<DatasetSource[]> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new RcnnError('FILE_MISSING', { where: path, problem: 'there is no such file or folder', cause });
  });
  if (!info.isDirectory()) return [await sourceOfFile(path, { format, images, split })];
  if (format === 'voc' || (format === undefined && (await isVocFolder(path)))) {
    const splits = [...(await vocSplits(path))];
    return splits.map(([name, list]) => ({
      format: 'voc',
      split: name,
      annotations: list,
      images: join(path, 'JPEGImages'),
    }));
  }
  const found: DatasetSource[] = [];
  for (const file of await candidates(path)) found.push(await sourceOfFile(file, { format, images }));
  if (found.length > 0) return found;
  throw new RcnnError('DATASET_INVALID', {
    where: path,
    problem: 'no annotations were found in this folder',
    expected: 'annotations/*.json, <split>/_annotations.coco.json or <split>/via_region_data.json',
    hint: 'Name the annotation file itself, and its images with the images setting.',
  });
}

/** Annotation files of the layouts in use. Captions and panoptic files stand beside COCO's instances: not those. */
async function candidates(root: string): Promise<string[]> {
  const files: string[] = [];
  const scan = async (folder: string, wanted: RegExp): Promise<void> => {
    for (const name of (await readdir(folder).catch(() => [])).sort())
      if (wanted.test(name)) files.push(join(folder, name));
  };
  await scan(join(root, 'annotations'), /^(?!captions_|panoptic_|stuff_|image_info_).*\.json$/);
  const instances = files.filter((file) => basename(file).startsWith('instances_'));
  if (instances.length > 0) return instances;
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.isDirectory()) await scan(join(root, entry.name), /^(?:_annotations\.coco|via_.*|annotations)\.json$/);
  }
  await scan(root, /^(?:_annotations\.coco|via_.*|annotations|instances_.*)\.json$/);
  return files;
}

interface FileHints {
  readonly format?: DatasetFormat | undefined;
  readonly images?: string | undefined;
  readonly split?: string | undefined;
}

async function sourceOfFile(file: string, { format, images, split }: FileHints): Promise<DatasetSource> {
  const folder = dirname(file);
  const stem = basename(file, extname(file));
  const inAnnotations = basename(folder) === 'annotations';
  const name =
    split ??
    (inAnnotations ? stem.replace(/^(?:instances|person_keypoints)_/, '') : basename(resolve(folder)) || 'data');
  const beside = inAnnotations
    ? await firstFolder(dirname(folder), [name, join('images', name), 'images', '.'])
    : folder;
  return { format: format ?? (await sniff(file)), split: name, annotations: file, images: images ?? beside };
}

async function firstFolder(root: string, names: readonly string[]): Promise<string> {
  for (const name of names) {
    const path = join(root, name);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return root;
}

/** VIA projects are objects of images; COCO files begin with one of a few keys. */
async function sniff(file: string): Promise<DatasetFormat> {
  const stream = createReadStream(file, { end: 4095, encoding: 'utf8' });
  let head = '';
  for await (const chunk of stream) head += chunk as string;
  const isVia = /"(?:_via_\w+|fileref|base64_img_data|filename)"\s*:/.test(head) && !/"file_name"\s*:/.test(head);
  return isVia ? 'via' : 'coco';
}

/** `train` finds `train2017` too, when nothing else does. */
function matchesSplit(split: string, wanted: string): boolean {
  return split === wanted || split.replace(/\d{4}$/, '') === wanted;
}

async function readJSON(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    const { jsonErrorAt } = await import('../../formats/json/json-error.ts');
    const before = text.slice(0, jsonErrorAt(text)).split('\n');
    throw new RcnnError(before.join('\n').length >= text.trimEnd().length ? 'FILE_TRUNCATED' : 'FILE_MALFORMED', {
      where: file,
      place: `${before.length}:${before.at(-1)!.length + 1}`,
      problem: 'the file is not JSON',
      cause,
    });
  }
}
