import { resolve } from 'node:path';
import { counted, quoteName } from '@rcnn/core/errors';
import type { Split } from './split.ts';

/** Pictures that a note names; of more it says how many there are. */
const NAMED = 5;

/** A file of pictures, and the splits that have a record of it. */
interface Place {
  readonly file: string;
  readonly splits: Set<string>;
}

/**
 * A note for each group of splits that hold the same files: what is measured on a picture that was learned from tells
 * nothing of others. Somebody may have meant it so, and their objects may differ, so none is taken away.
 */
export function twinNotes(splits: readonly Split[]): readonly string[] {
  const groups = new Map<string, string[]>();
  for (const { file, splits: names } of placesOf(splits)) {
    if (names.size < 2) continue;
    const where = [...names].map((name) => quoteName(name)).join(' and in ');
    const group = groups.get(where);
    if (group === undefined) groups.set(where, [file]);
    else group.push(file);
  }
  return [...groups].map(([where, files]) => twinNote(where, files));
}

/** Files of one name in two folders are two files. */
function placesOf(splits: readonly Split[]): Iterable<Place> {
  const places = new Map<string, Place>();
  for (const { name, images, document } of splits) {
    for (const { file_name: file } of document.images) {
      const path = resolve(images, file);
      const place = places.get(path);
      if (place === undefined) places.set(path, { file, splits: new Set([name]) });
      else place.splits.add(name);
    }
  }
  return places.values();
}

function twinNote(where: string, files: readonly string[]): string {
  const shown = files.slice(0, NAMED).map((file) => quoteName(file));
  const named = `${shown.join(', ')}${files.length > NAMED ? ', …' : ''}`;
  const pictures = counted(files.length, 'picture is', 'pictures are');
  return `${pictures} in ${where}: ${named}. Nothing was changed; take ${files.length === 1 ? 'it' : 'each'} out of one of them.`;
}
