import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { PixelImage } from '@rcnn/core';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import type { ProblemKind, Problems } from '../../doctor/problems.ts';
import { parseVocXml } from '../../formats/voc/parse-xml.ts';
import { type VocEntry, type VocOptions, vocRecords } from '../../formats/voc/records.ts';
import { pathProblem } from '../../images/image-path.ts';
import type { AnnotationSet } from '../../records.ts';
import { FolderImages } from '../images/folder-images.ts';

const ENDINGS = ['.jpg', '.jpeg', '.png', '.JPG', '.bmp', '.webp'];

/** Whether a folder looks like a VOC dataset: XML files in `Annotations`. */
export async function isVocFolder(root: string): Promise<boolean> {
  const names = await readdir(join(root, 'Annotations')).catch(() => []);
  return names.some((name) => name.endsWith('.xml'));
}

/**
 * Split files of a VOC dataset by name. `ImageSets/Segmentation` is preferred to `Main` where both have a split and
 * objects are segmented. Per-class lists such as `cat_train.txt` are not splits. Without any: one split `all`.
 */
export async function vocSplits(root: string): Promise<ReadonlyMap<string, string>> {
  const splits = new Map<string, string>();
  for (const set of ['Main', 'Segmentation']) {
    if (set === 'Segmentation' && !(await exists(join(root, 'SegmentationObject')))) continue;
    const folder = join(root, 'ImageSets', set);
    for (const name of (await readdir(folder).catch(() => [])).sort()) {
      if (/^[^_]+\.txt$/.test(name)) splits.set(basename(name, '.txt'), join(folder, name));
    }
  }
  return splits.size > 0 ? splits : new Map([['all', join(root, 'Annotations')]]);
}

/**
 * Reads one split of a VOC dataset. A file that cannot be read is a problem of that file; the others are read all the
 * same.
 * @param list the split file, or the folder `Annotations` for all
 */
export async function readVoc(
  root: string,
  list: string,
  problems: Problems,
  options: VocOptions = {},
): Promise<AnnotationSet> {
  const entries: VocEntry[] = [];
  for (const stem of await stemsOf(list)) {
    const place = `Annotations/${stem}.xml`;
    try {
      entries.push(await readEntry(root, stem, place));
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      problems.add({ kind: kindOf(error), source: root, place, found: error.message });
    }
  }
  return vocRecords(root, entries, problems, options);
}

async function readEntry(root: string, stem: string, place: string): Promise<VocEntry> {
  const unsafe = pathProblem(stem);
  if (unsafe !== undefined)
    throw new RcnnError('PATH_REFUSED', { where: JSON.stringify(stem), problem: `the name ${unsafe}` });
  const text = await readFile(join(root, place), 'utf8').catch((cause: unknown) => {
    throw new RcnnError('FILE_MISSING', { where: place, problem: 'there is no such annotation file', cause });
  });
  const file = parseVocXml(text, place);
  const instances = await readInstances(root, stem);
  if (instances && (instances.height !== file.size[0] || instances.width !== file.size[1])) {
    throw new RcnnError('MASK_SIZE_MISMATCH', {
      where: `SegmentationObject/${stem}.png`,
      problem: 'the segmentation has another size than the image',
      found: `${instances.width}x${instances.height}`,
      expected: `${file.size[1]}x${file.size[0]}`,
    });
  }
  return { stem, image: await imageName(root, stem, file.filename), place, file, ...(instances && { instances }) };
}

async function readInstances(root: string, stem: string): Promise<PixelImage | undefined> {
  const folder = join(root, 'SegmentationObject');
  if (!(await exists(join(folder, `${stem}.png`)))) return undefined;
  const { decodeImage } = await import('../images/decode.ts');
  return decodeImage(await new FolderImages(folder).read(`${stem}.png`), { name: `SegmentationObject/${stem}.png` });
}

/** The XML's file name where it exists, else the stem with a known ending: renamed datasets keep old names inside. */
async function imageName(root: string, stem: string, filename: string): Promise<string> {
  const names = [...ENDINGS.map((ending) => stem + ending), ...(pathProblem(filename) === undefined ? [filename] : [])];
  for (const name of names) if (name !== '' && (await exists(join(root, 'JPEGImages', name)))) return name;
  return `${stem}.jpg`;
}

async function stemsOf(list: string): Promise<readonly string[]> {
  if ((await stat(list)).isDirectory()) {
    return (await readdir(list))
      .filter((name) => name.endsWith('.xml'))
      .sort()
      .map((name) => basename(name, '.xml'));
  }
  const lines = (await readFile(list, 'utf8')).split(/\r?\n/);
  return lines.map((line) => line.trim().split(/\s+/)[0]!).filter((stem) => stem !== '');
}

function kindOf(error: RcnnError): ProblemKind {
  switch (error.code) {
    case 'FILE_REFUSED':
      return 'file-refused';
    case 'FILE_MISSING':
      return 'file-missing';
    case 'PATH_REFUSED':
      return 'path-refused';
    case 'MASK_SIZE_MISMATCH':
      return 'rle-size';
    case 'IMAGE_CORRUPT':
    case 'IMAGE_TOO_LARGE':
    case 'FILE_MALFORMED':
    case 'FILE_TRUNCATED':
      return 'file-malformed';
    default:
      return 'field-missing';
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
