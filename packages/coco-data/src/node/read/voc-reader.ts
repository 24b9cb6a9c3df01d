import { dirname, join } from 'node:path';
import { readHead } from '../files/text.ts';
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
  const folder =
    images ?? ((await isFolder(join(root, 'JPEGImages'))) ? join(root, 'JPEGImages') : join(root, 'images'));
  return [...(await vocSplits(root))].map(([split, annotations]) => ({
    format: FORMAT,
    split: `${prefix}${split}`,
    annotations,
    images: folder,
  }));
}

/** XML files are beside each other; a list of names stands in `ImageSets/<set>` of the folder that holds `Annotations`. */
async function xmlFolder(annotations: string): Promise<string> {
  // A list that is a folder is no folder of XML files, but a fault that reading the list tells.
  if (!LIST.test(annotations) && (await isFolder(annotations))) return annotations;
  return join(dirname(dirname(dirname(annotations))), 'Annotations');
}

async function hasXml(folder: string): Promise<boolean> {
  const names = (await namesIn(folder)).filter((name) => XML.test(name));
  for (const name of names.slice(0, 3)) {
    const head = await readHead(join(folder, name)).catch(() => '');
    if (!/<annotations[\s>]/.test(head)) return true; // CVAT's own XML is another format
  }
  return false;
}
