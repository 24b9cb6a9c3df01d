import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { isRcnnError } from '@rcnn/core/errors';
import { memoryTaken } from '@rcnn/shared/memory';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { cocoOf } from '../src/formats/coco/write-coco.ts';
import { shapesAnnotations } from '../src/formats/shapes/dataset.ts';
import { drawShapes, Problems, parseVocXml, readCoco } from '../src/index.ts';
import { createLoader, decodeImage, FolderImages, openDataset, writeShapes } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
const record = { id: 1, file: '', size: [10, 10] as const, place: '/images/0' };
const jpeg = (): Promise<Buffer> => {
  const { data, width, height } = drawShapes(1, 1, { size: [160, 200] }).image;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer();
};

test('a JPEG cut anywhere is refused', async () => {
  const whole = await jpeg();
  for (let i = 1; i < 40; i++) {
    const cut = whole.subarray(0, Math.floor((whole.length * i) / 40));
    await expect(decodeImage(cut)).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  }
});

/** A valid PNG of one colour: 16000 x 17000 pixels of zeros deflate to some hundred kilobytes. */
function bomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header[8] = 8; // bits, grey
  const rows = deflateSync(Buffer.alloc((width + 1) * height), { level: 1 });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))]);
}

async function wallTime(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

test('decoding that takes too long is given up, and the thread goes on', async () => {
  const bytes = bomb(7000, 8000); // within the limit of pixels; unpacking takes some tenths of a second
  const givenUp = (): Promise<void> =>
    expect(decodeImage(bytes, { name: 'slow.png', maxSeconds: 0.02 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_SLOW',
      where: 'slow.png',
      expected: 'at most 0.02 seconds',
    });
  const decoded = async (): Promise<void> => {
    const { data } = await decodeImage(bytes);
    expect(data).toHaveLength(3 * 7000 * 8000);
  };
  // Sooner than decoding takes, once at least: other work can make any one round late.
  let sooner = false;
  for (let round = 0; round < 5 && !sooner; round++) sooner = (await wallTime(givenUp)) < (await wallTime(decoded));
  expect(sooner).toBe(true);
});

test('a PNG of 16000 x 17000 pixels is refused before it is decoded', async () => {
  const bytes = bomb(16_000, 17_000);
  const room = 64 * 2 ** 20; // its pixels would be 272 MB
  const refused = (): Promise<void> => expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  expect((await memoryTaken(refused, room)).taken).toBeLessThan(room);
});

test('file names that leave the folder are refused, whatever they look like', async () => {
  const folder = join(root, 'images');
  mkdirSync(folder);
  writeFileSync(join(root, 'secret.png'), await jpeg());
  symlinkSync(join(root, 'secret.png'), join(folder, 'link.png'));
  symlinkSync(root, join(folder, 'up'));
  const names = [
    '../secret.png',
    'a/../../secret.png',
    '..\\secret.png',
    '/etc/passwd',
    'C:\\secret.png',
    '\\\\host\\share.png',
    'http://example.org/a.png',
    'file:///etc/passwd',
    '%2e%2e/secret.png',
    '..%2fsecret.png',
    'a\0.png',
    'x'.repeat(2000),
    'link.png',
    'up/secret.png',
  ];
  for (const file of names) {
    await expect(new FolderImages(folder).load({ ...record, file })).rejects.toMatchObject({ code: 'PATH_REFUSED' });
  }
  await expect(new FolderImages(folder).load({ ...record, file: 'none.png' })).rejects.toMatchObject({
    code: 'IMAGE_MISSING',
  });
});

const text = JSON.stringify(cocoOf(shapesAnnotations(12, { seed: 2 }, 'memory')), null, 1);

/** What reading these bytes comes to: the code and place of the error, or undefined. */
async function outcome(
  bytes: Uint8Array,
  piece = 4096,
): Promise<{ code: string; place: string | undefined } | undefined> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += piece) pieces.push(bytes.subarray(at, at + piece));
  try {
    await readCoco(pieces, 'a.json', new Problems());
    return undefined;
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return { code: error.code, place: error.place };
  }
}

test('JSON cut at 1,000 positions is refused with line and column', async () => {
  const bytes = new TextEncoder().encode(text);
  for (let i = 0; i < 1000; i++) {
    const end = Math.floor((i * bytes.length) / 1000);
    const lines = text.slice(0, end).split('\n'); // ASCII: characters are bytes
    const found = await outcome(bytes.subarray(0, end), 1 + (i % 997));
    expect(found).toEqual({ code: 'FILE_TRUNCATED', place: `${lines.length}:${lines.at(-1)!.length + 1}` });
  }
  expect(await outcome(bytes)).toBeUndefined();
});

test('JSON is read the same in pieces of any length', async () => {
  const bytes = new TextEncoder().encode(`\uFEFF${text}`);
  const problems = new Problems();
  const whole = await readCoco([bytes], 'a.json', problems);
  for (const piece of [1, 2, 3, 7, 64, 1000]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, i) =>
      bytes.slice(i * piece, (i + 1) * piece),
    );
    expect(await readCoco(pieces, 'a.json', problems)).toEqual(whole);
  }
  expect(problems.count()).toBe(0);
});

