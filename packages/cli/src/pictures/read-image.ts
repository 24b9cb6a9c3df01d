import { readFile, stat } from 'node:fs/promises';
import { fileError } from '@rcnn/checkpoint/node';
import { type DecodeOptions, decodeImage } from '@rcnn/coco-data/node';
import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';

export type ReadImageOptions = Pick<DecodeOptions, 'maxPixels' | 'orientation'>;

/**
 * An image file as people see it: turned as its EXIF orientation says, unless asked otherwise.
 * @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, and what `decodeImage` throws
 */
export async function readImage(file: string, options: ReadImageOptions = {}): Promise<PixelImage> {
  return decodeImage(await bytesOf(file), { orientation: 'apply', ...options, name: file });
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    if ((await stat(file)).isFile()) return await readFile(file);
  } catch (error) {
    throw fileError(file, 'cannot be read', error);
  }
  throw new RcnnError('FILE_REFUSED', { where: file, problem: 'this is not a file but a folder, pipe or device' });
}
