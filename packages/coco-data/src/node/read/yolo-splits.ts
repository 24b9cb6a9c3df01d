import { dirname, join } from 'node:path';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { Problems } from '../../doctor/problems.ts';
import { isFolder } from './folders.ts';
import type { OpenOptions } from './open.ts';
import { type DataYaml, folderBelow, folderOf, SPLITS } from './yolo-data.ts';
import { isListed } from './yolo-pictures.ts';

/** What a person says of the splits: where pictures are, and which split is meant. */
export type SplitOptions = Pick<OpenOptions, 'images' | 'split'>;

/**
 * The folders of the splits that are there: below the folder of images that a person names, else by the file.
 * @throws INVALID_ARGUMENT where the folder that was named has none for each split
 */
export async function foldersOf(
  file: string,
  data: Pick<DataYaml, 'places' | 'root'>,
  { images, split }: SplitOptions,
): Promise<ReadonlyMap<string, string>> {
  const folders = await foldersThere(file, data, images);
  if (images === undefined || folders.size > 0) return folders;
  return wholeFolder(images, [...data.places.keys()], file, split);
}

async function foldersThere(
  file: string,
  { places, root }: Pick<DataYaml, 'places' | 'root'>,
  images: string | undefined,
): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const [split, named] of places) {
    const [place] = named;
    if (!place) continue;
    const look = () => (images === undefined ? folderOf(dirname(file), root, place) : folderBelow(images, root, place));
    const folder = isListed(named) ? (images ?? dirname(file)) : await look();
    if (folder !== undefined) folders.set(split, folder);
  }
  return images === undefined ? folders : withoutShared(folders, places);
}

/** Without folders to which several places lead by their ends (`train/images` and `val/images`): they are none's own. */
function withoutShared(folders: ReadonlyMap<string, string>, places: DataYaml['places']): ReadonlyMap<string, string> {
  const isOwn = (split: string, folder: string): boolean =>
    [...folders].every(
      ([other, one]) =>
        one !== folder || isListed(places.get(other)!) || places.get(other)![0] === places.get(split)![0],
    );
  return new Map([...folders].filter(([split, folder]) => isOwn(split, folder)));
}

/**
 * A folder of pictures for the only split, or for the one that is asked for.
 * @throws INVALID_ARGUMENT for several: what is learnt would be measured on the pictures that it was learnt from
 */
export function wholeFolder(
  images: string,
  splits: readonly string[],
  file: string,
  wanted: string | undefined,
): ReadonlyMap<string, string> {
  const meant = splits.filter((split) => splits.length === 1 || split === wanted);
  if (meant.length > 0 || splits.length === 0) return new Map(meant.map((split) => [split, images]));
  throw new RcnnError('INVALID_ARGUMENT', {
    where: file,
    problem: 'all splits would have the same pictures',
    found: `no folder for one of them in ${images}`,
    expected: splits.join(', '),
    hint: `Name the folder that theirs are in (--images), or choose one split (--split ${splits[0]}).`,
  });
}

/** Tells once, with the first split, of those that the file names and that are not there. */
export async function reportSplitsMissing(
  file: string,
  data: DataYaml,
  split: string,
  images: string | undefined,
  problems: Problems,
): Promise<void> {
  const folders = await foldersThere(file, data, images);
  if (split !== [...folders.keys()][0]) return;
  for (const [place, named] of data.places) {
    if (folders.has(place)) continue;
    const found = `${quoteName(named[0] ?? '')} is no folder below ${images ?? dirname(file)}`;
    problems.add({ kind: 'split-missing', source: file, place, found });
  }
}

/** The folders of splits as tools lay them out that write no `data.yaml`. */
export async function foldersOfLayout(path: string): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const split of SPLITS) {
    for (const choice of [join('images', split), join(split, 'images'), `obj_${split}_data`, split]) {
      if (!(await isFolder(join(path, choice)))) continue;
      folders.set(split, join(path, choice));
      break;
    }
  }
  return folders;
}
