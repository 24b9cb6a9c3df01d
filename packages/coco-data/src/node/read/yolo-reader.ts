import { basename, dirname, extname, join, sep } from 'node:path';
import { counted, isRcnnError, quoteName } from '@rcnn/core/errors';
import type { Problem, Problems } from '../../doctor/problems.ts';
import { parseYoloLabels } from '../../formats/yolo/parse-yolo.ts';
import type { AnnotationRecord, ImageRecord } from '../../records.ts';
import { readText } from '../files/text.ts';
import { readImageHeader } from '../images/decode.ts';
import { FolderImages } from '../images/folder-images.ts';
import { fileProblem } from './file-problem.ts';
import { foldersIn, foldersWith, isFolder, nameOf, namesBelow, namesIn } from './folders.ts';
import { ImageSizes } from './image-sizes.ts';
import { hasLabelme } from './labelme-reader.ts';
import type { DatasetReader, DatasetSource } from './reader.ts';
import { type DataYaml, folderOf, readDataFile, SPLITS, yamlIn } from './yolo-data.ts';
import { isListed, picturesBelow, picturesOf } from './yolo-pictures.ts';

const FORMAT = 'yolo';

/** YOLO's `data.yaml` with `images` and `labels` folders, boxes or outlines. */
export const yoloReader: DatasetReader = {
  format: FORMAT,

  async find(path, { images, format }) {
    const isRoot = await isFolder(path);
    const file = isRoot ? await yamlIn(path) : /\.ya?ml$/i.test(path) ? path : undefined;
    if (file === undefined) {
      if (!isRoot) return [];
      const named = await sourcesOfNames(path, images);
      return named.length > 0 ? named : sourcesOfYamlBelow(path, images);
    }
    let data: DataYaml;
    try {
      data = await readDataFile(file);
    } catch (error) {
      if (format === FORMAT || file === path || !isRcnnError(error) || (await hasLabels(path))) throw error;
      return [];
    }
    return sourcesOfYaml(file, data, images);
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
        problems.add({ kind: fileProblem(error), source: annotations, place: file, found: error.message });
      }
    }
    sizes.report(annotations, problems);
    await reportSplitsMissing(annotations, data, split, problems);
    if (labels.found === 0 && labels.missing !== undefined) {
      const found = `${counted(records.length, 'picture')} without labels; that of ${labels.missing} was looked for at ${labelFile(join(store.root, labels.missing))} and beside it`;
      problems.add({ kind: 'labels-missing', source: annotations, place: labels.missing, found });
    }
    if (!isListed(named)) await reportLabelsAlone(store.root, pictures, annotations, problems);
    return { source: annotations, images: records, annotations: objects, categories: data.names };
  },
};

async function sourcesOfYaml(
  file: string,
  data: DataYaml,
  images: string | undefined,
): Promise<readonly DatasetSource[]> {
  const folders = await foldersOf(file, data);
  return [...folders].map(([split, folder]) => ({
    format: FORMAT,
    split,
    annotations: file,
    images: images ?? folder,
  }));
}

/** The only YAML file in the folders right below, where it is YOLO's: people keep it apart from pictures and labels. */
async function sourcesOfYamlBelow(path: string, images: string | undefined): Promise<readonly DatasetSource[]> {
  const below = await Promise.all((await foldersIn(path)).map((name) => yamlIn(join(path, name))));
  const [file, ...others] = below.filter((one) => one !== undefined);
  if (file === undefined || others.length > 0) return [];
  try {
    return await sourcesOfYaml(file, await readDataFile(file), images);
  } catch (error) {
    if (isRcnnError(error)) return []; // of another program
    throw error;
  }
}

/** The folders of the splits that are there. */
async function foldersOf(file: string, { places, root }: DataYaml): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const [split, named] of places) {
    const folder = isListed(named) ? dirname(file) : named[0] && (await folderOf(dirname(file), root, named[0]));
    if (folder) folders.set(split, folder);
  }
  return folders;
}

/** Tells once, with the first split, of those that the file names and that are not there. */
async function reportSplitsMissing(file: string, data: DataYaml, split: string, problems: Problems): Promise<void> {
  const folders = await foldersOf(file, data);
  if (split !== [...folders.keys()][0]) return;
  for (const [place, named] of data.places) {
    if (folders.has(place)) continue;
    const found = `${quoteName(named[0] ?? '')} is no folder below ${dirname(file)}`;
    problems.add({ kind: 'split-missing', source: file, place, found });
  }
}

