import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import { PHOTOGRAPH } from '@rcnn/files';
import type { Mask } from '@rcnn/masks';
import type { Problems } from '../../doctor/problems.ts';
import { instancesOf } from '../../formats/voc/instances.ts';
import { parseVocXml, rootName, VOC_ROOT, type VocFile } from '../../formats/voc/parse-xml.ts';
import { type VocEntry, vocRecords } from '../../formats/voc/records.ts';
import { pathProblem } from '../../images/image-path.ts';
import type { AnnotationSet } from '../../records.ts';
import { readHead, readText } from '../files/text.ts';
import { FolderImages, type FolderImagesOptions } from '../images/folder-images.ts';
import { ImageNames } from '../images/image-names.ts';
import { addFileProblem } from './file-problem.ts';
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
      const other = folders.list === folders.xml ? await otherRoot(join(folders.xml, file), stem, names) : undefined;
      if (other !== undefined) {
        problems.add({ kind: 'file-foreign', source: root, place, found: `<${other}>` });
        continue;
      }
      const entry = await readEntry(folders, stem, file, place, sizes, names);
      entries.push(entry);
      const named = await names.find(entry.file.filename);
      if (named === undefined || named === entry.image) continue;
      const found = `read as ${entry.image}, which is called like it; it names ${named}`;
      problems.add({ kind: 'image-unclear', source: root, place, found });
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      addFileProblem(problems, error, { source: root, place });
    }
  }
  sizes.report(root, problems);
  return vocRecords(root, entries, problems, options.voc);
}

/**
 * The outermost element of an XML file that is not VOC's, where no picture is called like it: programs leave files of their
 * own beside pictures, such as GDAL its `a.png.aux.xml`.
 */
async function otherRoot(path: string, stem: string, names: ImageNames): Promise<string | undefined> {
  if ((await names.findPicture(stem)) !== undefined) return undefined;
  const name = rootName(await readHead(path));
  return name === VOC_ROOT ? undefined : name;
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
  const instances = await readInstances(dirname(xml), stem, file, sizes.store.options);
  return { stem, image, place, file, isSizeOfFile, ...(instances && { instances }) };
}

/** The masks of the objects as run lengths, one after the other: decoded, those of a whole set would fill the memory. */
async function readInstances(
  root: string,
  stem: string,
  { size: [height, width], objects, refused }: VocFile,
  options: FolderImagesOptions,
): Promise<ReadonlyMap<number, Mask> | undefined> {
  const folder = join(root, 'SegmentationObject');
  if (!(await exists(join(folder, `${stem}.png`)))) return undefined;
  const name = `SegmentationObject/${stem}.png`;
  const { decodeImage } = await import('../images/decode.ts');
  const bytes = await new FolderImages(folder).read(`${stem}.png`);
  const image = await decodeImage(bytes, { ...options, orientation: 'ignore', name });
  if (image.height !== height || image.width !== width)
    throw new RcnnError('MASK_SIZE_MISMATCH', {
      where: name,
      problem: 'the segmentation has another size than the image',
      found: `${image.width}x${image.height}`,
      expected: `${width}x${height}`,
    });
  return instancesOf(image, objects.length + refused.length, name);
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
  const lines = (await readText(list)).split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== '').map((line) => stemOf(line, files));
}

/**
 * The annotation that a line of a list means: the line as it is, or without what is no part of a name. Of lines that mean
 * none, what stands before the mark is what is missing.
 */
function stemOf(line: string, files: ReadonlyMap<string, string>): string {
  const unmarked = line.replace(/\s+(?:-1|0|1)$/, ''); // whether the picture has an object of a class
  const names = [line, unmarked, line.split(/\s+/)[0]!].map(unquoted);
  const plain = (name: string): string => basename(name).replace(PHOTOGRAPH, ''); // some lists have the paths of pictures
  const found = names.flatMap((name) => [name, plain(name)]).find((name) => files.has(name));
  return found ?? unquoted(unmarked);
}

/** Datumaro and CVAT put names with blanks between quotes. */
function unquoted(name: string): string {
  return name.replace(/^"(.*)"$/, '$1');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
