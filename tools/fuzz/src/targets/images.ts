import { imageSizeOf } from '@rcnn/coco-data';
import { decodeImage, readImageHeader } from '@rcnn/coco-data/node';
import sharp from 'sharp';
import { bmpSize, decodeBmp } from '../../../../packages/coco-data/src/images/bmp.ts';
import { imageFormatOf } from '../../../../packages/coco-data/src/images/image-format.ts';
import type { Target } from '../target.ts';

const picture = sharp({ create: { width: 13, height: 7, channels: 3, background: '#369' } });
const encoded = await Promise.all(
  (['png', 'jpeg', 'webp', 'tiff', 'gif', 'avif'] as const).map(
    async (format) =>
      new Uint8Array(await picture.clone().withMetadata({ orientation: 6 }).toFormat(format).toBuffer()),
  ),
);

/** A bitmap of 24 bits: 3 rows of 2 pixels, each filled up to four bytes. */
function bitmap(): Uint8Array {
  const bytes = Buffer.alloc(54 + 3 * 8);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(2, 18);
  bytes.writeInt32LE(3, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  return new Uint8Array(bytes);
}

const seeds = [...encoded, bitmap()];
const WORDS = [
  'IHDR',
  'IDAT',
  'Exif\0\0',
  'RIFF',
  'WEBPVP8 ',
  'VP8X',
  'ftypavif',
  'ispe',
  'BM',
  '<svg ',
  '\u00ff\u00d8',
];

export const images: readonly Target[] = [
  {
    name: 'image-size',
    share: 60,
    seeds,
    words: WORDS,
    read(bytes) {
      imageFormatOf(bytes);
      const size = imageSizeOf(bytes);
      if (size?.some((side) => !Number.isInteger(side) || side < 0)) throw new Error(`a size of ${size.join('x')}`);
    },
  },
  {
    name: 'bmp',
    share: 30,
    seeds: [bitmap()],
    read(bytes) {
      const [height, width] = bmpSize(bytes, 'fuzz');
      if (height * width > 1e6) return;
      const { data } = decodeBmp(bytes, 'fuzz');
      if (data.length !== height * width * 3) throw new Error(`${data.length} values for ${height}x${width}`);
    },
  },
  {
    name: 'image',
    share: 0.3,
    seeds,
    words: WORDS,
    async read(bytes) {
      const { size } = await readImageHeader(bytes, 'fuzz');
      if (size[0] * size[1] > 1e6) return;
      await decodeImage(bytes, { name: 'fuzz', maxPixels: 1e6 });
    },
  },
];
