import { dirname, join } from 'node:path';
import { counted, isRcnnError } from '@rcnn/core/errors';
import type { Problem, Problems } from '../../doctor/problems.ts';
import { parseYoloLabels } from '../../formats/yolo/parse-yolo.ts';
import type { AnnotationRecord, ImageRecord } from '../../records.ts';
import { FolderImages } from '../images/folder-images.ts';
import { addFileProblem } from './file-problem.ts';
import { foldersIn, foldersWith, isFolder, nameOf, namesIn } from './folders.ts';
import { ImageSizes } from './image-sizes.ts';
import { hasLabelme } from './labelme-reader.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';
import { type DataYaml, listsBeside, readDataFile, SPLITS, yamlIn } from './yolo-data.ts';
import { hasTexts, labelFile, labelsOf, NAMES, reportLabelsAlone } from './yolo-labels.ts';
import { isListed, picturesBelow, picturesOf } from './yolo-pictures.ts';
import { foldersOf, foldersOfLayout, reportSplitsMissing, type SplitOptions, wholeFolder } from './yolo-splits.ts';

const FORMAT = 'yolo';

/** YOLO's `data.yaml` with `images` and `labels` folders, boxes or outlines. */
export const yoloReader: DatasetReader = {
  format: FORMAT,

  async find(path, { images, split, format }) {
    const said = { images, split };
    const isRoot = await isFolder(path);
    const file = isRoot ? await yamlIn(path) : /\.ya?ml$/i.test(path) ? path : undefined;
    if (file === undefined) {
      if (!isRoot) return [];
      const named = await sourcesOfNames(path, said);
      return named.length > 0 ? named : sourcesOfYamlBelow(path, said);
    }
    let data: DataYaml;
    try {
      data = await readDataFile(file);
    } catch (error) {
      if (format === FORMAT || file === path || !isRcnnError(error) || (await hasLabels(path))) throw error;
      return [];
    }
    return sourcesOfYaml(file, data, said);
  },

  async read({ annotations, images, split }, problems, options) {
    const data = await readDataFile(annotations);
    const store = new FolderImages(images, options);
    const sizes = new ImageSizes(store);
    const records: ImageRecord[] = [];
    const objects: AnnotationRecord[] = [];
    const labels = { found: 0, missing: undefined as string | undefined };
    const named = data.places.get(split) ?? [];
    const pictures = isListed(named)
      ? await picturesOf(named, dirname(annotations), data.root, images, annotations, problems)
      : await picturesBelow(images);
    for (const file of pictures) {
      try {
        if (await readPicture(file, sizes, annotations, problems, data, records, objects)) labels.found++;
        else labels.missing ??= file;
      } catch (error) {
        if (!isRcnnError(error)) throw error;
        addFileProblem(problems, error, { source: annotations, place: file });
      }
    }
    sizes.report(annotations, problems);
    await reportSplitsMissing(annotations, data, split, options.images, problems);
    if (labels.found === 0 && labels.missing !== undefined) {
      const found = `${counted(records.length, 'picture')} without labels; that of ${labels.missing} was looked for at ${labelFile(join(store.root, labels.missing))} and beside it`;
      problems.add({ kind: 'labels-missing', source: annotations, place: labels.missing, found });
    }
    if (!isListed(named)) await reportLabelsAlone(store.root, pictures, annotations, problems);
    return { source: annotations, images: records, annotations: objects, categories: data.names };
  },
};

async function sourcesOfYaml(file: string, data: DataYaml, said: SplitOptions): Promise<readonly DatasetSource[]> {
  return sourcesOf(file, await foldersOf(file, data, said));
}

function sourcesOf(annotations: string, folders: ReadonlyMap<string, string>): readonly DatasetSource[] {
  return [...folders].map(([split, images]) => ({ format: FORMAT, split, annotations, images }));
}

/** The only YAML file in the folders right below, where it is YOLO's: people keep it apart from pictures and labels. */
async function sourcesOfYamlBelow(path: string, said: SplitOptions): Promise<readonly DatasetSource[]> {
  const below = await Promise.all((await foldersIn(path)).map((name) => yamlIn(join(path, name))));
  const [file, ...others] = below.filter((one) => one !== undefined);
  if (file === undefined || others.length > 0) return [];
  const data = await readDataFile(file).catch((error: unknown) => {
    if (isRcnnError(error)) return undefined; // of another program
    throw error;
  });
  return data === undefined ? [] : sourcesOfYaml(file, data, said);
}

/** Whether a folder with a YAML file is YOLO's, whatever stands in the file. */
async function hasLabels(folder: string): Promise<boolean> {
  for (const name of ['labels', 'train/labels', 'valid/labels', 'test/labels'])
    if (await isFolder(join(folder, name))) return true;
  return false;
}

/** @returns whether the picture has a file of labels */
async function readPicture(
  file: string,
  sizes: ImageSizes,
  source: string,
  problems: Problems,
  { names, keypoints }: DataYaml,
  images: ImageRecord[],
  annotations: AnnotationRecord[],
): Promise<boolean> {
  const size = await sizes.of(file);
  const text = await labelsOf(join(sizes.store.root, file));
  images.push({ id: file, file, size, sizeOfFile: 'format', place: file });
  const ofImage = { add: (problem: Problem) => problems.add({ ...problem, imageId: file }) };
  const place = file.replace(/\.[^.]+$/, '.txt');
  for (const { index, ...object } of parseYoloLabels(text ?? '', size, place, source, ofImage, keypoints)) {
    if (index >= names.length) {
      ofImage.add({
        kind: 'unknown-category',
        source,
        place: object.place,
        found: `class ${index} of ${names.length}`,
      });
      continue;
    }
    annotations.push({ ...object, id: annotations.length + 1, imageId: file, categoryId: index + 1, crowd: false });
  }
  return text !== undefined;
}

/**
 * Labels of tools that write names without a `data.yaml`: `classes.txt` of Label Studio and LabelImg beside `images` and
 * `labels` or beside the pictures, `obj.names` of darknet and CVAT.
 */
async function sourcesOfNames(path: string, said: SplitOptions): Promise<readonly DatasetSource[]> {
  const at = ['', 'labels', 'data', ...SPLITS].map((folder) => join(path, folder)); // darknet of Roboflow: in every split
  let file: string | undefined;
  for (const folder of at) {
    const name = (await namesIn(folder)).find((one) => NAMES.test(one));
    if (name !== undefined) file ??= join(folder, name);
  }
  if (file === undefined) return [];
  const places = await listsBeside(file);
  if (places.size > 0) return sourcesOf(file, await foldersOf(file, { places, root: undefined }, said));
  const folders = await foldersOfNames(path, file, said);
  for (const folder of folders.values()) if (await hasTexts(folder)) return sourcesOf(file, folders);
  // X-AnyLabeling writes classes.txt beside labelme's files.
  return (await foldersWith(path, hasLabelme)).length > 0 ? [] : sourcesOf(file, folders);
}

async function foldersOfNames(
  path: string,
  file: string,
  { images, split }: SplitOptions,
): Promise<ReadonlyMap<string, string>> {
  const folders = await foldersOfLayout(path);
  if (images !== undefined) {
    const below = await foldersOfLayout(images);
    const splits = folders.size > 0 ? [...folders.keys()] : [nameOf(path)];
    return below.size > 0 ? below : wholeFolder(images, splits, file, split);
  }
  if (folders.size > 0) return folders;
  const all = join(path, 'images');
  return new Map([[nameOf(path), (await isFolder(all)) ? all : path]]);
}
