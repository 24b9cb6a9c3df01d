import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { imageSizeOf } from './image-header.ts';

export interface DecodeBlobOptions {
  /** Named in errors. Default `image`. */
  readonly name?: string | undefined;
  /** Larger images are refused by their header. Default 64 million pixels. */
  readonly maxPixels?: number | undefined;
  /** EXIF orientation: `ignore` (the default) or `apply`. */
  readonly orientation?: 'ignore' | 'apply' | undefined;
}

/**
 * Decodes an image as the browser does, alpha dropped; the pixels of a JPEG may differ from Pillow's by a few levels.
 * @throws IMAGE_CORRUPT, IMAGE_TOO_LARGE
 */
export async function decodeBlob(blob: Blob, options: DecodeBlobOptions = {}): Promise<PixelImage> {
  const { name = 'image', maxPixels = 64_000_000, orientation = 'ignore' } = options;
  checkHeader(name, new Uint8Array(await blob.slice(0, 2 ** 18).arrayBuffer()), maxPixels);
  const imageOrientation = orientation === 'apply' ? 'from-image' : 'none';
  const bitmap = await createImageBitmap(blob, {
    imageOrientation: imageOrientation as ImageOrientation,
    premultiplyAlpha: 'none',
    colorSpaceConversion: 'none',
  }).catch((cause: unknown) => {
    throw new RcnnError('IMAGE_CORRUPT', { where: name, problem: 'the image cannot be decoded', cause });
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return withoutAlpha(context.getImageData(0, 0, width, height));
}

/** The pixels of a canvas as detectors take them: `RGBA RGBA …` becomes `RGB RGB …`. */
export function withoutAlpha({
  data: rgba,
  height,
  width,
}: {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly height: number;
  readonly width: number;
}): PixelImage {
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from]!;
    data[to + 1] = rgba[from + 1]!;
    data[to + 2] = rgba[from + 2]!;
  }
  return { data, height, width, channels: 3 };
}

function checkHeader(where: string, head: Uint8Array, maxPixels: number): void {
  const size = imageSizeOf(head);
  if (size === undefined) {
    throw new RcnnError('IMAGE_CORRUPT', {
      where,
      problem: 'the header is not that of an image',
      expected: 'JPEG, PNG, GIF or WebP',
    });
  }
  if (size[0] * size[1] <= maxPixels) return;
  throw new RcnnError('IMAGE_TOO_LARGE', {
    where,
    problem: 'the image has too many pixels',
    found: `${size[1]}x${size[0]}`,
    expected: `at most ${maxPixels / 1e6} million`,
  });
}
