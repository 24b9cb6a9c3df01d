import { join } from 'node:path';
import { isRcnnError } from '@rcnn/core/errors';
import type { Problems } from '../../doctor/problems.ts';
import { NO_SIZE, readCoco } from '../../formats/coco/read-coco.ts';
import { pathProblem } from '../../images/image-path.ts';
import type { AnnotationSet, ImageRecord } from '../../records.ts';
import { readHead, utf8Chunks } from '../files/text.ts';
import { readImageHeader } from '../images/decode.ts';
import { FolderImages } from '../images/folder-images.ts';
import { annotationFiles, isFolder, sourceOfFile } from './folders.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';

/** COCO's instances and keypoints, and the dialects of Roboflow, Label Studio, CVAT and LVIS. */
export const cocoReader: DatasetReader = {
  format: 'coco',

  async find(path, options) {
    const files = (await isFolder(path)) ? await annotationFiles(path) : path.endsWith('.json') ? [path] : [];
    const own: DatasetSource[] = [];
    const heads = await Promise.all(files.map(headOf));
    const isOthers = heads.some((head) => OTHERS.test(head) && !LISTS.test(head));
    for (const [i, file] of files.entries()) {
      // A file that says nothing is of the kind of those beside it.
      const isOwn = LISTS.test(heads[i]!) || (!OTHERS.test(heads[i]!) && !isOthers);
      if (options.format !== 'coco' && !isOwn) continue;
      own.push(
        await sourceOfFile(file, 'coco', {
          images: options.images,
          ...(files[0] === path && { split: options.split }),
        }),
      );
    }
    return own;
  },

  async read({ annotations, images }, problems, options) {
    const set = await readCoco(utf8Chunks(annotations), annotations, problems, { sizeless: true });
    const store = new FolderImages(images, options);
    return withSizes(await withFiles(set, store), store, problems);
  },
};

const LISTS = /"(?:images|annotations|categories)"\s*:\s*\[/;

/** Whatever is not another format's: a broken COCO file is best judged by its own reader. */
const OTHERS = /"(?:_via_\w+|fileref|base64_img_data|filename|shape_attributes|imagePath|aname|pid)"\s*:/;

function headOf(file: string): Promise<string> {
  return readHead(file).catch((error: unknown) => {
    if (isRcnnError(error)) return '';
    throw error;
  });
}

/**
 * Names as tools on other machines wrote them: with backslashes, or with the path of an upload folder in front. The part
 * of such a name that is a file below the folder of images is taken; a name that is a file as it stands stays.
 */
async function withFiles(set: AnnotationSet, store: FolderImages): Promise<AnnotationSet> {
  const foreign = set.images.filter(
    ({ file }) => file.includes('\\') || pathProblem(file) !== undefined || file.split('/').length === 2,
  );
  if (foreign.length === 0) return set;
  const found = new Map<string, string>();
  for (const { file } of foreign) {
    if (found.has(file)) continue;
    const name = await findFile(file, store);
    if (name !== undefined && name !== file) found.set(file, name);
  }
  if (found.size === 0) return set;
  return { ...set, images: set.images.map((image) => ({ ...image, file: found.get(image.file) ?? image.file })) };
}

async function findFile(file: string, store: FolderImages): Promise<string | undefined> {
  const steps = file.split(/[/\\]+/).filter((step) => step !== '' && step !== '.' && step !== '..');
  const names = [file, ...steps.map((_, i) => steps.slice(i).join('/')), join('images', steps.at(-1) ?? '')];
  for (const name of names) {
    const isThere = await store.locate(name).then(
      () => true,
      () => false,
    );
    if (isThere) return name;
  }
  return undefined;
}

/** Sizes that records do not state, from the files. */
async function withSizes(set: AnnotationSet, store: FolderImages, problems: Problems): Promise<AnnotationSet> {
  if (!set.images.some(({ size }) => size === NO_SIZE)) return set;
  const images: ImageRecord[] = [];
  for (const image of set.images) {
    if (image.size !== NO_SIZE) images.push(image);
    else {
      const size = await sizeOf(image, set.source, store, problems);
      if (size !== undefined) images.push({ ...image, size, sizeOfFile: 'record' });
    }
  }
  return { ...set, images };
}

async function sizeOf(
  { file, place }: ImageRecord,
  source: string,
  store: FolderImages,
  problems: Problems,
): Promise<ImageRecord['size'] | undefined> {
  try {
    return await imageSize(file, store);
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    problems.add({ kind: 'field-missing', source, place: `${place}/width`, found: `no size, and ${error.message}` });
    return undefined;
  }
}

/** The size of a picture as the loader will give it: stored, or turned where that was asked for. */
export async function imageSize(file: string, store: FolderImages): Promise<ImageRecord['size']> {
  const { size, orientation } = await readImageHeader(await store.locate(file), file);
  return store.options.orientation === 'apply' && orientation >= 5 ? [size[1], size[0]] : size;
}
