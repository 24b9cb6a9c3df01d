import { dirname, resolve } from 'node:path';
import { readHead } from '../files/text.ts';
import { ImageNames } from '../images/image-names.ts';
import { isFolder, splitOf } from './folders.ts';
import type { DatasetSource } from './reader.ts';

/** Names that are looked for: more than one, for the first picture may be missing. */
const LOOKED_FOR = 8;

/**
 * A source whose names begin further up than its file is (`ann/train.json` with `pictures/a.jpg`): its images are then
 * looked for from the folder, no higher than where the dataset begins, from which one of the names leads to a file.
 * @param path what was opened; of a file, the folder above its own is the highest
 */
export async function withImagesAbove(source: DatasetSource, path: string): Promise<DatasetSource> {
  const highest = resolve((await isFolder(path)) ? path : dirname(dirname(path)));
  const names = namesIn(await readHead(source.annotations).catch(() => ''));
  for (let at = resolve(source.images); names.length > 0 && at.startsWith(highest); at = dirname(at)) {
    const found = await new ImageNames(at, [splitOf(source.annotations)]).findAny(names);
    if (found) return at === resolve(source.images) ? source : { ...source, images: at };
    if (at === highest) break;
  }
  return source;
}

/** The first names of pictures in the text of a COCO file. */
function namesIn(head: string): readonly string[] {
  const names: string[] = [];
  for (const [, text] of head.matchAll(/"file_name"\s*:\s*("(?:[^"\\\n]|\\[^\n])*")/g)) {
    if (names.length === LOOKED_FOR) break;
    try {
      names.push(JSON.parse(text!) as string);
    } catch {
      continue; // the reader says where it is wrong
    }
  }
  return names;
}
