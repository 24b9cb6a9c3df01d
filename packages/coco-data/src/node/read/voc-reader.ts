import { basename, dirname, join } from 'node:path';
import { readHead } from '../files/text.ts';
import { foldersWith, isFolder, namesIn, sourcesOfFolders } from './folders.ts';
import { readVoc, vocSplits } from './read-voc.ts';
import type { DatasetReader } from './reader.ts';

const FORMAT = 'voc';

const LIST = /\.txt$/;

/**
 * Pascal VOC: the benchmark's own folders (`Annotations`, `JPEGImages`, `ImageSets`), or XML files beside their pictures,
 * as LabelImg and Roboflow write them, in one folder or one per split.
 */
export const vocReader: DatasetReader = {
  format: FORMAT,

  async find(path, { images }) {
    if (!(await isFolder(path))) return [];
    if (await hasXml(join(path, 'Annotations'))) {
      const folder =
        images ?? ((await isFolder(join(path, 'JPEGImages'))) ? join(path, 'JPEGImages') : join(path, 'images'));
      return [...(await vocSplits(path))].map(([split, annotations]) => ({
        format: FORMAT,
        split,
        annotations,
        images: folder,
      }));
    }
    return sourcesOfFolders(FORMAT, await foldersWith(path, hasXml), images);
  },

  async read({ annotations, images }, problems, options) {
    return readVoc({ list: annotations, images, xml: await xmlFolder(annotations) }, problems, options);
  },
};

/** XML files are beside each other; a list of names stands in `ImageSets/<set>` of the folder that holds `Annotations`. */
async function xmlFolder(annotations: string): Promise<string> {
  // A list that is a folder is no folder of XML files, but a fault that reading the list tells.
  if (!LIST.test(annotations) && (await isFolder(annotations))) return annotations;
  return join(dirname(dirname(dirname(annotations))), 'Annotations');
}

async function hasXml(folder: string): Promise<boolean> {
  const names = (await namesIn(folder)).filter((name) => name.endsWith('.xml') && !basename(name).startsWith('.'));
  for (const name of names.slice(0, 3)) {
    const head = await readHead(join(folder, name)).catch(() => '');
    if (!/<annotations[\s>]/.test(head)) return true; // CVAT's own XML is another format
  }
  return false;
}