test.each([
  ['[]', 'FILE_MALFORMED', '1:1'],
  ['{"images": [1, 2,]}', 'FILE_MALFORMED', '1:18'],
  ['{"images": []\n"annotations": []}', 'FILE_MALFORMED', '2:1'],
  ['{"images": [],\n "images": []}', 'FILE_MALFORMED', '2:2'],
  ['{"images": [{"id": NaNa}]}', 'FILE_MALFORMED', '1:20'],
  ['{"images": [{"id": NaN, "x": }]}', 'FILE_MALFORMED', '1:20'],
  ['{"images": [{"id": 1,\n\n  "x": +Infinity}]}', 'FILE_MALFORMED', '3:8'],
  ['{"images": [{"id": 01}]}', 'FILE_MALFORMED', '1:21'],
  ["{'images': []}", 'FILE_MALFORMED', '1:2'],
  ['{"images": []} x', 'FILE_MALFORMED', '1:16'],
  ['{"info": {"a": }, "images": []}', 'FILE_MALFORMED', '1:16'],
  ['\n\n', 'FILE_TRUNCATED', '3:1'],
  ['{"images": [], "annotations": []}', 'DATASET_INVALID', '/categories'],
  ['{"images": [], "annotations": {"id": 1}}', 'DATASET_INVALID', '/annotations'],
  ['{"images": "a.jpg", "categories": []}', 'DATASET_INVALID', '/images'],
  [`{"images": [${'['.repeat(2 ** 21)}`, 'FILE_MALFORMED', '1:77'],
  ['['.repeat(2 ** 21), 'FILE_MALFORMED', '1:1'],
])('malformed JSON %#', async (bad, code, place) => {
  expect(await outcome(new TextEncoder().encode(bad))).toEqual({ code, place });
});

test('a file may name __proto__ and constructor without harm', async () => {
  const bad = text
    .replace('"supercategory"', '"x"')
    .replace('"images": [', '"__proto__": {"polluted": 1}, "constructor": 1,\n"images": [');
  expect(await outcome(new TextEncoder().encode(bad))).toBeUndefined();
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('VOC with a DOCTYPE is refused, and so is XML that is cut or nested without end', () => {
  const xml = '<annotation><size><width>4</width><height>3</height></size></annotation>';
  expect(parseVocXml(xml, 'a.xml').size).toEqual([3, 4]);
  const bomb = `<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "${'c'.repeat(100)}">]>${xml}`;
  expect(() => parseVocXml(bomb, 'a.xml')).toThrow(
    expect.objectContaining({ code: 'FILE_REFUSED', place: expect.stringMatching(/^2:/) }),
  );
  for (let end = 1; end < xml.length; end++) {
    expect(() => parseVocXml(xml.slice(0, end), 'a.xml')).toThrow(expect.objectContaining({ name: 'RcnnError' }));
  }
  expect(() => parseVocXml('<a>'.repeat(1e5), 'a.xml')).toThrow(expect.objectContaining({ code: 'FILE_MALFORMED' }));
  expect(() => parseVocXml(xml.replace('3', '&lol;'), 'a.xml')).toThrow(
    expect.objectContaining({ code: 'FILE_MALFORMED' }),
  );
});

test('a bad sample fails the epoch by default; skipped it is counted, listed and limited', async () => {
  const folder = join(root, 'skip');
  await writeShapes(folder, { splits: { train: 12 }, size: [32, 32] });
  writeFileSync(join(folder, 'train/000004.png'), 'broken');
  const dataset = await openDataset(folder);
  const drain = async (options: object): Promise<{ images: number; skipped: unknown[] }> => {
    const loader = createLoader(dataset, { batchSize: 4, ...options });
    let images = 0;
    for await (const batch of loader) images += batch.images.length;
    return { images, skipped: loader.skipped.map(({ index, imageId }) => [index, imageId]) };
  };
  await expect(drain({})).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  expect(await drain({ onBadSample: 'skip', maxSkipRate: 0.1 })).toEqual({ images: 11, skipped: [[4, 5]] });
  expect(await drain({ onBadSample: 'skip' })).toMatchObject({ images: 11 }); // one may always be bad
  await expect(drain({ onBadSample: 'skip', maxSkipRate: 0 })).rejects.toMatchObject({
    code: 'DATASET_INVALID',
    place: expect.stringContaining('image 5'),
  });
});

test('an annotation whose image is not in the set is not written without one', () => {
  const set = shapesAnnotations(1, { objects: [1, 1] }, 'memory');
  const [annotation] = set.annotations;
  // With an area of its own nothing else asks for the image.
  for (const area of [undefined, 12]) {
    const stray = { ...annotation!, imageId: '\u001b[2J', ...(area && { area }) };
    expect(() => cocoOf({ ...set, annotations: [stray] })).toThrowError(
      expect.objectContaining({ code: 'UNKNOWN_ID', place: `annotation ${stray.id}` }),
    );
  }
});

test('a strict load lists all problems at once and refuses', async () => {
  const folder = join(root, 'strict');
  await writeShapes(folder, { splits: { train: 6 }, size: [32, 32], objects: [2, 4] });
  const file = join(folder, 'annotations/bad.json');
  const set = shapesAnnotations(6, { size: [32, 32], objects: [2, 4] }, file);
  const annotations = set.annotations.map((a, i) => (i < 3 ? { ...a, box: [5, 5, 5, 9] as const } : a));
  writeFileSync(file, JSON.stringify(cocoOf({ ...set, annotations })));
  const images = join(folder, 'train');
  await expect(openDataset(file, { images })).rejects.toMatchObject({
    code: 'BOX_DEGENERATE',
    where: file,
    place: '/annotations/0/bbox',
    message: expect.stringMatching(/3 problems(.|\n)*annotations\/1\/bbox(.|\n)*annotations\/2\/bbox/),
  });
  const lenient = await openDataset(file, { images, policy: 'drop' });
  expect(lenient.problems.count('error')).toBe(3);
  const kept = [...lenient.images.keys()].reduce((sum, i) => sum + lenient.annotations(i).length, 0);
  expect(kept).toBe(set.annotations.length - 3);
});
