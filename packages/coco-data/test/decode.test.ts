import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage, readImageHeader } from '../src/node/index.ts';

const folder = new URL('fixtures/', import.meta.url);
const { sha256 } = JSON.parse(readFileSync(new URL('decoded.json', folder), 'utf8')) as {
  sha256: Record<string, string>;
};

test.each(Object.entries(sha256))('%s decodes to the pixels of Pillow, bit for bit', async (file, digest) => {
  const { data } = await decodeImage(readFileSync(new URL(file, folder)));
  expect(createHash('sha256').update(data).digest('hex')).toBe(digest);
});

const raw = { width: 2, height: 1, channels: 4 as const };
const pixels = Uint8Array.of(200, 100, 50, 255, 10, 20, 30, 0);

test.each(['png', 'webp', 'tiff'] as const)('%s: alpha is dropped, not blended', async (format) => {
  const lossless = { png: {}, webp: { lossless: true, exact: true }, tiff: { compression: 'none' } }[format];
  const bytes = await sharp(pixels, { raw }).toFormat(format, lossless).toBuffer();
  expect([...(await decodeImage(bytes)).data]).toEqual([200, 100, 50, 10, 20, 30]);
});

test('16 bits, palettes and grey become 8-bit RGB', async () => {
  const flat = sharp({ create: { width: 3, height: 2, channels: 3, background: { r: 40, g: 80, b: 120 } } });
  const palette = await flat.clone().png({ palette: true }).toBuffer();
  expect([...(await decodeImage(palette)).data.subarray(0, 3)]).toEqual([40, 80, 120]);
  const deep = await flat.clone().toColourspace('rgb16').png().toBuffer();
  expect([...(await decodeImage(deep)).data.subarray(0, 3)]).toEqual([40, 80, 120]);
  const grey = await sharp(Uint8Array.of(7, 9), { raw: { width: 2, height: 1, channels: 1 } })
    .png()
    .toBuffer();
  expect([...(await decodeImage(grey)).data]).toEqual([7, 7, 7, 9, 9, 9]);
});

test('EXIF orientation is ignored unless asked for, and the header tells it', async () => {
  const turned = await sharp(pixels, { raw }).removeAlpha().withMetadata({ orientation: 6 }).png().toBuffer();
  expect(await readImageHeader(turned, 'a.png')).toEqual({ size: [1, 2], orientation: 6, format: 'png', pages: 1 });
  expect(await decodeImage(turned)).toMatchObject({ height: 1, width: 2 });
  expect(await decodeImage(turned, { orientation: 'apply' })).toMatchObject({ height: 2, width: 1 });
});

test('an image at the limit is decoded, one pixel more is not', async () => {
  const bytes = await sharp(pixels, { raw }).png().toBuffer();
  expect(await decodeImage(bytes, { maxPixels: 2 })).toMatchObject({ width: 2 });
  await expect(decodeImage(bytes, { maxPixels: 1, name: 'b.png' })).rejects.toMatchObject({
    code: 'IMAGE_TOO_LARGE',
    where: 'b.png',
  });
});
