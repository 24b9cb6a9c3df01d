import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ClassMap } from '@rcnn/coco-data';
import { decodeImage } from '@rcnn/coco-data/node';
import type { PixelImage } from '@rcnn/core';
import { isRcnnError } from '@rcnn/core/errors';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { OwnFiles } from '../src/output/own-files.ts';
import { imageUnits } from '../src/predict/image-inputs.ts';
import { type PredictImagesOptions, predictImages } from '../src/predict/predict-images.ts';
import { Predictor } from '../src/predict/predictor.ts';
import { linesFile, ResultsFile } from '../src/predict/results-file.ts';
import { patches, picture } from './support/stand-in.ts';

// Prediction with a model that finds patches of colour, so it is known what must come out.
const root = mkdtempSync(join(tmpdir(), 'cli-predict-images-'));
const at = (...parts: string[]): string => join(root, ...parts);
const classes = ClassMap.contiguous([
  { id: 7, name: 'red thing' },
  { id: 42, name: 'person' },
  { id: 1003, name: '../../evil\n' },
]);
const predictor = new Predictor(patches, {
  classes,
  maskThreshold: 0.5,
  scoreThreshold: undefined,
  slice: undefined,
  overlap: 0.2,
});

/** Words alone. */
const NOTHING: PredictImagesOptions = {
  out: at('out'),
  own: new OwnFiles([]),
  save: false,
  crops: false,
  masks: false,
  json: false,
  words: true,
  results: undefined,
};

async function save(file: string, { data, width, height }: PixelImage, orientation?: number): Promise<void> {
  const image = sharp(Buffer.from(data.buffer as ArrayBuffer), { raw: { width, height, channels: 3 } });
  const turned = orientation === undefined ? image : image.withMetadata({ orientation });
  writeFileSync(file, await turned.toFormat(file.endsWith('png') ? 'png' : 'jpeg', { quality: 100 }).toBuffer());
}

