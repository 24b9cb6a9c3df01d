import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { PICTURE } from '@rcnn/files';
import { IMAGE_FOLDERS } from '../images/image-names.ts';
import type { DatasetSource } from './reader.ts';

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/** Names in a folder, sorted, without hidden ones; none where there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).filter(isShown).sort();
}

/** Names of files in a folder and in those below it, with slashes, sorted, without hidden ones. */
export async function namesBelow(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  return names
    .map((name) => name.replaceAll(sep, '/'))
    .filter((name) => name.split('/').every(isShown))
    .sort();
}

/** macOS leaves a `._a.png` beside every `a.png` on disks of others: with the ending of a picture, and none. */
function isShown(name: string): boolean {
  return !name.startsWith('.');
}

/** Folders right below a folder, and links to folders, sorted. */
export async function foldersIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names: string[] = [];
  for (const entry of entries) {
    const isOne = entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(join(folder, entry.name))));
    if (isOne && isShown(entry.name)) names.push(entry.name);
  }
  return names.sort();
}

/**
 * The folder itself where it has files of a format, else those below it that have, else those one step further down. A
 * stray file in the folder itself does not hide those below it that are called like splits.
 */
export async function foldersWith(root: string, has: (folder: string) => Promise<boolean>): Promise<readonly string[]> {
  if (await has(root)) {
    const found = [root];
    for (const name of await foldersIn(root))
      if (SPLIT.test(name) && (await has(join(root, name)))) found.push(join(root, name));
    return found;
  }
  let level: readonly string[] = [root];
  for (let depth = 0; depth < 2; depth++) {
    const below = await Promise.all(level.map(async (at) => (await foldersIn(at)).map((name) => join(at, name))));
    level = below.flat();
    const found: string[] = [];
    for (const folder of level) if (await has(folder)) found.push(folder);
    if (found.length > 0) return found;
  }
  return [];
}

/** Splits of formats that have a file for each picture: the pictures are beside them, or in a folder of their own. */
export async function sourcesOfFolders(
  format: string,
  folders: readonly string[],
  images: string | undefined,
): Promise<readonly DatasetSource[]> {
  return Promise.all(
    folders.map(async (folder) => ({
      format,
      split: nameOf(folder),
      annotations: folder,
      images: images ?? (await picturesOf(folder)),
    })),
  );
}

/** `annotations` has `images` beside it, and `annotations/train` has `images/train`. */
async function picturesOf(folder: string): Promise<string> {
  const hasPictures = async (at: string): Promise<boolean> => (await namesIn(at)).some((name) => PICTURE.test(name));
  if (await hasPictures(folder)) return folder;
  const [above, name] = [dirname(resolve(folder)), nameOf(folder)];
  for (const at of IMAGE_FOLDERS) {
    for (const place of [join(above, at), join(dirname(above), at, name), join(dirname(above), at)])
      if (await hasPictures(place)) return place;
  }
  return folder;
}

/** What a person calls a folder, wherever it is looked at from. */
export function nameOf(folder: string): string {
  return basename(resolve(folder)) || 'data';
}

/**
 * Annotation files of the layouts in use: `annotations/instances_<split>.json`, `<split>/_annotations.coco.json`,
 * `<split>/via_*.json`, or one of them in the folder itself. Captions and panoptic files stand beside COCO's instances.
 */
export async function annotationFiles(root: string): Promise<readonly string[]> {
  const files: string[] = [];
  const scan = async (folder: string, wanted: RegExp): Promise<void> => {
    for (const name of await namesIn(folder)) if (wanted.test(name)) files.push(join(folder, name));
  };
  await scan(join(root, 'annotations'), /^(?!captions_|panoptic_|stuff_|image_info_).*\.json$/);
  const instances = files.filter((file) => basename(file).startsWith('instances_'));
  if (instances.length > 0) return [...instances, ...otherSplits(files, instances)];
  const silent: string[] = [];
  for (const folder of (await foldersIn(root)).filter((name) => name !== 'annotations')) {
    const before = files.length;
    await scan(join(root, folder), /^(?:_annotations\.coco|via_.*|annotations|result)\.json$/);
    if (files.length === before && SPLIT.test(folder)) silent.push(join(root, folder));
  }
  // Beside splits whose files have such a name, one may have a name of its own.
  if (files.length > 0) for (const folder of silent) files.push(...(await onlyFile(folder)));
  await scan(root, /^(?:_annotations\.coco|via_.*|annotations|instances_.*|result)\.json$/);
  return files;
}

