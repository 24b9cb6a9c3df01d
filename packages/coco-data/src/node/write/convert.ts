import { constants, copyFile, link } from 'node:fs/promises';
import { OutputFolder, openRegular, writeError } from '@rcnn/files';
import { checkRecords, withoutEmpty } from '../../doctor/check.ts';
import { type ProblemCount, Problems } from '../../doctor/problems.ts';
import { requireMost } from '../../doctor/require-most.ts';
import type { ImageRecord } from '../../records.ts';
import { FolderImages } from '../images/folder-images.ts';
import { type OpenOptions, readSource, selectSources } from '../read/open.ts';
import { exportable } from './exportable.ts';
import { type ConvertedPart, numberedAlike } from './number-alike.ts';
import { drawnOn, writeUpright } from './upright.ts';
import { writeCoco } from './write-coco.ts';

export interface ConvertOptions extends OpenOptions {
  /**
   * What to do with image files: `copy` (the default), `link` (hard links: one file, two names) or `none`. A photograph
   * whose objects were drawn on it as shown (EXIF) is written that way, never linked.
   */
  readonly imageFiles?: 'copy' | 'link' | 'none';
  /** With policy `drop`: share of the images that may be left out. Default 0.1; one is always allowed. */
  readonly maxSkipRate?: number | undefined;
}

export interface ConvertedSplit {
  readonly split: string;
  readonly format: string;
  readonly annotations: string;
  readonly images: number;
  readonly objects: number;
  /** With policy `drop`: what was left out, and why. */
  readonly problems: readonly ProblemCount[];
}

/**
 * Writes any dataset that can be read in COCO's layout: `annotations/instances_<split>.json` and `<split>/…`.
 * @throws FILE_EXISTS rather than overwrite; the errors of reading, unless the policy is `drop`
 */
export async function convertDataset(
  path: string,
  out: string,
  options: ConvertOptions = {},
): Promise<readonly ConvertedSplit[]> {
  const { imageFiles = 'copy', policy = 'fail', maxSkipRate } = options;
  const parts: ConvertedPart[] = [];
  for (const source of await selectSources(path, options)) {
    const problems = new Problems();
    const store = new FolderImages(source.images, options);
    const checked = checkRecords(await readSource(source, problems, options), problems);
    const kept = options.keepEmpty === false ? withoutEmpty(checked) : checked;
    const set = await exportable(kept, imageFiles === 'none' ? undefined : store, problems);
    if (policy === 'fail') problems.throwErrors(set.source);
    requireMost(set, problems, maxSkipRate);
    parts.push({ source, set, store, problems });
  }
  const output = await OutputFolder.open(out);
  const done: ConvertedSplit[] = [];
  for (const { source, set, store, problems } of numberedAlike(parts)) {
    const folder = output.takeFolder(source.split);
    const file = await output.file(`annotations/${output.take('annotations', `instances_${folder}.json`)}`);
    if (imageFiles === 'none') await writeCoco(file, set);
    else {
      const copies = takeNames(output, folder, set.images);
      await writeCoco(file, {
        ...set,
        images: set.images.map((image) => ({ ...image, file: copies.get(image.file)! })),
      });
      const shown = await drawnAsShown(set.images, store);
      for (const [name, copy] of copies) {
        const target = await output.file(`${folder}/${copy}`);
        if (shown.has(name)) await writeUpright(await store.read(name), target);
        else await bringImage(await store.locate(name), target, imageFiles);
      }
    }
    done.push({
      split: source.split,
      format: source.format,
      annotations: file,
      images: set.images.length,
      objects: set.annotations.length,
      problems: problems.list(),
    });
  }
  return done;
}

/** Files whose objects count the pixels as people see them: a copy that is stored as shown needs no word on that. */
async function drawnAsShown(images: readonly ImageRecord[], store: FolderImages): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  for (const image of images) if ((await drawnOn(image, store)) === 'shown') files.add(image.file);
  return files;
}

/** The name in the copy of every image file; records that share a file share its copy. */
export function takeNames(
  output: OutputFolder,
  folder: string,
  images: readonly ImageRecord[],
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { file } of images) if (!names.has(file)) names.set(file, output.take(folder, file));
  return names;
}

/**
 * Never over a file that is there, and never from what is no file: copying a pipe would wait for ever.
 * @throws FILE_EXISTS, DISK_FULL, IO_FAILED, IMAGE_MISSING, FILE_REFUSED
 */
export async function bringImage(original: string, target: string, how: 'copy' | 'link' = 'copy'): Promise<void> {
  await (await openRegular(original, 'IMAGE_MISSING')).close();
  const { COPYFILE_FICLONE, COPYFILE_EXCL } = constants;
  try {
    if (how === 'link') await link(original, target);
    else await copyFile(original, target, COPYFILE_FICLONE | COPYFILE_EXCL);
  } catch (cause) {
    throw writeError(target, cause);
  }
}
