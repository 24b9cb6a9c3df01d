import { readdir } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, sep } from 'node:path';
import { isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import { LineCounter } from 'yaml';
import type { Problem, Problems } from '../../doctor/problems.ts';
import { parseYoloLabels } from '../../formats/yolo/parse-yolo.ts';
import { pathProblem } from '../../images/image-path.ts';
import type { AnnotationRecord, Category, ImageRecord } from '../../records.ts';
import { readText } from '../files/text.ts';
import { readYaml } from '../files/yaml.ts';
import { FolderImages } from '../images/folder-images.ts';
import { imageSize } from './coco-reader.ts';
import { fileProblem } from './file-problem.ts';
import { isFolder, namesIn } from './folders.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';

const FORMAT = 'yolo';

const SPLITS: readonly string[] = ['train', 'val', 'valid', 'test'];

const PICTURE = /\.(?:jpe?g|png|bmp|webp|tiff?|gif|avif)$/i;

/** Of `data.yaml`: names and folders. */
const MAX_YAML_BYTES = 2 ** 20;

/** YOLO's `data.yaml` with `images` and `labels` folders, boxes or outlines. */
export const yoloReader: DatasetReader = {
  format: FORMAT,

  async find(path, { images, format }) {
    const file = (await isFolder(path)) ? await yamlIn(path) : /\.ya?ml$/i.test(path) ? path : undefined;
    if (file === undefined) return [];
    let data: DataYaml;
    try {
      data = await readDataYaml(file);
    } catch (error) {
      if (format === FORMAT || file === path || !isRcnnError(error) || (await hasLabels(path))) throw error;
      return [];
    }
    const found: DatasetSource[] = [];
    for (const split of SPLITS) {
      const named = data.folders.get(split);
      const folder = named === undefined ? undefined : await folderOf(dirname(file), data.root, named);
      if (folder !== undefined) found.push({ format: FORMAT, split, annotations: file, images: images ?? folder });
    }
    return found;
  },

  async read({ annotations, images }, problems, options) {
    const data = await readDataYaml(annotations);
    const store = new FolderImages(images, options);
    const records: ImageRecord[] = [];
    const objects: AnnotationRecord[] = [];
    const pictures = await picturesBelow(images);
    for (const file of pictures) {
      try {
        await readPicture(file, store, annotations, problems, data, records, objects);
      } catch (error) {
        if (!isRcnnError(error)) throw error;
        problems.add({ kind: fileProblem(error), source: annotations, place: file, found: error.message });
      }
    }
    await reportLabelsAlone(store.root, pictures, annotations, problems);
    return { source: annotations, images: records, annotations: objects, categories: data.names };
  },
};

/** Labels whose picture is gone would be missing in silence: the reader goes by the pictures. */
async function reportLabelsAlone(
  root: string,
  pictures: readonly string[],
  source: string,
  problems: Problems,
): Promise<void> {
  const folder = labelFile(join(root, 'x.png')).slice(0, -'x.txt'.length);
  const known = new Set(pictures.map((file) => file.replace(/\.[^.]+$/, '')));
  const names = folder.startsWith(`${root}${sep}`) ? [] : await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names.map((one) => one.replaceAll(sep, '/')).sort()) {
    if (!name.endsWith('.txt') || known.has(name.slice(0, -4)) || /(?:^|\/)classes\.txt$/.test(name)) continue;
    problems.add({ kind: 'image-missing', source, place: name, found: `${name} has no picture in ${root}` });
  }
}

/** Whether a folder with a YAML file is YOLO's, whatever stands in the file. */
async function hasLabels(folder: string): Promise<boolean> {
  for (const name of ['labels', 'train/labels', 'valid/labels', 'test/labels'])
    if (await isFolder(join(folder, name))) return true;
  return false;
}

/** Pictures in a folder and in those below it, sorted. */
async function picturesBelow(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  return names
    .map((name) => name.replaceAll(sep, '/'))
    .filter((name) => PICTURE.test(name))
    .sort();
}

async function readPicture(
  file: string,
  store: FolderImages,
  source: string,
  problems: Problems,
  { names, keypoints }: DataYaml,
  images: ImageRecord[],
  annotations: AnnotationRecord[],
): Promise<void> {
  const size = await imageSize(file, store);
  const label = labelFile(join(store.root, file));
  // A picture without a label file has no objects.
  const text = await readText(label).catch((error: unknown) => {
    if (isRcnnError(error, 'FILE_MISSING')) return '';
    throw error;
  });
  images.push({ id: file, file, size, sizeOfFile: 'format', place: file });
  const ofImage = { add: (problem: Problem) => problems.add({ ...problem, imageId: file }) };
  const place = file.replace(/\.[^.]+$/, '.txt');
  for (const { index, ...object } of parseYoloLabels(text, size, place, source, ofImage, keypoints)) {
    if (index >= names.length) {
      ofImage.add({
        kind: 'unknown-category',
        source,
        place: object.place,
        found: `class ${index} of ${names.length}`,
      });
      continue;
    }
    annotations.push({ ...object, id: annotations.length + 1, imageId: file, categoryId: index + 1, crowd: false });
  }
}

/** `images` becomes `labels` in the last place where it stands, as YOLO does it; else the label is beside the picture. */
function labelFile(image: string): string {
  const steps = image.split(/[/\\]/);
  const at = steps.lastIndexOf('images');
  if (at >= 0) steps[at] = 'labels';
  const path = steps.join('/');
  return path.slice(0, path.length - extname(path).length) + '.txt';
}

interface DataYaml {
  readonly root: string | undefined;
  readonly folders: ReadonlyMap<string, string>;
  /** Ids from 1: 0 is the background in every model here. */
  readonly names: readonly Category[];
  /** Numbers of key points that follow each box, of `kpt_shape`; 0 where there are none. */
  readonly keypoints: number;
}

async function yamlIn(folder: string): Promise<string | undefined> {
  const names = (await namesIn(folder)).filter((name) => /\.ya?ml$/i.test(name));
  const name =
    names.find((one) => /^(?:data|dataset)\.ya?ml$/i.test(one)) ?? (names.length === 1 ? names[0] : undefined);
  return name === undefined ? undefined : join(folder, name);
}

async function readDataYaml(file: string): Promise<DataYaml> {
  const value = valueOf(await readText(file, MAX_YAML_BYTES), file);
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const folders = new Map<string, string>();
  for (const split of SPLITS) {
    const named: unknown = Array.isArray(fields[split]) ? fields[split][0] : fields[split];
    if (typeof named === 'string') folders.set(split, named);
  }
  const root = fields['path'];
  return {
    root: typeof root === 'string' ? root : undefined,
    folders,
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

/**
 * The folder of a split's pictures below the file's own. Paths in these files are often those of another machine or lead
 * one folder too high (Roboflow's `../train/images`): the longest end of the path that is a folder here is taken.
 */
async function folderOf(base: string, root: string | undefined, named: string): Promise<string | undefined> {
  const whole = root === undefined || isAbsolute(named) ? named : `${root}/${named}`;
  const steps = whole
    .split(/[/\\]+/)
    .filter((step) => step !== '' && step !== '.' && step !== '..' && !/^[a-z]:$/i.test(step));
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
