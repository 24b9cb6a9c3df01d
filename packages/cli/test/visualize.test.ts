import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readImage, writeShapes } from '@rcnn/coco-data/node';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { picturesOfImages } from '../src/pictures/of-images.ts';
import { spread } from '../src/pictures/spread.ts';
import { patchesArchitecture, savePatches } from './support/patches-architecture.ts';
import { type Call, callWith } from './support/program.ts';
import { picture } from './support/stand-in.ts';

const root = mkdtempSync(join(tmpdir(), 'cli-visualize-'));
const at = (...parts: string[]): string => join(root, ...parts);
const architectures = [patchesArchitecture];
const visualize = (what: string, ...args: string[]): Promise<Call> =>
  callWith({ architectures }, 'visualize', what, '--engine', 'cpu', '--weights', at('weights.safetensors'), ...args);

beforeAll(async () => {
  await savePatches(at('weights.safetensors'));
  await savePatches(at('coco.safetensors'), [], 91);
  mkdirSync(at('photos'));
  const { data, width, height } = picture([12, 16], [[2, 2, 3, 1]]);
  for (const name of ['1', '2', '3', '4', '5']) {
    const file = at('photos', `${name}.png`);
    await sharp(Buffer.from(data.buffer as ArrayBuffer), { raw: { width, height, channels: 3 } }).toFile(file);
  }
  truncateSync(at('photos/3.png'), 40);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('an image that cannot be used is named and costs only itself', async () => {
  const { code, out, err } = await visualize(at('photos'), '--out', at('drawn'));
  expect(out.trim().split('\n')).toEqual(['1', '2', '4', '5'].map((name) => at('drawn', `${name}.png`)));
  expect(err.match(/^error .*/gm)).toEqual([expect.stringMatching(/^error IMAGE_\w+: .*3\.png/)]);
  expect(err).toContain('1 of 5 images could not be used.\n');
  expect(code).toBe(1);
});

test('--limit spreads over a folder, as over a dataset', async () => {
  const { code, out } = await visualize(at('photos'), '--limit', '2', '--out', at('few'));
  expect([code, out]).toEqual([1, `${at('few', '1.png')}\n`]); // the other is the third, which is broken
  expect(spread(5, 2)).toEqual([0, 2]);
  expect(spread(10, 4)).toEqual([0, 2, 5, 7]);
  expect(spread(2, 20)).toEqual([0, 1]);
  expect(spread(0, 20)).toEqual([]);
});

test('weights of 91 classes without names have those of COCO, as predict shows them', async () => {
  const pictures = picturesOfImages([at('photos/1.png')], (file) => readImage(file), {
    model: { weights: at('coco.safetensors') },
    architectures,
    engine: { engine: 'cpu' },
    minScore: 0.5,
  });
  const names: (string | undefined)[] = [];
  for await (const { objects, names: known } of pictures)
    names.push(...objects.map(({ label = 0 }) => known.get(label)));
  expect(names).toEqual(['person']);
});

test('into the folder of its own data: the photographs stay', async () => {
  await writeShapes(at('set'), { splits: { val: 2 }, size: [32, 32], tiny: 0 });
  const folder = at('set/val');
  const before = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  const draw = (command: string): Promise<Call> => callWith({}, command, at('set'), '--limit', '2', '--out', folder);
  expect((await draw('visualize')).out).toBe(`${join(folder, '000000-2.png')}\n${join(folder, '000001-2.png')}\n`);
  expect((await draw('visualize')).code).toBe(0);
  expect(readdirSync(folder)).toEqual(['000000-2.png', '000000.png', '000001-2.png', '000001.png']);
  expect(['000000.png', '000001.png'].map((name) => readFileSync(join(folder, name)))).toEqual(before);
  writeFileSync(join(folder, '000000-level3.png'), 'theirs');
  expect((await draw('preview')).out).toBe(
    `${join(folder, '000000-2-level3.png')}\n${join(folder, '000001-level3.png')}\n`,
  );
  expect(readFileSync(join(folder, '000000-level3.png'), 'utf8')).toBe('theirs');
});
