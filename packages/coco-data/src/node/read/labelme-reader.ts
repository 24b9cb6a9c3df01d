import { basename, join } from 'node:path';
import { isRcnnError } from '@rcnn/core/errors';
import type { Problems } from '../../doctor/problems.ts';
import { objectsOf, parseLabelme } from '../../formats/labelme/parse-labelme.ts';
import type { AnnotationRecord, AnnotationSet, ImageRecord } from '../../records.ts';
import { readHead, readJSON } from '../files/text.ts';
import { FolderImages } from '../images/folder-images.ts';
import { imageSize } from './coco-reader.ts';
import { fileProblem } from './file-problem.ts';
import { foldersIn, isFolder, nameOf, namesIn } from './folders.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';

const FORMAT = 'labelme';

/** labelme: a JSON file beside every picture, in one folder or one per split. */
export const labelmeReader: DatasetReader = {
  format: FORMAT,

  async find(path, { images }) {
    if (!(await isFolder(path))) return [];
    const of = (folder: string): DatasetSource => ({
      format: FORMAT,
      split: nameOf(folder),
      annotations: folder,
      images: images ?? folder,
    });
    if (await hasLabelme(path)) return [of(path)];
    const found: DatasetSource[] = [];
    for (const name of await foldersIn(path)) if (await hasLabelme(join(path, name))) found.push(of(join(path, name)));
    return found;
  },

  async read({ annotations, images }, problems, options) {
    const store = new FolderImages(images, options);
    const drafts: Draft[] = [];
    const records: ImageRecord[] = [];
    for (const name of (await namesIn(annotations)).filter((one) => one.endsWith('.json'))) {
      try {
        await readFile(join(annotations, name), name, annotations, store, problems, records, drafts);
      } catch (error) {
        if (!isRcnnError(error)) throw error;
        problems.add({ kind: fileProblem(error), source: annotations, place: name, found: error.message });
      }
    }
    return assemble(annotations, records, drafts);
  },
};

type Draft = Omit<AnnotationRecord, 'id' | 'categoryId' | 'crowd'> & { readonly label: string };

async function readFile(
  path: string,
  name: string,
  source: string,
  store: FolderImages,
  problems: Problems,
  images: ImageRecord[],
  drafts: Draft[],
): Promise<void> {
  const file = parseLabelme(await readJSON(path), name, source, problems);
  if (file === undefined) return;
  const image = await imageOf(file.image, name, store);
  const size = file.size[0] > 0 ? file.size : await imageSize(image, store);
  images.push({ id: image, file: image, size, place: name });
  for (const object of objectsOf(file, size)) drafts.push({ ...object, imageId: image });
}

/** The picture by the path in the file, else by its last part: folders are moved, and labelme wrote the way from there. */
async function imageOf(written: string, json: string, store: FolderImages): Promise<string> {
  const steps = written.split(/[/\\]/);
  const own = basename(json, '.json') + (/\.[^.]+$/.exec(written)?.[0] ?? '');
  for (const name of [written, steps.join('/'), steps.at(-1)!, own]) {
    const isThere = await store.locate(name).then(
      () => true,
      () => false,
    );
    if (isThere) return name;
  }
  return steps.at(-1) || own;
}

/** Classes are the labels in alphabetical order. */
export function assemble(source: string, images: readonly ImageRecord[], drafts: readonly Draft[]): AnnotationSet {
  const names = [...new Set(drafts.map(({ label }) => label))].sort();
  const idOf = new Map(names.map((name, i) => [name, i + 1]));
  const annotations = drafts.map(({ label, ...draft }, i) => ({
    ...draft,
    id: i + 1,
    categoryId: idOf.get(label)!,
    crowd: false,
  }));
  return { source, images, annotations, categories: names.map((name, i) => ({ id: i + 1, name })) };
}

async function hasLabelme(folder: string): Promise<boolean> {
  for (const name of (await namesIn(folder)).filter((one) => one.endsWith('.json')).slice(0, 5)) {
    const head = await readHead(join(folder, name), 2 ** 20).catch(() => '');
    if (/"shapes"\s*:/.test(head) && /"(?:shape_type|points|imagePath)"\s*:/.test(head)) return true;
  }
  return false;
}
