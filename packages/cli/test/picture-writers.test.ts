import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Detection } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { OwnFiles } from '../src/output/own-files.ts';
import { drawAll } from '../src/pictures/draw.ts';
import { PictureWriter } from '../src/predict/pictures.ts';
import { picture } from './support/stand-in.ts';

// Names of files and classes come from somebody else's data: pictures are written inside their folder all the same.
const root = mkdtempSync(join(tmpdir(), 'rcnn-pictures-'));
afterAll(() => rmSync(root, { recursive: true }));

const NAMES = [
  '../up',
  '..',
  '.',
  '',
  '/etc/x',
  'C:\\x',
  'con',
  'a/b',
  'A/B',
  'a',
  'A',
  'line\nbreak',
  '\u001b]0;x\u0007',
];
const image = picture([12, 16], [[2, 2, 6, 1]]);
const found: Detection[] = NAMES.map((_, i) => {
  const mask = Mask.fromBitmap(
    Uint8Array.from({ length: 12 * 16 }, (_, at) => Number(at % 16 < 8)),
    [12, 16],
  );
  return {
    box: [2, 2, 8, 8],
    score: 0.9,
    label: i + 1,
    mask: Object.assign(mask, { soft: () => new Float32Array(192) }),
  };
});
const names = new Map(NAMES.map((name, i) => [i + 1, name]));

let place: string;
let out: string;
beforeEach(() => {
  place = mkdtempSync(join(root, 'place-'));
  out = join(place, 'out');
  writeFileSync(join(place, 'mine'), 'mine');
});

function expectInside(): void {
  expect(readdirSync(place).sort()).toEqual(['mine', 'out']);
  expect(readFileSync(join(place, 'mine'), 'utf8')).toBe('mine');
  for (const path of readdirSync(out, { recursive: true })) expect(path).not.toMatch(/[\p{Cc}\p{Bidi_Control}\\:]/u);
}

test('predict: pictures, crops and masks, a folder for each class', async () => {
  const options = { out, pictures: true, crops: true, masks: true, own: new OwnFiles([]) };
  const writer = await PictureWriter.open(options, { names });
  for (const name of NAMES) await writer.write(`${name}.png`, image, found);
  expectInside();
  expect(readdirSync(join(out, 'crops'))).toHaveLength(NAMES.length); // `a` and `A` are two classes
  expect(readdirSync(join(out, 'masks'))).toHaveLength(NAMES.length ** 2);
});

test('visualize', async () => {
  async function* pictures() {
    for (const name of NAMES.slice(0, 5)) yield await Promise.resolve({ name, image, objects: [], names });
  }
  const drawn: string[] = [];
  for await (const file of drawAll(pictures(), out, 'class')) drawn.push(file);
  expect(new Set(drawn).size).toBe(5);
  expectInside();
});

test.skipIf(process.platform === 'win32')(
  'a link in the folder is not written through',
  { meta: { whySkipped: 'needs a system other than Windows' } },
  async () => {
    mkdirSync(join(place, 'elsewhere'));
    mkdirSync(out);
    symlinkSync('../elsewhere', join(out, 'crops'));
    symlinkSync('../mine', join(out, 'photo.png'));
    const options = { out, pictures: true, crops: true, masks: false, own: new OwnFiles([]) };
    await expect(PictureWriter.open(options, { names })).rejects.toMatchObject({ code: 'PATH_REFUSED' });
    const plain = await PictureWriter.open({ ...options, crops: false }, { names });
    expect(await plain.write('photo.png', image, found)).toBe(join(out, 'photo-2.png')); // the link stays as well
    expect(readFileSync(join(place, 'mine'), 'utf8')).toBe('mine');
    expect(readdirSync(join(place, 'elsewhere'))).toEqual([]);
  },
);

/** What is in a folder, as texts; pictures as `picture`. */
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => {
        const text = readFileSync(join(parentPath, name), 'latin1');
        const path = relative(folder, join(parentPath, name)).replaceAll('\\', '/');
        return [path, text.length > 20 ? 'picture' : text] as const;
      })
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

test.each(['png', 'jpg', 'webp'])('predict: a run again renews its own %s; files of others stay', async (ending) => {
  mkdirSync(join(out, 'crops', 'car'), { recursive: true });
  mkdirSync(join(out, 'masks'));
  writeFileSync(join(out, `photo.${ending}`), 'theirs');
  writeFileSync(join(out, 'crops', 'car', `photo-2-1.${ending}`), 'theirs');
  writeFileSync(join(out, 'masks', 'photo-2-1-car.png'), 'theirs');
  const runs = [1, 2, 3].map(() => ({ out, pictures: true, crops: true, masks: true, own: new OwnFiles([]) }));
  for (const options of runs) {
    const writer = await PictureWriter.open(options, { names: new Map([[1, 'car']]) });
    const file = await writer.write(`photo.${ending}`, image, found.slice(0, 1));
    expect(file).toBe(join(out, `photo-2.${ending}`));
  }
  expect(contents(out)).toEqual({
    [`crops/car/photo-2-1-2.${ending}`]: 'picture',
    [`crops/car/photo-2-1.${ending}`]: 'theirs',
    'masks/photo-2-1-car-2.png': 'picture',
    'masks/photo-2-1-car.png': 'theirs',
    [`photo-2.${ending}`]: 'picture',
    [`photo.${ending}`]: 'theirs',
  });
});

test('predict: its own picture stays too where this run reads it, by whatever path', async () => {
  const write = async (inputs: readonly string[]): Promise<string | undefined> => {
    const own = new OwnFiles(inputs);
    const writer = await PictureWriter.open({ out, pictures: true, crops: false, masks: false, own }, { names });
    return writer.write('a.png', image, []);
  };
  expect(await write([])).toBe(join(out, 'a.png'));
  expect(await write([join(out, '..', 'out', 'a.png')])).toBe(join(out, 'a-2.png'));
  expect(await write([])).toBe(join(out, 'a.png'));
});

test('visualize: a run again renews its panels; photographs, crops and inputs stay', async () => {
  mkdirSync(out);
  writeFileSync(join(out, 'a.png'), 'theirs');
  const crops = { out, pictures: true, crops: false, masks: false, own: new OwnFiles([]) };
  await (await PictureWriter.open(crops, { names })).write('b.png', image, []);
  async function* pictures() {
    for (const name of ['a.png', 'b.jpg']) yield await Promise.resolve({ name, image, objects: [], names });
  }
  const draw = async (inputs?: readonly string[]): Promise<string[]> => {
    const drawn: string[] = [];
    for await (const file of drawAll(pictures(), out, 'class', inputs)) drawn.push(relative(out, file));
    return drawn;
  };
  expect(await draw()).toEqual(['a-2.png', 'b-2.png']);
  expect(await draw()).toEqual(['a-2.png', 'b-2.png']);
  expect(await draw([join(out, 'b-2.png')])).toEqual(['a-2.png', 'b-3.png']);
  expect(contents(out)).toMatchObject({ 'a.png': 'theirs', 'b.png': 'picture' });
  expect(readdirSync(out)).toHaveLength(5);
});

test('a file in the way of the folder is named', async () => {
  const options = { out: join(place, 'mine'), pictures: true, crops: false, masks: false, own: new OwnFiles([]) };
  await expect(PictureWriter.open(options, { names })).rejects.toMatchObject({ code: 'FILE_EXISTS' });
});
