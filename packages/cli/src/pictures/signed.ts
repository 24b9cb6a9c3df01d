import { readFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import type { IsOurs } from '../output/own-files.ts';
import { type PictureKind, signature } from './picture-kind.ts';

/** The picture with the name of this program in its EXIF block, by which a later run knows it again. */
export function signed(image: Sharp, kind: PictureKind): Sharp {
  return image.withExif({ IFD0: { Software: signature(kind) } });
}

/** Whether a file carries the signature of pictures of a kind. */
export function isSigned(kind: PictureKind): IsOurs {
  const mark = `${signature(kind)}\0`; // as EXIF ends a text
  return async (file) => {
    try {
      // From bytes: by its name sharp would remember what the file once was.
      const { exif } = await sharp(await readFile(file)).metadata();
      return exif?.includes(mark) === true;
    } catch {
      return false; // what cannot be read is somebody else's
    }
  };
}