beforeAll(async () => {
  for (const folder of ['a', 'b']) mkdirSync(at(folder));
  await save(at('a/0001.png'), picture([40, 60], [[5, 6, 10, 1], [30, 20, 8, 2], [45, 2, 6, 2]])); // biome-ignore format: rows
  await save(at('b/0001.png'), picture([40, 60], [[20, 20, 15, 3]]));
  await save(at('b/turned.jpg'), picture([40, 64], [[0, 0, 16, 1]]), 6);
  writeFileSync(at('b/cut.png'), readFileSync(at('a/0001.png')).subarray(0, 90));
  writeFileSync(at('b/empty.png'), '');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function run(
  names: readonly string[],
  options: Partial<PredictImagesOptions> = {},
  reading = {},
): Promise<{ bad: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  try {
    const args = names.map((name) => at(name));
    const bad = await predictImages(await imageUnits(args, reading), predictor, {
      ...NOTHING,
      own: new OwnFiles(args),
      ...options,
    });
    return { bad, ...written };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

const pixelsOf = async (file: string): Promise<PixelImage> => decodeImage(readFileSync(file));

test('an animation: its first frame is looked at, and that it has others is said', async () => {
  const pages = picture([80, 60], [[5, 6, 10, 1], [5, 46, 10, 1], [30, 60, 8, 2]]); // biome-ignore format: rows
  const frames = Buffer.from(pages.data.buffer as ArrayBuffer);
  const raw = { width: 60, height: 80, channels: 3, pageHeight: 40 } as const;
  writeFileSync(at('two.webp'), await sharp(frames, { raw }).webp({ lossless: true }).toBuffer());
  const { bad, out, err } = await run(['two.webp']);
  expect(bad).toBe(0);
  expect(out).toBe('1 red thing\n');
  expect(err).toContain(`warning: ${at('two.webp')} holds 2 pages or frames: only the first is looked at.\n`);
});

test('one photo: words on stdout, the picture at its own size under its own name', async () => {
  const { out, err, bad } = await run(['a/0001.png'], { save: true });
  expect([out, bad]).toEqual(['2 persons, 1 red thing\n', 0]);
  const file = at('out', '0001.png');
  expect(err).toContain(`The picture is in ${file}\n`);
  const [drawn, original] = [await pixelsOf(file), await pixelsOf(at('a/0001.png'))];
  expect([drawn.width, drawn.height]).toEqual([60, 40]);
  const digest = ({ data }: PixelImage): string => createHash('sha256').update(data).digest('hex');
  expect(digest(drawn)).not.toBe(digest(original));
});

test('addresses that differ in their query alone are two images', async () => {
  const addresses = ['image?id=1', 'image?id=2', 'a.jpg?key=1', 'a.jpg?key=2', 'b.jpg#1'].map(
    (end) => `http://x/${end}`,
  );
  const units = await imageUnits(addresses, {});
  const ids = units.map(({ images }) => (typeof images === 'function' ? undefined : images.id));
  expect(ids).toEqual(['image?id=1', 'image?id=2', 'http://x/a.jpg?key=1', 'http://x/a.jpg?key=2', 'b']);
});

test('a photo that was read is never written over', async () => {
  const before = readFileSync(at('a/0001.png'));
  await run(['a/0001.png'], { save: true, out: at('a') });
  expect(readFileSync(at('a/0001.png')).equals(before)).toBe(true);
  expect(readdirSync(at('a'))).toEqual(['0001-2.png', '0001.png']);
  rmSync(at('a/0001-2.png'));
});

test('pictures of one name do not replace each other; a class name leads nowhere', async () => {
  const out = at('many');
  const options = { save: true, crops: true, masks: true, out };
  const { out: words } = await run(['a/0001.png', 'b/0001.png'], options);
  expect(words).toBe(`${at('a/0001.png')}: 2 persons, 1 red thing\n${at('b/0001.png')}: 1 ../../evil\\n\n`);
  const files = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.png'));
  expect(files.map((file) => file.replaceAll('\\', '/')).sort()).toEqual([
    '0001-2.png',
    '0001.png',
    'crops/__.._evil_/0001-2-1.png',
    'crops/person/0001-2.png',
    'crops/person/0001-3.png',
    'crops/red thing/0001-1.png',
    'masks/0001-1-red thing.png',
    'masks/0001-2-1-__.._evil_.png',
    'masks/0001-2-person.png',
    'masks/0001-3-person.png',
  ]);
  const crop = await pixelsOf(join(out, 'crops/red thing/0001-1.png'));
  expect(crop).toEqual(picture([10, 10], [[0, 0, 10, 1]]));
  const mask = sharp(join(out, 'masks/0001-1-red thing.png'));
  const { width, height, channels } = await mask.metadata();
  expect([width, height, channels]).toEqual([60, 40, 1]);
  const data = await mask.extractChannel(0).raw().toBuffer();
  expect(data.filter((value) => value === 255)).toHaveLength(100);
  expect(data.every((value) => value === 0 || value === 255)).toBe(true);
});

describe('results', () => {
  test('have the ids and names of the data, and never one id for two pictures', async () => {
    const file = at('found.json');
    const results = await ResultsFile.open(file);
    await run(['a/0001.png', 'b/0001.png'], { results });
    await results.end();
    const list = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, unknown>>[];
    expect(list.map(({ category_id, category_name }) => [category_id, category_name])).toEqual([
      [7, 'red thing'],
      [42, 'person'],
      [42, 'person'],
      [1003, '../../evil\n'],
    ]);
    const stem = at('a/0001').replaceAll('\\', '/');
    expect(new Set(list.map(({ image_id }) => image_id))).toEqual(new Set([stem, at('b/0001').replaceAll('\\', '/')]));
    expect(list[0]).toMatchObject({ bbox: [5, 6, 10, 10], file_name: at('a/0001.png') });
    const lines = readFileSync(linesFile(file), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(list);
  });

  test('are on the disk as they come', async () => {
    const file = at('killed.json');
    const results = await ResultsFile.open(file);
    await run(['a/0001.png'], { results });
    await vi.waitFor(() => expect(readFileSync(linesFile(file), 'utf8').split('\n')).toHaveLength(4));
    await results.close(); // as when the run fails: no list, but the lines
    expect(existsSync(file)).toBe(false);
  });

  test('as JSON lines on stdout', async () => {
    const { out } = await run(['a/0001.png', 'b/0001.png'], { json: true });
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { category_id: number }).category_id)).toEqual([7, 42, 42, 1003]);
  });

  test('where they cannot be written, that is said', async () => {
    await expect(ResultsFile.open(at('a/0001.png/x.json'))).rejects.toSatisfy((error) => isRcnnError(error));
  });
});

test.each([
  [['a/0001.png', 'b/cut.png', 'b/0001.png'], 'IMAGE_CORRUPT'],
  [['b/empty.png', 'a/0001.png'], 'IMAGE_CORRUPT'],
  [['a/0001.png', 'nowhere.png', 'b/0001.png'], 'FILE_MISSING'],
])('%j: one bad file costs that file', async (names, code) => {
  const { bad, out, err } = await run(names);
  expect(bad).toBe(1);
  expect(err).toMatch(new RegExp(`^error ${code}: .*(cut|empty|nowhere)\\.png`, 'm'));
  expect(err.match(/^error /gm)).toHaveLength(1);
  expect(err).toContain(`1 of ${names.length} images could not be used.`);
  expect(out.trimEnd().split('\n')).toHaveLength(names.length - 1);
});

test('photographs are seen as people see them, unless asked otherwise', async () => {
  const boxOf = async (reading: object): Promise<number[]> => {
    const { out } = await run(['b/turned.jpg'], { json: true }, reading);
    return (JSON.parse(out.split('\n')[0]!) as { bbox: number[] }).bbox;
  };
  // Stored at the left; orientation 6 turns it clockwise, to the right of a picture 40 wide.
  expect((await boxOf({}))[0]).toBeGreaterThan(20);
  expect((await boxOf({ autoOrient: false }))[0]).toBeLessThan(2);
});

test('a picture larger than allowed says which option allows it', async () => {
  const { err, bad } = await run(['a/0001.png'], {}, { maxPixels: 100 });
  expect(bad).toBe(1);
  expect(err).toMatch(/^error IMAGE_TOO_LARGE: .*--max-pixels/);
});

test('nothing is written where nothing is asked for', async () => {
  await run(['a/0001.png'], { out: at('never') });
  expect(readdirSync(root).map((name) => relative('.', name))).not.toContain('never');
});
