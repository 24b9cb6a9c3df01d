import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { type DatasetSource, findSources, readRegular } from '@rcnn/coco-data/node';
import { isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import { OutputFolder, photographs } from '@rcnn/files';
import { bringIn } from './bring-in.ts';
import { type CocoDocument, EMPTY_DOCUMENT, nextId } from './coco-document.ts';
import { Split } from './split.ts';

/** A dataset folder as it was found, or begun. */
export interface OpenedFolder {
  readonly output: OutputFolder;
  readonly splits: readonly [Split, ...Split[]];
  /** What could not be taken up, in words. */
  readonly notes: readonly string[];
}

/** Where a dataset that begins here keeps its annotations and its pictures. */
export const TRAIN_FILE: string = join('annotations', 'instances_train.json');
const IMAGES = 'images';

/** Larger files are no photographs. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Opens the COCO dataset in a folder. In a folder without annotations one is begun, of the pictures that lie in it:
 * they are copied to `images/`, upright, and stay where they are too.
 * @throws DATASET_INVALID for other formats and unsound files; FILE_EXISTS, IO_FAILED
 */
export async function openFolder(folder: string): Promise<OpenedFolder> {
  const output = await OutputFolder.open(folder);
  const sources = await sourcesIn(folder);
  const foreign = sources.find(({ format }) => format !== 'coco');
  if (foreign !== undefined) {
    throw new RcnnError('DATASET_INVALID', {
      where: folder,
      problem: 'the studio changes COCO datasets alone',
      found: foreign.format,
      hint: `Make one of it: mask-rcnn convert-data ${folder} ${folder}-coco`,
    });
  }
  if (sources.length === 0) return begin(folder, output);
  const [first, ...others] = await Promise.all(sources.map((source) => Split.open(source)));
  return { output, splits: [first!, ...others], notes: [] };
}

/** None where there are no annotations yet. */
async function sourcesIn(folder: string): Promise<readonly DatasetSource[]> {
  try {
    return await findSources(folder);
  } catch (error) {
    if (isRcnnError(error, 'DATASET_INVALID')) return [];
    throw error;
  }
}

async function begin(folder: string, output: OutputFolder): Promise<OpenedFolder> {
  const images = join(folder, IMAGES);
  await output.file(`${IMAGES}/x`); // makes the folder
  const annotations = await output.file(TRAIN_FILE.replaceAll(sep, '/'));
  const notes: string[] = [];
  let document: CocoDocument = EMPTY_DOCUMENT;
  const add = (file: string, width: number, height: number): void => {
    const image = { id: nextId(document.images), file_name: file, width, height };
    document = { ...document, images: [...document.images, image] };
  };
  const taken = new Set<string>();
  for (const name of await looseFiles(folder)) {
    try {
      const bytes = await readRegular(join(folder, name), MAX_BYTES, 'IMAGE_MISSING');
      const { file, width, height } = await bringIn(bytes, name, output, IMAGES, taken);
      add(file, width, height);
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      notes.push(`${quoteName(name)} was left out: ${error.message}`);
    }
  }
  const source = { format: 'coco', split: 'train', annotations, images };
  return { output, splits: [await Split.create(source, document)], notes };
}

/** What looks like a photograph by its name, in the folder itself. */
async function looseFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map(({ name }) => name);
  return photographs(names).sort();
}

/**
 * The split that pictures are set aside into, to measure on. Undefined where the layout has no room for one: then its
 * pictures would have to move too.
 */
export function validationSource(folder: string, { file, images }: Split): DatasetSource | undefined {
  if (relative(resolve(folder), resolve(file)) !== TRAIN_FILE) return undefined;
  if (basename(images) !== IMAGES && resolve(images) !== resolve(folder)) return undefined;
  for (const own of [join(folder, 'val'), join(images, 'val')]) if (existsSync(own)) return undefined;
  return { format: 'coco', split: 'val', annotations: join(folder, 'annotations', 'instances_val.json'), images };
}
