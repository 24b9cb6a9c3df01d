import type { ImageId } from '@rcnn/coco-data';
import type { DecodedImage } from '@rcnn/coco-data/node';
import { endStatus, note } from '../output/print.ts';

/** One image to predict, before it is read. */
export interface Input {
  /** As results name it: a path with its folder, an address, or `stdin`. */
  readonly file: string;
  readonly id: ImageId;
  /** @throws an RcnnError, which costs this image alone */
  read(): Promise<DecodedImage>;
}

/** What may be said of how images are read. */
export interface ReadingOptions {
  readonly maxPixels?: number | undefined;
  /** Turn photographs as their EXIF orientation says. Default: as people see them, which is yes. */
  readonly autoOrient?: boolean | undefined;
}

/** Reads an image, and says so where its file holds more pictures than the first. @throws what `read` throws */
export async function readInput(input: Input): Promise<DecodedImage> {
  const image = await input.read();
  if (image.pages !== undefined) {
    endStatus();
    note(`warning: ${input.file} holds ${image.pages} pages or frames: only the first is looked at.`);
  }
  return image;
}
