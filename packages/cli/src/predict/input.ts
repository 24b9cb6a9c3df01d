import type { ImageId } from '@rcnn/coco-data';
import type { PixelImage } from '@rcnn/core';

/** One image to predict, before it is read. */
export interface Input {
  /** As results name it: a path with its folder, an address, or `stdin`. */
  readonly file: string;
  readonly id: ImageId;
  /** @throws an RcnnError, which costs this image alone */
  read(): Promise<PixelImage>;
}

/** What may be said of how images are read. */
export interface ReadingOptions {
  readonly maxPixels?: number | undefined;
  /** Turn photographs as their EXIF orientation says. Default: as people see them, which is yes. */
  readonly autoOrient?: boolean | undefined;
}
