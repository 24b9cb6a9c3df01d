import { relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { FolderImages } from '@rcnn/coco-data/node';
import { isRcnnError } from '@rcnn/core/errors';
import { ZipFile } from 'yazl';
import { documentText } from './coco-document.ts';
import type { DatasetStore } from './dataset-store.ts';

/** The dataset as one archive: unpacked, it is a folder that every command reads. Pictures without a file are left out. */
export async function zipOf(store: DatasetStore): Promise<Readable> {
  const zip = new ZipFile();
  const names = new Set<string>();
  for (const { file, images, document } of store.splits) {
    const folder = below(store.folder, images) ?? 'images';
    zip.addBuffer(Buffer.from([...documentText(document)].join('')), below(store.folder, file)!);
    const pictures = new FolderImages(images);
    for (const { file_name } of document.images) {
      const name = folder === '' ? file_name : `${folder}/${file_name}`;
      if (names.has(name)) continue;
      names.add(name);
      try {
        zip.addFile(await pictures.locate(file_name), name, { compress: false });
      } catch (error) {
        if (!isRcnnError(error)) throw error;
      }
    }
  }
  zip.end();
  return zip.outputStream as Readable;
}

function below(folder: string, path: string): string | undefined {
  const inside = relative(folder, path).replaceAll(sep, '/');
  return inside.startsWith('..') ? undefined : inside;
}
