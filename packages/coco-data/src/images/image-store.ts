import type { PixelImage } from '@rcnn/core';
import type { ImageRecord } from '../records.ts';

/** Where a dataset's pixels come from. */
export interface ImageStore {
  /**
   * The pixels of an image, uint8 RGB, of the size its record states.
   * @throws IMAGE_MISSING, IMAGE_CORRUPT, IMAGE_TOO_LARGE, IMAGE_TOO_SLOW, IMAGE_SIZE_MISMATCH, PATH_REFUSED
   */
  load(image: ImageRecord): Promise<PixelImage>;
}
