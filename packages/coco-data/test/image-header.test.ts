import sharp, { type Sharp } from 'sharp';
import { expect, test } from 'vitest';
import { BrowserImages, imageSizeOf } from '../src/index.ts';

const picture = (width: number, height: number): Sharp =>
  sharp({ create: { width, height, channels: 3, background: 'salmon' } });

const cases: Record<string, (image: Sharp) => Sharp> = {
  png: (image) => image.png(),
  jpeg: (image) => image.jpeg(),
  'progressive jpeg with EXIF': (image) => image.jpeg({ progressive: true }).withMetadata({ orientation: 3 }),
  gif: (image) => image.gif(),
  webp: (image) => image.webp(),
  'lossless webp': (image) => image.webp({ lossless: true }),
  'webp with alpha': (image) => image.ensureAlpha(0.5).webp(),
};

test.each(Object.entries(cases).map(([name, encode]) => ({ name, encode })))(
  '$name: size from the header',
  async ({ encode }) => {
    for (const [width, height] of [
      [70, 33],
      [301, 260],
    ] as const) {
      const bytes = await encode(picture(width, height)).toBuffer();
      expect(imageSizeOf(bytes)).toEqual([height, width]);
      for (let end = 0; end < 40; end++) imageSizeOf(bytes.subarray(0, end)); // cut short: no exception
    }
  },
);

test('other bytes have no size', () => {
  expect(imageSizeOf(new Uint8Array(0))).toBeUndefined();
  expect(imageSizeOf(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>'))).toBeUndefined();
  expect(imageSizeOf(new Uint8Array(100).fill(0xff))).toBeUndefined();
});

test('a browser refuses by name and by header, before it decodes', async () => {
  const png = await picture(3000, 3000).png().toBuffer();
  const store = new BrowserImages(
    new Map([
      ['big.png', new Blob([new Uint8Array(png)])],
      ['text.png', new Blob(['text'])],
    ]),
    { maxPixels: 1e6 },
  );
  const load = (file: string): Promise<unknown> => store.load({ id: 1, file, size: [1, 1], place: '' });
  await expect(load('big.png')).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE', found: '3000x3000' });
  await expect(load('text.png')).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  await expect(load('none.png')).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
  await expect(load('../big.png')).rejects.toMatchObject({ code: 'PATH_REFUSED' });
});
