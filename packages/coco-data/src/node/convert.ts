import { constants, copyFile, link, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import { checkRecords } from '../check.ts';
import { type ProblemCount, Problems } from '../problems.ts';
import { FolderImages } from './folder-images.ts';
import { findSources, type OpenOptions, readSource } from './open.ts';
import { writeCoco } from './write-coco.ts';

export interface ConvertOptions extends OpenOptions {
  /** What to do with image files: `copy` (the default), `link` (hard links: one file, two names) or `none`. */
  readonly imageFiles?: 'copy' | 'link' | 'none';
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
  const { imageFiles = 'copy', policy = 'fail', split: wanted } = options;
  const sources = (await findSources(path, options)).filter(({ split }) => wanted === undefined || split === wanted);
  if (sources.length === 0)
    throw new RcnnError('FILE_MISSING', { where: path, problem: `there is no split '${wanted}'` });
  const done: ConvertedSplit[] = [];
  for (const source of sources) {
    const problems = new Problems();
    const set = checkRecords(await readSource(source, problems, options), problems);
    if (policy === 'fail') problems.throwErrors(set.source);
    const file = join(out, 'annotations', `instances_${source.split}.json`);
    await writeCoco(file, set);
    const store = new FolderImages(source.images, options);
    for (const { file: name } of imageFiles === 'none' ? [] : set.images) {
      const target = join(out, source.split, name);
      await mkdir(dirname(target), { recursive: true });
      const original = await store.locate(name);
      if (imageFiles === 'link') await link(original, target);
      else await copyFile(original, target, constants.COPYFILE_FICLONE);
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
