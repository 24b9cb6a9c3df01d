import type { PixelImage } from '@rcnn/core';
import { addressOf } from '@rcnn/core/address';
import { RcnnError } from '@rcnn/core/errors';
import type { ImageRecord } from '../records.ts';
import { type DecodeBlobOptions, decodeBlob } from './decode-blob.ts';
import { pathProblem } from './image-path.ts';
import type { ImageStore } from './image-store.ts';

export type BrowserImagesOptions = Omit<DecodeBlobOptions, 'name'>;

/**
 * Images of a browser: files that the user chose, by name, or addresses below a base. Decoded by the browser, whose JPEG
 * pixels may differ from Pillow's by a few levels.
 */
export class BrowserImages implements ImageStore {
  readonly #files: ReadonlyMap<string, Blob> | URL;
  readonly #options: BrowserImagesOptions;

  /** @param files by the name that annotations use, or the address of their folder, ending in `/` */
  constructor(files: ReadonlyMap<string, Blob> | URL | string, options: BrowserImagesOptions = {}) {
    this.#files = typeof files === 'string' ? addressOf(files, 'BrowserImages', globalThis.location?.href) : files;
    this.#options = options;
  }

  async load({ file, size: [height, width], id }: ImageRecord): Promise<PixelImage> {
    const blob = await this.#blob(file);
    const image = await decodeBlob(blob, { name: file, ...this.#options });
    if (image.height === height && image.width === width) return image;
    throw new RcnnError('IMAGE_SIZE_MISMATCH', {
      where: file,
      place: `image ${id}`,
      problem: 'the image has another size than its record',
      found: `${image.width}x${image.height}`,
      expected: `${width}x${height}`,
    });
  }

  async #blob(file: string): Promise<Blob> {
    const unsafe = pathProblem(file);
    if (unsafe !== undefined) {
      throw new RcnnError('PATH_REFUSED', { where: JSON.stringify(file), problem: `the file name ${unsafe}` });
    }
    if (this.#files instanceof URL) {
      const response = await fetch(new URL(file.split('/').map(encodeURIComponent).join('/'), this.#files));
      if (response.ok) return response.blob();
    } else {
      const blob = this.#files.get(file);
      if (blob !== undefined) return blob;
    }
    throw new RcnnError('IMAGE_MISSING', { where: file, problem: 'there is no such image file' });
  }
}
