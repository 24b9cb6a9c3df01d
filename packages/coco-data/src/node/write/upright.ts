import { writeFile } from 'node:fs/promises';
import { RcnnError } from '@rcnn/core/errors';
import sharp from 'sharp';
import { writeError } from './output-folder.ts';

/**
 * Writes a picture as people see it: its EXIF orientation becomes the order of its pixels. In the format it had, without
 * loss where the format can; a JPEG at quality 100 without subsampling, for turning means coding anew.
 * @throws IMAGE_CORRUPT, FILE_EXISTS, DISK_FULL, IO_FAILED
 */
export async function writeUpright(bytes: Uint8Array, target: string): Promise<void> {
  let turned: Uint8Array;
  try {
    const { format } = await sharp(bytes).metadata();
    const picture = sharp(bytes, { failOn: 'error', ignoreIcc: true }).autoOrient();
    if (format === 'png') picture.png();
    else if (format === 'webp') picture.webp({ lossless: true });
    else if (format === 'tiff') picture.tiff({ compression: 'deflate' });
    else picture.jpeg({ quality: 100, chromaSubsampling: '4:4:4' });
    turned = await picture.toBuffer();
  } catch (cause) {
    throw new RcnnError('IMAGE_CORRUPT', { where: target, problem: 'the picture could not be turned upright', cause });
  }
  await writeFile(target, turned, { flag: 'wx' }).catch((cause: unknown) => {
    throw writeError(target, cause);
  });
}
