import { dirname, join } from 'node:path';
import { rootName, VOC_ROOT } from '../../formats/voc/parse-xml.ts';
import { readHead } from '../files/text.ts';
import { IMAGE_FOLDERS } from '../images/image-names.ts';
import { foldersWith, isFolder, nameOf, namesIn, sourcesOfFolders } from './folders.ts';
import { readVoc, vocSplits } from './read-voc.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';

const FORMAT = 'voc';

const LIST = /\.txt$/;

const XML = /\.xml$/i;

/**
 * Pascal VOC: the benchmark's own folders (`Annotations`, `JPEGImages`, `ImageSets`), or XML files beside their pictures,
 * as LabelImg and Roboflow write them, in one folder or one per split.
 */
export const vocReader: DatasetReader = {
  format: FORMAT,

  async find(path, { images }) {
    if (!(await isFolder(path))) return [];
    const roots = await rootsAt(path);
    if (roots.length > 0) {
      const sources = await Promise.all(
        roots.map(async (root) => sourcesOfRoot(root, images, roots.length > 1 ? `${nameOf(root)}-` : '')),
      );
      return sources.flat();
    }
    return sourcesOfFolders(FORMAT, await foldersWith(path, hasXml), images);
  },

  async read({ annotations, images }, problems, options) {
    return readVoc({ list: annotations, images, xml: await xmlFolder(annotations) }, problems, options);
  },
};

/** The folder itself, or those of `VOCdevkit` (`VOC2007`, `VOC2012`), up to two steps down. */
async function rootsAt(path: string): Promise<readonly string[]> {
  return (await hasXml(join(path, 'Annotations'))) ? [path] : foldersWith(path, isBenchmark);
}

/** A folder as the benchmark has it; `Annotations` alone is a name that others use too. */
async function isBenchmark(folder: string): Promise<boolean> {
  return (await isFolder(join(folder, 'JPEGImages'))) && hasXml(join(folder, 'Annotations'));
}

async function sourcesOfRoot(
  root: string,
  images: string | undefined,
  prefix: string,
): Promise<readonly DatasetSource[]> {
  const folder = images ?? (await picturesBeside(root));
  return [...(await vocSplits(root))].map(([split, annotations]) => ({
    format: FORMAT,
    split: `${prefix}${split}`,
    annotations,
    images: folder,
  }));
}

/** The folder of pictures beside `Annotations`: the benchmark's own, or one of those that other tools write. */
async function picturesBeside(root: string): Promise<string> {
  for (const name of ['JPEGImages', ...IMAGE_FOLDERS]) if (await isFolder(join(root, name))) return join(root, name);
  return join(root, 'images'); // reading the pictures says that it is not there
}

/** XML files are beside each other; a list of names stands in `ImageSets/<set>` of the folder that holds `Annotations`. */
async function xmlFolder(annotations: string): Promise<string> {
  // A list that is a folder is no folder of XML files, but a fault that reading the list tells.
  if (!LIST.test(annotations) && (await isFolder(annotations))) return annotations;
  return join(dirname(dirname(dirname(annotations))), 'Annotations');
}

/** XML files that are looked at: among those of a picture may be a few of another program. */
const LOOKED_AT = 8;

/** Whether a folder has VOC's annotations: XML is also what other programs write beside pictures. */
async function hasXml(folder: string): Promise<boolean> {
  const names = (await namesIn(folder)).filter((name) => XML.test(name) && !/\.aux\.xml$/i.test(name));
  for (const name of names.slice(0, LOOKED_AT))
    if (rootName(await readHead(join(folder, name)).catch(() => '')) === VOC_ROOT) return true;
  return false;
}
