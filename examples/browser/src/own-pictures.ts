import { type AnnotationSet, BrowserImages, Dataset, decodeBlob, Problems, parseCoco, parseVia } from '@rcnn/coco-data';
import { RcnnError } from '@rcnn/core/errors';
import type { TabData } from './tab-training.ts';

/** Pictures that a person dropped, with what the page says of them. */
export interface OwnPictures extends TabData {
  readonly summary: string;
}

/** Every so manieth picture is kept to measure on, where there are enough. */
const MEASURED = 5;

/**
 * Pictures and one file of their annotations (COCO, or a VIA project), as they come from a drop or a file dialog.
 * @throws RcnnError what is missing, or what the reader says of the annotations
 */
export async function ownPictures(files: readonly File[]): Promise<OwnPictures> {
  const [annotations, ...more] = files.filter(({ name }) => /\.json$/i.test(name));
  const pictures = new Map(files.filter(({ type }) => type.startsWith('image/')).map((file) => [file.name, file]));
  if (annotations === undefined || more.length > 0 || pictures.size === 0) {
    throw new RcnnError('DATASET_INVALID', {
      where: 'your files',
      problem: 'pictures and one .json file of their annotations are needed',
      found: `${pictures.size} pictures, ${more.length + (annotations === undefined ? 0 : 1)} .json files`,
      hint: 'Outline objects with `mask-rcnn studio`, and drop the folder images and its instances_train.json together.',
    });
  }
  const problems = new Problems();
  const set = inFlatFolder(await read(annotations, pictures, problems));
  const there = { ...set, images: set.images.filter(({ file }) => pictures.has(file)) };
  const ids = new Set(there.images.map(({ id }) => id));
  const kept = { ...there, annotations: there.annotations.filter(({ imageId }) => ids.has(imageId)) };
  const all = Dataset.from(kept, new BrowserImages(pictures), problems, { policy: 'drop' }).trainable();
  if (all.length === 0) {
    throw new RcnnError('DATASET_INVALID', {
      where: annotations.name,
      problem: 'none of the pictures has an outlined object',
      found: `${set.images.length} pictures in the file, ${there.images.length} of them dropped`,
    });
  }
  const indices = [...all.images.keys()];
  const isMeasured = (index: number): boolean => all.length >= 2 * MEASURED && index % MEASURED === MEASURED - 1;
  const val = indices.filter(isMeasured);
  const train = all.subset(indices.filter((index) => !isMeasured(index)));
  const objects = indices.reduce((sum, index) => sum + all.annotations(index).length, 0);
  const names = all.classes.classes.map(({ name }) => name).join(', ');
  const left = set.images.length - all.length;
  return {
    train,
    val: val.length === 0 ? train : all.subset(val),
    summary:
      `${all.length} pictures with ${objects} objects (${names})` +
      (left > 0 ? `; ${left} of the file's are not there or show no object` : '') +
      (val.length === 0
        ? '; too few to set any aside, so it is measured on what it has seen'
        : `; ${val.length} are set aside to measure on`),
  };
}

async function read(file: File, pictures: ReadonlyMap<string, Blob>, problems: Problems): Promise<AnnotationSet> {
  const value = parse(await file.text(), file.name);
  const isCoco = typeof value === 'object' && value !== null && Array.isArray((value as { images?: unknown }).images);
  if (isCoco) return parseCoco(value, file.name, problems);
  return parseVia(value, file.name, problems, {
    sizeOf: async (name) => {
      const picture = pictures.get(name);
      if (picture === undefined) throw new RcnnError('IMAGE_MISSING', { where: name, problem: 'it was not dropped' });
      const { height, width } = await decodeBlob(picture, { name });
      return [height, width];
    },
  });
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RcnnError('FILE_MALFORMED', { where: name, problem: 'it is no JSON', found: String(cause), cause });
  }
}

/** A drop has names without folders; annotation files may name them in one. */
function inFlatFolder(set: AnnotationSet): AnnotationSet {
  return { ...set, images: set.images.map((image) => ({ ...image, file: image.file.split('/').at(-1)! })) };
}
