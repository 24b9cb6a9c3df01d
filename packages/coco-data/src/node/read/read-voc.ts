import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { PixelImage } from '@rcnn/core';
import { isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import { PHOTOGRAPH } from '@rcnn/files';
import type { Problems } from '../../doctor/problems.ts';
import { parseVocXml } from '../../formats/voc/parse-xml.ts';
import { type VocEntry, vocRecords } from '../../formats/voc/records.ts';
import { pathProblem } from '../../images/image-path.ts';
import type { AnnotationSet } from '../../records.ts';
import { readText } from '../files/text.ts';
import { FolderImages } from '../images/folder-images.ts';
import { ImageNames } from '../images/image-names.ts';
import { fileProblem } from './file-problem.ts';
import { namesIn } from './folders.ts';
import { ImageSizes } from './image-sizes.ts';
import type { OpenOptions } from './open.ts';

const MAX_XML_BYTES = 64 * 2 ** 20;

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

/** Where the files of one VOC split are. */
export interface VocFolders {
  /** The list of names, or the folder of XML files for all of them. */
  readonly list: string;
  readonly xml: string;
  readonly images: string;
}

/**
 * Reads one split of a VOC dataset. A file that cannot be read is a problem of that file; the others are read all the
 * same.
 */
export async function readVoc(
  folders: VocFolders,
  problems: Problems,
  options: OpenOptions = {},
): Promise<AnnotationSet> {
  const root = dirname(folders.xml);
  const sizes = new ImageSizes(new FolderImages(folders.images, options));
  const names = new ImageNames(sizes.store.root);
  const entries: VocEntry[] = [];
  const files = await xmlFiles(folders.xml);
  for (const stem of await stemsOf(folders, files)) {
    const file = files.get(stem) ?? `${stem}.xml`;
    const place = `${basename(folders.xml)}/${file}`;
    try {
      const entry = await readEntry(folders, stem, file, place, sizes, names);
      entries.push(entry);
      const named = await names.find(entry.file.filename);
      if (named === undefined || named === entry.image) continue;
      const found = `read as ${entry.image}, which is called like it; it names ${named}`;
      problems.add({ kind: 'image-unclear', source: root, place, found });
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      problems.add({ kind: fileProblem(error), source: root, place, found: error.message });
    }
  }
  sizes.report(root, problems);
  return vocRecords(root, entries, problems, options.voc);
}

async function readEntry(
  { xml }: VocFolders,
  stem: string,
  name: string,
  place: string,
  sizes: ImageSizes,
  names: ImageNames,
): Promise<VocEntry> {
  const unsafe = pathProblem(stem);
  if (unsafe !== undefined)
    throw new RcnnError('PATH_REFUSED', { where: quoteName(stem), problem: `the name ${unsafe}` });
  const written = parseVocXml(await readText(join(xml, name), MAX_XML_BYTES), place);
  const image = await imageName(names, stem, written.filename);
  const isSizeOfFile = written.size[0] === 0;
  const file = isSizeOfFile ? { ...written, size: await sizes.of(image) } : written;
  const instances = await readInstances(dirname(xml), stem);
  if (instances && (instances.height !== file.size[0] || instances.width !== file.size[1])) {
    throw new RcnnError('MASK_SIZE_MISMATCH', {
      where: `SegmentationObject/${stem}.png`,
      problem: 'the segmentation has another size than the image',
      found: `${instances.width}x${instances.height}`,
      expected: `${file.size[1]}x${file.size[0]}`,
    });
  }
  return { stem, image, place, file, isSizeOfFile, ...(instances && { instances }) };
}

async function readInstances(root: string, stem: string): Promise<PixelImage | undefined> {
  const folder = join(root, 'SegmentationObject');
  if (!(await exists(join(folder, `${stem}.png`)))) return undefined;
  const { decodeImage } = await import('../images/decode.ts');
  return decodeImage(await new FolderImages(folder).read(`${stem}.png`), { name: `SegmentationObject/${stem}.png` });
}

/** The picture that is called like the XML file, else the one that it names: renamed datasets keep old names inside. */
async function imageName(names: ImageNames, stem: string, filename: string): Promise<string> {
  const named = filename === '' ? undefined : filename;
  return (await names.findPicture(stem)) ?? (named && (await names.find(named))) ?? `${stem}.jpg`;
}

/** The XML files of a folder by their names without ending. */
async function xmlFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await namesIn(folder)).filter((name) => /\.xml$/i.test(name));
  return new Map(names.map((name) => [name.slice(0, -'.xml'.length), name]));
}

async function stemsOf({ list, xml }: VocFolders, files: ReadonlyMap<string, string>): Promise<readonly string[]> {
  if (list === xml) return [...files.keys()];
  const lines = (await readText(list)).split(/\r?\n/);
  return lines
    .map((line) => line.trim().split(/\s+/)[0]!)
    .filter((stem) => stem !== '')
    .map((written) => {
      const plain = basename(written).replace(PHOTOGRAPH, ''); // some lists have the paths of pictures
      return !files.has(written) && files.has(plain) ? plain : written;
    });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
