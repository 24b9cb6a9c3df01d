import { decodeImage, readImageHeader } from '@rcnn/coco-data/node';
import sharp, { type Sharp } from 'sharp';
import type { RawImage } from './coco-document.ts';
import type { DatasetStore } from './dataset-store.ts';

/** A picture file for a browser. */
export interface Shown {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** What every browser shows, and shows as it is stored when there is no EXIF orientation. */
const TYPES: Readonly<Record<string, string>> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
};

/**
 * A picture of the dataset so that one pixel on the screen is one that the annotations count: a browser would turn a
 * photograph as its EXIF data say, so one that has any comes without them.
 */
export async function show(store: DatasetStore, key: string): Promise<Shown> {
  const { image, folder } = store.file(key);
  const bytes = await folder.read(image.file_name);
  const { orientation, format } = await readImageHeader(bytes, image.file_name);
  const type = TYPES[format];
  if (orientation <= 1 && type !== undefined) return { type, bytes };
  const pixels = await pixelsOf(bytes, image);
  return { type: 'image/jpeg', bytes: await pixels.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer() };
}

/** The same, small. */
export async function thumbnail(store: DatasetStore, key: string, side: number): Promise<Shown> {
  const { image, folder } = store.file(key);
  const pixels = await pixelsOf(await folder.read(image.file_name), image);
  const small = pixels.resize(side, side, { fit: 'inside', withoutEnlargement: true });
  return { type: 'image/webp', bytes: await small.webp({ quality: 80 }).toBuffer() };
}

/** The pixels that annotations count, as a training sees them. */
async function pixelsOf(bytes: Uint8Array, { file_name: name, width, height }: RawImage): Promise<Sharp> {
  const { size, orientation } = await readImageHeader(bytes, name);
  const isTurned = orientation >= 5 && size[0] !== size[1] && height === size[1] && width === size[0];
  const pixels = await decodeImage(bytes, { name, orientation: isTurned ? 'apply' : 'ignore' });
  const raw = { width: pixels.width, height: pixels.height, channels: 3 } as const;
  return sharp(pixels.data as Uint8Array, { raw });
}
