import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { decodeImage, readImageHeader } from '../src/node/index.ts';

const root = mkdtempSync(join(tmpdir(), 'coco-data-kinds-'));
afterAll(() => rmSync(root, { recursive: true }));

/** A TIFF of 2 x 1 pixels, little-endian; its directory stands behind the pixels. Tags of one value each. */
function tiff(samples: Uint8Array, tags: Readonly<Record<number, number>>, gap = 0): Buffer {
  const all = { 256: 2, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: samples.length, ...tags };
  const entries = Object.entries(all).map(([tag, value]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(Number(tag), 0);
    entry.writeUInt16LE(4, 2); // LONG
    entry.writeUInt32LE(1, 4);
    entry.writeUInt32LE(value, 8);
    return entry;
  });
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1');
  head.writeUInt32LE(8 + samples.length + gap, 4);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(entries.length);
  return Buffer.concat([head, samples, Buffer.alloc(gap), count, ...entries, Buffer.alloc(4)]);
}

const PHOTOMETRIC = 262;

describe('TIFF', () => {
  const samples = Uint8Array.of(10, 200);

  test('grey is read, whichever end is white', async () => {
    expect([...(await decodeImage(tiff(samples, {}))).data]).toEqual([10, 10, 10, 200, 200, 200]);
    const inverse = await decodeImage(tiff(samples, { [PHOTOMETRIC]: 0 }));
    expect([...inverse.data]).toEqual([245, 245, 245, 55, 55, 55]);
  });

  test.each([
    ['the raw file of a camera', { 254: 1 }],
    ['the raw file of a camera', { 50706: 0x0401 }],
    ['the raw file of a camera', { [PHOTOMETRIC]: 32803 }],
    ['the raw file of a camera', { [PHOTOMETRIC]: 34892 }],
    ['a TIFF in YCbCr', { [PHOTOMETRIC]: 6 }],
    ['a TIFF in CIELab', { [PHOTOMETRIC]: 8 }],
    ['a TIFF in other colours', { [PHOTOMETRIC]: 32845 }],
  ])('%s is told, by the whole file as by its header', async (found, tags) => {
    const bytes = tiff(samples, tags, 10_000);
    const path = join(root, 'a.tif');
    writeFileSync(path, bytes);
    const wanted = { code: 'IMAGE_CORRUPT', where: 'a.tif', found };
    await expect(decodeImage(bytes, { name: 'a.tif' })).rejects.toMatchObject(wanted);
    await expect(readImageHeader(bytes, 'a.tif')).rejects.toMatchObject(wanted);
    await expect(readImageHeader(path, 'a.tif')).rejects.toMatchObject(wanted);
  });

  test('values of which nobody knows how bright they are', async () => {
    const fractions = new Uint8Array(Float32Array.of(0.2, 1).buffer);
    for (const [type, tags] of [
      ['float', { 258: 32, 339: 3 }],
      ['int', { 258: 32, 339: 2 }],
      ['uint', { 258: 32, 339: 1 }],
    ] as const) {
      const bytes = tiff(fractions, tags);
      const wanted = { code: 'IMAGE_CORRUPT', found: `samples of type ${type}` };
      await expect(decodeImage(bytes)).rejects.toMatchObject(wanted);
      await expect(readImageHeader(bytes, 'a.tif')).rejects.toMatchObject(wanted);
    }
    const deep = tiff(new Uint8Array(Uint16Array.of(0x1234, 0xffff).buffer), { 258: 16 });
    expect([...(await decodeImage(deep)).data]).toEqual([0x12, 0x12, 0x12, 255, 255, 255]);
  });

  test('a damaged directory is no reason to fail otherwise than as an image', async () => {
    const whole = tiff(samples, {});
    for (let length = 0; length < whole.length - 12; length++)
      await expect(decodeImage(whole.subarray(0, length))).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  });
});

test('an AVIF whose main brand is that of all pictures in such containers', async () => {
  const raw = { width: 8, height: 8, channels: 3 as const };
  const avif = await sharp(Buffer.alloc(192, 99), { raw }).avif().toBuffer();
  expect(avif.toString('latin1', 8, 12)).toBe('avif');
  avif.write('mif1', 8, 'latin1');
  expect(await decodeImage(avif)).toMatchObject({ width: 8, height: 8 });
});

test('what a decoder repeats is said once', async () => {
  const bytes = await sharp(Buffer.alloc(30_000, 7), { raw: { width: 100, height: 100, channels: 3 } })
    .avif()
    .toBuffer();
  const error = await decodeImage(bytes.subarray(0, bytes.length - 20)).catch((reason: unknown) => reason as Error);
  expect((error as Error).message).not.toMatch(/bad seek|corrupt header/);
  expect((error as Error).message.length).toBeLessThan(400);
});

