import { writeFile } from 'node:fs/promises';
import { RcnnError } from '@rcnn/core/errors';
import { writeError } from '@rcnn/files';
import sharp from 'sharp';
import type { ImageRecord } from '../../records.ts';
import { readImageHeader } from '../images/decode.ts';
import type { FolderImages } from '../images/folder-images.ts';

/**
 * Writes a picture without an EXIF orientation: `shown`, the orientation becomes the order of its pixels, which is how
 * people see it; `stored`, the pixels stay where they are.
 * @throws IMAGE_CORRUPT, FILE_EXISTS, DISK_FULL, IO_FAILED
 */
export async function writeUpright(
  bytes: Uint8Array,
  target: string,
  pixels: 'shown' | 'stored' = 'shown',
): Promise<void> {
  const turned = await upright(bytes, target, pixels);
  await writeFile(target, turned, { flag: 'wx' }).catch((cause: unknown) => {
    throw writeError(target, cause);
  });
}

/**
 * A picture file without an EXIF orientation, in the format it had, without loss where the format can; a JPEG at quality
 * 100 without subsampling, for turning means coding anew.
 * @param name named in errors
 * @throws IMAGE_CORRUPT
 */
export async function upright(
  bytes: Uint8Array,
  name: string,
  pixels: 'shown' | 'stored' = 'shown',
): Promise<Uint8Array> {
  try {
    const { format } = await sharp(bytes).metadata();
    const picture = sharp(bytes, { failOn: 'error', ignoreIcc: true });
    if (pixels === 'shown') picture.autoOrient();
    if (format === 'png') picture.png();
    else if (format === 'webp') picture.webp({ lossless: true });
    else if (format === 'tiff') picture.tiff({ compression: 'deflate' });
    else picture.jpeg({ quality: 100, chromaSubsampling: '4:4:4' });
    return await picture.toBuffer();
  } catch (cause) {
    throw new RcnnError('IMAGE_CORRUPT', { where: name, problem: 'the picture could not be turned upright', cause });
  }
}

/** Whether the objects of a picture with an EXIF orientation were drawn on it as stored or as shown; undefined without one. */
export async function drawnOn(image: ImageRecord, store: FolderImages): Promise<'shown' | 'stored' | undefined> {
  const { size, orientation } = await readImageHeader(await store.locate(image.file), image.file);
  if (orientation <= 1) return undefined;
  const isTurned = orientation >= 5 && size[0] !== size[1] && image.size[0] === size[1] && image.size[1] === size[0];
  return isTurned || store.options.orientation === 'apply' ? 'shown' : 'stored';
}
