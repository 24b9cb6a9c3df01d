import { isRcnnError } from '@rcnn/core/errors';
import type { Problems } from '../../doctor/problems.ts';
import { NO_SIZE, readCoco } from '../../formats/coco/read-coco.ts';
import type { AnnotationSet, ImageRecord } from '../../records.ts';
import { readHead, utf8Chunks } from '../files/text.ts';
import { FolderImages } from '../images/folder-images.ts';
import { ImageNames } from '../images/image-names.ts';
import { addFileProblem } from './file-problem.ts';
import { annotationFiles, isFolder, sourceOfFile, splitOf } from './folders.ts';
import { foreignTool } from './foreign.ts';
import { ImageSizes } from './image-sizes.ts';
import { withImagesAbove } from './images-above.ts';
import { looseCocoFiles, sourceOfLoose } from './loose-files.ts';
import type { OpenOptions } from './open.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';

/** COCO's instances and keypoints, and the dialects of Roboflow, Label Studio, CVAT and LVIS. */
export const cocoReader: DatasetReader = {
  format: 'coco',

  async find(path, options) {
    const sources = await sourcesAt(path, options);
    if (options.images !== undefined) return sources;
    return Promise.all(sources.map((source) => withImagesAbove(source, path)));
  },

  async read({ annotations, images }, problems, options) {
    const set = await readCoco(utf8Chunks(annotations), annotations, problems, { sizeless: true });
    const store = new FolderImages(images, options);
    return withSizes({ ...set, images: await withFiles(set.images, set.source, store) }, store, problems);
  },
};

async function sourcesAt(path: string, options: OpenOptions): Promise<readonly DatasetSource[]> {
  const files = (await isFolder(path)) ? await annotationFiles(path) : path.endsWith('.json') ? [path] : [];
  if (files.length === 0 && (await isFolder(path))) {
    const loose = await looseCocoFiles(path);
    return Promise.all(loose.map((file) => sourceOfLoose(file, options.images)));
  }
  const own: DatasetSource[] = [];
  const heads = await Promise.all(files.map(headOf));
  const isOthers = heads.some((head) => OTHERS.test(head) && !LISTS.test(head));
  for (const [i, file] of files.entries()) {
    // A file that says nothing is of the kind of those beside it.
    const isOwn =
      foreignTool(file, heads[i]!) === undefined && (LISTS.test(heads[i]!) || (!OTHERS.test(heads[i]!) && !isOthers));
    if (options.format !== 'coco' && !isOwn) continue;
    own.push(
      await sourceOfFile(file, 'coco', {
        images: options.images,
        ...(files[0] === path && { split: options.split }),
      }),
    );
  }
  return own;
}

const LISTS = /"(?:images|annotations|categories)"\s*:\s*\[/;

/** Whatever is not another format's: a broken COCO file is best judged by its own reader. */
const OTHERS = /"(?:_via_\w+|fileref|base64_img_data|filename|shape_attributes|imagePath|aname|pid)"\s*:/;

function headOf(file: string): Promise<string> {
  return readHead(file).catch((error: unknown) => {
    if (isRcnnError(error)) return '';
    throw error;
  });
}

/** The same records with the files that their names mean: tools wrote them on other machines. */
export async function withFiles(
  images: readonly ImageRecord[],
  source: string,
  store: FolderImages,
): Promise<readonly ImageRecord[]> {
  const names = new ImageNames(store.root, [splitOf(source)]);
  const found = await names.findAll(images.map(({ file }) => file));
  return found.size === 0 ? images : images.map((image) => ({ ...image, file: found.get(image.file) ?? image.file }));
}

/** Sizes that records do not state, from the files. */
async function withSizes(set: AnnotationSet, store: FolderImages, problems: Problems): Promise<AnnotationSet> {
  if (!set.images.some(({ size }) => size === NO_SIZE)) return set;
  const images: ImageRecord[] = [];
  const sizes = new ImageSizes(store);
  for (const image of set.images) {
    if (image.size !== NO_SIZE) images.push(image);
    else {
      const size = await sizeOf(image, set.source, sizes, problems);
      if (size !== undefined) images.push({ ...image, size, sizeOfFile: 'record' });
    }
  }
  sizes.report(set.source, problems);
  return { ...set, images };
}

async function sizeOf(
  { file, place }: ImageRecord,
  source: string,
  sizes: ImageSizes,
  problems: Problems,
): Promise<ImageRecord['size'] | undefined> {
  try {
    return await sizes.of(file);
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    addFileProblem(problems, error, { source, place: `${place}/width` }, `no size, and ${error.message}`);
    return undefined;
  }
}
