import { parseVia } from '../../formats/via/read-via.ts';
import { readHead, readJSON } from '../files/text.ts';
import { FolderImages } from '../images/folder-images.ts';
import { ImageNames } from '../images/image-names.ts';
import { annotationFiles, isFolder, sourceOfFile, splitOf } from './folders.ts';
import { foreignTool } from './foreign.ts';
import { ImageSizes } from './image-sizes.ts';
import { looseFiles, sourceOfLoose } from './loose-files.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';

/** Projects and exports of the VGG Image Annotator, versions 1 to 3. */
export const viaReader: DatasetReader = {
  format: 'via',

  async find(path, options) {
    const files = (await isFolder(path)) ? await annotationFiles(path) : path.endsWith('.json') ? [path] : [];
    const own: DatasetSource[] = [];
    const looks = await Promise.all(files.map(looksLikeVia));
    if (!looks.includes(true) && (await isFolder(path))) {
      const loose = await looseFiles(path, isVia);
      if (loose.length > 0) return Promise.all(loose.map((file) => sourceOfLoose(file, options.images, 'via')));
    }
    // One project among them, and no COCO file came first: a file that says nothing is a project that was spoiled.
    if (options.format !== 'via' && !looks.includes(true)) return [];
    for (const file of files) {
      own.push(
        await sourceOfFile(file, 'via', { images: options.images, ...(files[0] === path && { split: options.split }) }),
      );
    }
    return own;
  },

  async read({ annotations, images }, problems, options) {
    const store = new FolderImages(images, options);
    const names = new ImageNames(store.root, [splitOf(annotations)]);
    const sizes = new ImageSizes(store);
    const set = await parseVia(await readJSON(annotations), annotations, problems, {
      ...options.via,
      filesOf: (written) => names.findAll(written),
      sizeOf: (file) => sizes.of(file),
    });
    sizes.report(annotations, problems);
    return set;
  },
};

/** By what no other tool writes: any JSON file may be asked. */
async function isVia(file: string): Promise<boolean> {
  const head = await readHead(file).catch(() => '');
  return /"(?:_via_\w+|shape_attributes|fileref|base64_img_data)"\s*:/.test(head);
}

async function looksLikeVia(file: string): Promise<boolean> {
  const head = await readHead(file).catch(() => '');
  if (/"file_name"\s*:/.test(head) || foreignTool(file, head) !== undefined) return false;
  return /"(?:_via_\w+|fileref|base64_img_data|filename|aname|pid)"\s*:/.test(head);
}
