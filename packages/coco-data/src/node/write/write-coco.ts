import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { finished } from 'node:stream/promises';
import { makeFolderSync, writeError } from '@rcnn/files';
import { type CocoFile, cocoOf } from '../../formats/coco/write-coco.ts';
import type { AnnotationSet } from '../../records.ts';

/**
 * Writes a set as a COCO file, element by element: it may become longer than the longest string.
 * @throws FILE_EXISTS; a file that was begun and could not be finished is removed
 */
export async function writeCoco(file: string, set: AnnotationSet): Promise<void> {
  makeFolderSync(dirname(file));
  const stream = createWriteStream(file, { flags: 'wx' });
  try {
    await once(stream, 'open');
    for (const piece of pieces(cocoOf(set))) if (!stream.write(piece)) await once(stream, 'drain');
    stream.end();
    await finished(stream);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    if (!exists) await unlink(file).catch(() => undefined);
    throw writeError(file, cause);
  }
}

function* pieces({ info, ...lists }: CocoFile): Generator<string> {
  yield `{"info":${JSON.stringify(info)}`;
  for (const [key, list] of Object.entries(lists)) {
    yield `,\n"${key}":[`;
    for (const [i, item] of list.entries()) yield `${i > 0 ? ',' : ''}\n${JSON.stringify(item)}`;
    yield ']';
  }
  yield '}\n';
}
