import { join, relative, sep } from 'node:path';
import { quoteName } from '@rcnn/core/errors';
import { PICTURE, photographs } from '@rcnn/files';
import type { Problems } from '../../doctor/problems.ts';
import { readText } from '../files/text.ts';
import { ImageNames } from '../images/image-names.ts';
import { namesBelow } from './folders.ts';
import { folderOf, listAt } from './yolo-data.ts';

/** A split that is a list of pictures (`train.txt`), or several folders, has its pictures anywhere below the file. */
export function isListed(named: readonly string[]): boolean {
  return named.length > 1 || /\.txt$/i.test(named[0] ?? '');
}

/** The pictures of such a split, below the folder of images. Lines that lead to no picture are reported. */
export async function picturesOf(
  named: readonly string[],
  base: string,
  root: string | undefined,
  images: string,
  source: string,
  problems: Problems,
): Promise<readonly string[]> {
  const pictures = new Set<string>();
  const names = new ImageNames(images);
  for (const place of named) {
    if (!/\.txt$/i.test(place)) {
      const folder = await folderOf(base, root, place);
      if (folder === undefined)
        problems.add({ kind: 'file-missing', source, place, found: `${quoteName(place)} is no folder here` });
      else
        for (const file of await picturesBelow(folder))
          pictures.add(relative(images, join(folder, file)).replaceAll(sep, '/'));
      continue;
    }
    const list = await listAt(base, root, place);
    if (list === undefined) {
      problems.add({ kind: 'file-missing', source, place, found: `there is no list ${quoteName(place)}` });
      continue;
    }
    const lines = (await readText(list)).split(/\r?\n/).map((line) => line.trim());
    const written = lines.filter((line) => line !== '');
    const files = await names.findAll(written);
    for (const [i, line] of lines.entries()) {
      if (line === '') continue;
      const file = files.get(line) ?? line;
      if ((await names.find(file)) === file) pictures.add(file);
      else
        problems.add({
          kind: 'image-missing',
          source,
          place: `${place}:${i + 1}`,
          found: `${line} is not below ${images}`,
        });
    }
  }
  return [...pictures];
}

/** Pictures in a folder and in those below it, sorted. */
export async function picturesBelow(folder: string): Promise<readonly string[]> {
  return photographs(await namesBelow(folder)).filter((name) => PICTURE.test(name));
}
