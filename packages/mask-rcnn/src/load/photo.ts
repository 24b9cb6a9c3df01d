import { withoutAlpha } from '@rcnn/coco-data';
import { type ImageInput, type PixelImage, RcnnError } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** Pixels as a canvas gives them, `RGBA RGBA …`; alpha is dropped. The browser's `ImageData` is one. */
export interface PixelsRGBA {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A canvas of any library: `HTMLCanvasElement`, `OffscreenCanvas`, those of Node. */
export interface CanvasLike {
  readonly width: number;
  readonly height: number;
  getContext(kind: '2d'): { getImageData(x: number, y: number, width: number, height: number): PixelsRGBA } | null;
}

/**
 * A picture in any of the forms in which programs have it: a path or an address; the bytes of a file; pixels
 * (`ImageData`, `PixelImage`, a tensor `[H, W, 3]` in [0, 1]); in a browser also a canvas, an image, a video, a bitmap
 * or a frame.
 */
export type Photo =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ImageInput
  | PixelsRGBA
  | CanvasLike
  | CanvasImageSource;

/** What reading a picture needs of the place where the program runs. */
export interface PhotoReader {
  /** The picture at a path or an address, upright. */
  open(where: string | URL): Promise<PixelImage>;
  /** The picture in the bytes of a file, upright. */
  decode(bytes: Blob | Uint8Array<ArrayBuffer>): Promise<PixelImage>;
  /** The pixels of something that can be drawn; undefined for what cannot. */
  draw(source: object): PixelImage | undefined;
}

/**
 * A picture as detectors take it, upright.
 * @throws INVALID_ARGUMENT, IMAGE_INVALID, IMAGE_CORRUPT, IMAGE_TOO_LARGE, FILE_MISSING, DOWNLOAD_FAILED
 */
export async function readPhoto(photo: Photo, reader: PhotoReader): Promise<ImageInput> {
  if (typeof photo === 'string' || photo instanceof URL) return reader.open(photo);
  if (photo instanceof tf.Tensor) return photo;
  if (photo instanceof Blob) return reader.decode(photo);
  if (photo instanceof ArrayBuffer) return reader.decode(new Uint8Array(photo));
  if (photo instanceof Uint8Array) return reader.decode(photo as Uint8Array<ArrayBuffer>);
  if (typeof photo === 'object' && photo !== null) {
    if ('channels' in photo) return photo;
    if ('data' in photo && !('getContext' in photo)) return pixelsOf(photo);
    const drawn = reader.draw(photo);
    if (drawn !== undefined) return drawn;
  }
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'detector',
    place: 'photo',
    problem: 'this is no picture',
    found: kindOf(photo),
    expected: 'a path, a URL, the bytes of a file, pixels, a canvas, a video or a tensor',
  });
}

function pixelsOf(pixels: PixelsRGBA): PixelImage {
  const { data, width, height } = pixels;
  const fits = Number.isInteger(width) && Number.isInteger(height) && data?.length === 4 * width * height;
  if (fits && (data instanceof Uint8ClampedArray || data instanceof Uint8Array)) return withoutAlpha(pixels);
  throw new RcnnError('IMAGE_INVALID', {
    where: 'detector',
    place: 'photo',
    problem: 'these are no pixels of a canvas',
    found: `${kindOf(data)} of length ${data?.length} for ${width}x${height}`,
    expected: 'four bytes per pixel: red, green, blue, alpha',
    hint: 'Pixels without alpha are given as { data, width, height, channels: 3 }.',
  });
}

function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return (value.constructor as { name?: string } | undefined)?.name ?? 'object';
}