/** Files of splits that none of the others stands for: `val.json` beside `instances_train.json`. */
function otherSplits(files: readonly string[], instances: readonly string[]): readonly string[] {
  const known = new Set(instances.map(splitOf));
  return files.filter(
    (file) => SPLIT.test(splitOf(file)) && !known.has(splitOf(file)) && !KEYPOINTS.test(basename(file)),
  );
}

const KEYPOINTS = /^person_keypoints_/;

/** The one JSON file of a folder; of several, any may be the one. */
async function onlyFile(folder: string): Promise<readonly string[]> {
  const names = (await namesIn(folder)).filter((name) => name.endsWith('.json'));
  return names.length === 1 ? [join(folder, names[0]!)] : [];
}

/** What people call a split; other names of files, such as `labels` or `via_region_data`, say nothing of one. */
const SPLIT = /^(?:train(?:ing)?|val(?:id|idation)?|eval|test(?:ing)?|dev)\d*$/i;

/**
 * The split that an annotation file is called after: all that follows `instances_`, as copies are written whatever their
 * split is called; `train` of `train_annotations.coco` or `via_region_data_train`; else the name itself.
 */
export function splitOf(file: string): string {
  const stem = basename(file, extname(file));
  const named = /^(?:instances|person_keypoints)_(.+)$/.exec(stem)?.[1];
  if (named !== undefined) return named;
  const word = stem
    .replace(/^(?:(?:coco|annotations?|via_region_data|via_project|via)[_.-])+/i, '')
    .replace(/(?:[_.-](?:instances|coco|annotations?))+$/i, '');
  return SPLIT.test(word) ? word : stem;
}

/** The split that an annotation file stands for, and where its images are. */
export async function sourceOfFile(
  file: string,
  format: string,
  { images, split }: { readonly images?: string | undefined; readonly split?: string | undefined },
): Promise<DatasetSource> {
  const folder = dirname(file);
  const inAnnotations = basename(folder) === 'annotations';
  const own = splitOf(file);
  const says = inAnnotations || SPLIT.test(own) || (basename(file).startsWith('instances_') && own !== 'default');
  const name = split ?? (says ? own : nameOf(folder));
  const found = { format, split: name, annotations: file };
  if (images !== undefined) return { ...found, images };
  if (!inAnnotations) return { ...found, images: (says ? await picturesOfSplit(folder, name) : undefined) ?? folder };
  const above = dirname(folder);
  const all = join(above, 'images');
  return { ...found, images: (await picturesOfSplit(above, name)) ?? ((await isFolder(all)) ? all : above) };
}

/** `train` or `images/train`. */
export async function picturesOfSplit(root: string, split: string): Promise<string | undefined> {
  return (await folderOfSplit(root, split)) ?? (await folderOfSplit(join(root, 'images'), split));
}

/**
 * The folder of a split's pictures: called like the split, or like the end of its name with or without a year:
 * `lvis_v1_train.json` has its pictures in `train2017`.
 */
async function folderOfSplit(above: string, split: string): Promise<string | undefined> {
  const end = split.split(/[_\-. ]/).at(-1)!;
  for (const name of [split, end]) if (await isFolder(join(above, name))) return join(above, name);
  const named = (await foldersIn(above)).filter((name) => withoutYear(name) === withoutYear(end));
  return named.length === 1 ? join(above, named[0]!) : undefined;
}

function withoutYear(split: string): string {
  return split.replace(/\d{4}$/, '');
}