test.each([
  ['a text', '{"message":"Not Found"}\n'],
  ['a tar archive', `${'a.jpg'.padEnd(257, '\0')}ustar\x0000${'\0'.repeat(200)}`],
  ['a file packed by gzip', '\u001f\u008b\u0008\0\0\0\0\0'],
  ['a file packed by xz', '\u00fd7zXZ\0\0'],
  ['the raw file of a camera', '\0\0\0\u0018ftypcrx \0\0\0\u0001crx isom'],
  ['the raw file of a camera', 'FUJIFILMCCD-RAW 0201'],
  ['a companion file of macOS', '\0\u0005\u0016\u0007\0\u0002\0\0Mac OS X'],
])('%s is called by its name', async (found, bytes) => {
  await expect(decodeImage(Buffer.from(bytes, 'latin1'))).rejects.toMatchObject({ code: 'IMAGE_CORRUPT', found });
});

describe('bitmaps in runs', () => {
  /** 4 x 3 pixels of a palette of black, red, green and blue. */
  const bmp = (bits: number, runs: readonly number[]): Buffer => {
    const head = Buffer.alloc(54);
    head.write('BM');
    head.writeUInt32LE(54 + 16, 10);
    head.writeUInt32LE(40, 14);
    head.writeInt32LE(4, 18);
    head.writeInt32LE(3, 22);
    head.writeUInt16LE(bits, 28);
    head.writeUInt32LE(bits === 8 ? 1 : 2, 30);
    return Buffer.concat([
      head,
      Buffer.from([0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0]),
      Buffer.from(runs),
    ]);
  };
  const indices = async (file: Buffer): Promise<string> => {
    const { data } = await decodeImage(file);
    return Array.from({ length: 12 }, (_, i) => {
      const [red, green, blue] = data.subarray(3 * i, 3 * i + 3);
      return red ? 1 : green ? 2 : blue ? 3 : 0;
    }).join('');
  };

  test('runs, single pixels, jumps and early ends, from the lowest row up', async () => {
    // 1111, 1230 by single pixels (padded), then two to the right and 33
    expect(await indices(bmp(8, [4, 1, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 2, 2, 0, 2, 3, 0, 1]))).toBe('003312301111');
    expect(await indices(bmp(4, [4, 0x12, 0, 0, 0, 3, 0x12, 0x30, 0, 0, 0, 2, 2, 0, 2, 0x33, 0, 1]))).toBe(
      '003312301212',
    );
    expect(await indices(bmp(8, [9, 2, 0, 1]))).toBe('000000002222'); // a run ends with its row
    expect(await indices(bmp(8, [4, 1, 0, 2, 0, 1, 1, 3, 0, 1]))).toBe('000000001111'); // beyond the right side
  });

  test('runs that are cut are told', async () => {
    for (const runs of [[], [4], [0, 3, 1], [0, 2, 1], [4, 1, 0, 0]])
      await expect(decodeImage(bmp(8, runs))).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
    await expect(decodeImage(bmp(24, [0, 1]))).rejects.toThrow('packed in a way that is not read');
  });
});

describe('files of several pictures', () => {
  const frames = Uint8Array.from([200, 40, 120].flatMap((light) => Array(12).fill(light))); // three of 2 x 2
  const stacked = () => sharp(frames, { raw: { width: 2, height: 6, channels: 3, pageHeight: 2 } });

  test.each([
    ['a.gif', () => stacked().gif()],
    ['a.webp', () => stacked().webp({ lossless: true })],
  ])('%s: the first is read, and how many there are is said', async (name, written) => {
    const bytes = await written().toBuffer();
    const image = await decodeImage(bytes, { name });
    expect(image).toMatchObject({ height: 2, width: 2, pages: 3 });
    for (const value of image.data) expect(Math.abs(value - 200)).toBeLessThan(4);
    expect((await readImageHeader(bytes, name)).pages).toBe(3);
  });

  test('pages of a TIFF', async () => {
    const bytes = tiff(Uint8Array.of(10, 200), {});
    // A second directory like the first: the last four bytes of the first say where it is.
    const two = Buffer.concat([bytes, bytes.subarray(10)]);
    two.writeUInt32LE(bytes.length, bytes.length - 4);
    expect(await decodeImage(two)).toMatchObject({ height: 1, width: 2, pages: 2 });
    expect((await readImageHeader(two, 'a.tif')).pages).toBe(2);
  });

  test('one picture has no count', async () => {
    expect(await decodeImage(tiff(Uint8Array.of(10, 200), {}))).not.toHaveProperty('pages');
    const png = await sharp(frames, { raw: { width: 2, height: 6, channels: 3 } })
      .png()
      .toBuffer();
    expect(await decodeImage(png)).not.toHaveProperty('pages');
    expect((await readImageHeader(png, 'a.png')).pages).toBe(1);
  });
});