/** Labels whose picture is gone would be missing in silence: the reader goes by the pictures. */
async function reportLabelsAlone(
  root: string,
  pictures: readonly string[],
  source: string,
  problems: Problems,
): Promise<void> {
  const folder = labelFile(join(root, 'x.png')).slice(0, -'x.txt'.length);
  const known = new Set(pictures.map((file) => file.replace(/\.[^.]+$/, '')));
  const names = folder.startsWith(`${root}${sep}`) ? [] : await namesBelow(folder);
  for (const name of names) {
    const stem = name.slice(0, -'.txt'.length);
    if (!name.endsWith('.txt') || known.has(stem) || /(?:^|\/)classes\.txt$/.test(name)) continue;
    const other = (await namesIn(dirname(join(root, name)))).find((one) => stemOf(one) === basename(stem));
    problems.add({ source, place: name, ...(await whyUnread(root, name, other && join(dirname(name), other))) });
  }
}

/** Why labels have no picture: there is none, or it is a file that is not read. */
async function whyUnread(
  root: string,
  label: string,
  other: string | undefined,
): Promise<Pick<Problem, 'kind' | 'found'>> {
  const missing = { kind: 'image-missing', found: `${label} has no picture in ${root}` } as const;
  if (other === undefined) return missing;
  try {
    await readImageHeader(join(root, other), other);
    return { ...missing, found: `${missing.found}; ${other} is one, under an ending of no picture` };
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return { kind: fileProblem(error), found: error.message };
  }
}

function stemOf(name: string): string {
  return name.slice(0, name.length - extname(name).length);
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
 * The text of a picture's labels; a picture without a label file has no objects. A folder far above that happens to be
 * called `images` says nothing: where it leads to no labels, those beside the picture are taken.
 */
async function labelsOf(picture: string): Promise<string | undefined> {
  const beside = picture.slice(0, picture.length - extname(picture).length) + '.txt';
  for (const label of [labelFile(picture), beside]) {
    try {
      return await readText(label);
    } catch (error) {
      if (!isRcnnError(error, 'FILE_MISSING')) throw error;
    }
  }
  return undefined;
}

/** `images` becomes `labels` in the last place where it stands, as YOLO does it; else the label is beside the picture. */
function labelFile(image: string): string {
  const steps = image.split(/[/\\]/);
  const at = steps.lastIndexOf('images');
  if (at >= 0) steps[at] = 'labels';
  const path = steps.join('/');
  return path.slice(0, path.length - extname(path).length) + '.txt';
}

/**
 * Labels of tools that write names without a `data.yaml`: `classes.txt` of Label Studio and LabelImg beside `images` and
 * `labels` or beside the pictures, `obj.names` of darknet and CVAT.
 */
async function sourcesOfNames(path: string, images: string | undefined): Promise<readonly DatasetSource[]> {
  const at = ['', 'labels', 'data', ...SPLITS].map((folder) => join(path, folder)); // darknet of Roboflow: in every split
  let file: string | undefined;
  for (const folder of at) {
    const name = (await namesIn(folder)).find((one) => NAMES.test(one));
    if (name !== undefined) file ??= join(folder, name);
  }
  if (file === undefined) return [];
  const source = (split: string, folder: string): DatasetSource => ({
    format: FORMAT,
    split,
    annotations: file,
    images: images ?? folder,
  });
  const folders: [string, string][] = [];
  for (const split of SPLITS) {
    const choices = [join('images', split), join(split, 'images'), `obj_${split}_data`, split];
    for (const choice of choices)
      if (await isFolder(join(path, choice))) {
        folders.push([split, join(path, choice)]);
        break;
      }
  }
  const all = join(path, 'images');
  const sources =
    folders.length > 0
      ? folders.map(([split, folder]) => source(split, folder))
      : [source(nameOf(path), (await isFolder(all)) ? all : path)];
  for (const { images: folder } of sources) if (await hasTexts(folder)) return sources;
  // X-AnyLabeling writes classes.txt beside labelme's files.
  return (await foldersWith(path, hasLabelme)).length > 0 ? [] : sources;
}

/** Whether labels lie where those of a folder of pictures are looked for. */
async function hasTexts(folder: string): Promise<boolean> {
  const places = [dirname(labelFile(join(folder, 'x.png'))), folder];
  const names = await Promise.all(places.map(namesBelow));
  return names.flat().some((name) => /\.txt$/i.test(name) && !NAMES.test(name.slice(name.lastIndexOf('/') + 1)));
}

const NAMES = /^(?:classes\.txt|[\w-]+\.names|_darknet\.labels)$/i;
