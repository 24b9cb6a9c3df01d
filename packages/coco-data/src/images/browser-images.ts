import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { ImageRecord } from '../records.ts';
import { imageSizeOf } from './image-header.ts';
import { pathProblem } from './image-path.ts';
import type { ImageStore } from './image-store.ts';

export interface BrowserImagesOptions {
  /** Larger images are refused by their header. Default 64 million pixels. */
  readonly maxPixels?: number;
  /** EXIF orientation: `ignore` (the default) or `apply`. */
  readonly orientation?: 'ignore' | 'apply';
}

/**
 * Images of a browser: files that the user chose, by name, or addresses below a base. Decoded by the browser, whose JPEG
 * pixels may differ from Pillow's by a few levels.
 */
export class BrowserImages implements ImageStore {
  readonly #files: ReadonlyMap<string, Blob> | URL;
  readonly #options: Required<BrowserImagesOptions>;

  /** @param files by the name that annotations use, or the address of their folder, ending in `/` */
  constructor(
    files: ReadonlyMap<string, Blob> | URL | string,
    { maxPixels = 64_000_000, orientation = 'ignore' }: BrowserImagesOptions = {},
  ) {
    this.#files = typeof files === 'string' ? new URL(files, globalThis.location?.href) : files;
    this.#options = { maxPixels, orientation };
  }

  async load({ file, size: [height, width], id }: ImageRecord): Promise<PixelImage> {
    const blob = await this.#blob(file);
    this.#checkHeader(file, new Uint8Array(await blob.slice(0, 2 ** 18).arrayBuffer()));
    const image = await this.#decode(file, blob);
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

  #checkHeader(file: string, head: Uint8Array): void {
    const size = imageSizeOf(head);
    if (size === undefined) {
      throw new RcnnError('IMAGE_CORRUPT', {
        where: file,
        problem: 'the header is not that of an image',
        expected: 'JPEG, PNG, GIF or WebP',
      });
    }
    if (size[0] * size[1] <= this.#options.maxPixels) return;
    throw new RcnnError('IMAGE_TOO_LARGE', {
      where: file,
      problem: 'the image has too many pixels',
      found: `${size[1]}x${size[0]}`,
      expected: `at most ${this.#options.maxPixels / 1e6} million`,
    });
  }

  async #decode(file: string, blob: Blob): Promise<PixelImage> {
    const imageOrientation = this.#options.orientation === 'apply' ? 'from-image' : 'none';
    const bitmap = await createImageBitmap(blob, {
      imageOrientation: imageOrientation as ImageOrientation,
      premultiplyAlpha: 'none',
      colorSpaceConversion: 'none',
    }).catch((cause: unknown) => {
      throw new RcnnError('IMAGE_CORRUPT', { where: file, problem: 'the image cannot be decoded', cause });
    });
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const rgba = context.getImageData(0, 0, width, height).data;
    const data = new Uint8Array(width * height * 3);
    for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
      data[to] = rgba[from]!;
      data[to + 1] = rgba[from + 1]!;
      data[to + 2] = rgba[from + 2]!;
    }
    return { data, height, width, channels: 3 };
  }
}
