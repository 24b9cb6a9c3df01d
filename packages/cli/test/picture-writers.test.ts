import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Detection } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import { afterAll, beforeEach, expect, test } from 'vitest';
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
  const options = { out, pictures: true, crops: true, masks: true, inputs: [] };
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
    const options = { out, pictures: true, crops: true, masks: false, inputs: [] };
    await expect(PictureWriter.open(options, { names })).rejects.toMatchObject({ code: 'PATH_REFUSED' });
    const plain = await PictureWriter.open({ ...options, crops: false }, { names });
    await plain.write('photo.png', image, found); // replaces the link, not what it leads to
    expect(readFileSync(join(place, 'mine'), 'utf8')).toBe('mine');
    expect(readdirSync(join(place, 'elsewhere'))).toEqual([]);
  },
);

test('a file in the way of the folder is named', async () => {
  const options = { out: join(place, 'mine'), pictures: true, crops: false, masks: false, inputs: [] };
  await expect(PictureWriter.open(options, { names })).rejects.toMatchObject({ code: 'FILE_EXISTS' });
});
