// Predict, then evaluate, on datasets as people have them. The model finds every square of its colors exactly, so all is
// found (AP 1) where pictures, ids and classes are understood, and nowhere else.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { patchesArchitecture, savePatches } from './support/patches-architecture.ts';
import { type Call, callWith } from './support/program.ts';
import { picture } from './support/stand-in.ts';

const root = mkdtempSync(join(tmpdir(), 'cli-variants-'));
const at = (name: string): string => join(root, name);
const call = (...args: string[]): Promise<Call> => callWith({ architectures: [patchesArchitecture] }, ...args);
const MODEL = ['--weights', at('patches.safetensors'), '--engine', 'cpu'];

beforeAll(() => savePatches(at('patches.safetensors')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const [HEIGHT, WIDTH] = [40, 60];
type Square = readonly [left: number, top: number, side: number, label: number];
const CLASSES = ['circle', 'square', 'triangle', 'star'];
const SQUARES: readonly (readonly Square[])[] = [[[5, 6, 10, 1], [30, 20, 8, 2]], [[20, 20, 15, 3]], [[2, 3, 9, 1], [40, 9, 12, 3]]]; // biome-ignore format: rows

function put(file: string, content: string | Uint8Array | object): void {
  mkdirSync(dirname(at(file)), { recursive: true });
  const isFile = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(at(file), isFile ? content : JSON.stringify(content));
}

/** With an orientation, the pixels are stored such that the picture is shown as drawn. */
async function png(squares: readonly Square[], orientation?: 3 | 6 | 8): Promise<Uint8Array> {
  const { data } = picture([HEIGHT, WIDTH], squares);
  const image = sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
  if (orientation === undefined) return image.png().toBuffer();
  const stored = image.rotate({ 3: 180, 6: 270, 8: 90 }[orientation]);
  return stored.withMetadata({ orientation }).png().toBuffer();
}

type Item = Record<string, unknown>;
interface Coco {
  images: Item[];
  annotations: Item[];
  categories: Item[];
}

function coco(): Coco {
  const annotations = SQUARES.flatMap((squares, i) =>
    squares.map(([x, y, side, label]) => ({ image_id: i + 1, category_id: label, bbox: [x, y, side, side] })),
  );
  return {
    images: SQUARES.map((_, i) => ({ id: i + 1, file_name: `p${i}.png`, width: WIDTH, height: HEIGHT })),
    annotations: annotations.map((item, i) => {
      const [x = 0, y = 0, side = 0] = item.bbox;
      const segmentation = [[x, y, x + side, y, x + side, y + side, x, y + side]];
      return { id: i + 1, area: side * side, iscrowd: 0, segmentation, ...item };
    }),
    categories: CLASSES.map((name, i) => ({ id: i + 1, name })),
  };
}

async function putCoco(folder: string, change: (data: Coco) => void, write = (text: string) => text): Promise<void> {
  const data = coco();
  change(data);
  put(`${folder}/annotations/instances_val.json`, write(JSON.stringify(data)));
  for (const [i, squares] of SQUARES.entries()) put(`${folder}/val/p${i}.png`, await png(squares));
}

/** Mean precision of boxes, of what predict writes for a dataset; `undefined` where a command fails. */
async function precision(data: string, ...settings: string[]): Promise<number | undefined> {
  const results = at(`${data.replaceAll('/', '-')}.json`);
  const predicted = await call('predict', '--data', at(data), ...MODEL, ...settings, '--results', results, '--no-save');
  expect([predicted.code, predicted.err.match(/^error .*/gm)]).toEqual([0, null]);
  const evaluated = await call('evaluate', '--gt', at(data), '--dt', results, ...settings, '--iou', 'bbox', '--json');
  expect([evaluated.code, evaluated.err.match(/^error .*/gm)]).toEqual([0, null]);
  return (JSON.parse(evaluated.out) as { bbox: { stats: number[] } }).bbox.stats[0];
}

const each = (list: Item[], change: (item: Item) => Item): void => {
  for (const item of list) Object.assign(item, change(item));
};
const withLargeIds = (text: string): string => text.replaceAll(/"large (\d)"/g, '154171516140400000$1');

describe('ids', () => {
  test.each<[string, (data: Coco) => void, ((text: string) => string)?]>([
    ['numbers with gaps', ({ annotations, categories }) => { each(annotations, ({ category_id: id }) => ({ category_id: Number(id) * 7 })); each(categories, ({ id }) => ({ id: Number(id) * 7 })); }],
    ['from zero', ({ annotations, categories }) => { each(annotations, ({ category_id: id }) => ({ category_id: Number(id) - 1 })); each(categories, ({ id }) => ({ id: Number(id) - 1 })); }],
    ['text for images', ({ images, annotations }) => { each(images, ({ id }) => ({ id: `img_${id}` })); each(annotations, ({ image_id: id }) => ({ image_id: `img_${id}` })); }],
    ['numerals for images, numbers in annotations', ({ images }) => each(images, ({ id }) => ({ id: String(id) }))],
    ['text for categories', ({ annotations, categories }) => { each(annotations, ({ category_id: id }) => ({ category_id: CLASSES[Number(id) - 1] })); each(categories, ({ name }) => ({ id: name })); }],
    ['numerals for categories', ({ annotations, categories }) => { each(annotations, ({ category_id: id }) => ({ category_id: String(id) })); each(categories, ({ id }) => ({ id: String(id) })); }],
    ['nanoseconds for images', ({ images, annotations }) => { each(images, ({ id }) => ({ id: `large ${id}` })); each(annotations, ({ image_id: id }) => ({ image_id: `large ${id}` })); }, withLargeIds],
    ['nanoseconds for categories', ({ annotations, categories }) => { each(annotations, ({ category_id: id }) => ({ category_id: `large ${id}` })); each(categories, ({ id }) => ({ id: `large ${id}` })); }, withLargeIds],
  ])('%s', async (name, change, write) => {
    const folder = name.replaceAll(/\W/g, '-');
    await putCoco(folder, change, write);
    expect(await precision(folder)).toBeCloseTo(1, 9);
    const measured = await call('val', at(folder), ...MODEL, '--no-losses', '--json');
    expect([measured.code, measured.err.match(/^error .*/gm)]).toEqual([0, null]);
  }); // biome-ignore format: a line each
});

describe('photographs that are stored turned, drawn as shown', () => {
  test.each([3, 6, 8] as const)('orientation %d', async (orientation) => {
    const folder = `turned-${orientation}`;
    put(`${folder}/annotations/instances_val.json`, coco());
    for (const [i, squares] of SQUARES.entries()) put(`${folder}/val/p${i}.png`, await png(squares, orientation));
    expect(await precision(folder, '--auto-orient')).toBeCloseTo(1, 9);
    // Half a turn leaves the size: nothing but the option says how the objects were drawn.
    const copy = await call(
      'doctor',
      at(folder),
      ...(orientation === 3 ? ['--auto-orient'] : []),
      '--fix',
      at(`${folder}-copy`),
    );
    expect(copy.err).not.toMatch(/^error /m);
    expect(await precision(`${folder}-copy`)).toBeCloseTo(1, 9);
  });
});

describe('splits', () => {
  test('each by its name, with other numbers for the same classes in one', async () => {
    for (const [s, split] of ['train', 'valid', 'test'].entries()) {
      const data = coco();
      // Only what the split has: the numbers of the test split are others.
      const images = data.images.filter((_, i) => i === s);
      const annotations = data.annotations.filter(({ image_id: id }) => id === s + 1);
      const number = (id: unknown): number => (split === 'test' ? 5 - Number(id) : Number(id));
      each(annotations, ({ category_id: id }) => ({ category_id: number(id) }));
      each(data.categories, ({ id }) => ({ id: number(id) }));
      put(`splits/${split}/_annotations.coco.json`, { ...data, images, annotations });
      put(`splits/${split}/p${s}.png`, await png(SQUARES[s]!));
    }
    for (const split of ['train', 'valid', 'test'])
      expect(await precision('splits', '--split', split)).toBeCloseTo(1, 9);
    const unknown = await call('predict', '--data', at('splits'), ...MODEL, '--split', 'tests', '--no-save');
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringMatching(/no split 'tests'; expected .*test/)]);
  });
});

describe('classes of VIA', () => {
  const attributes: readonly [string, (name: string) => Item, string[]][] = [
    ['one of two attributes', (name) => ({ kind: name, quality: 'good' }), ['--class-attribute', 'kind']],
    ['an attribute per class', (name) => ({ [name]: name }), []],
    ['a checkbox', (name) => ({ kind: { [name]: true } }), []],
  ];
  test.each(attributes)('%s', async (title, attributesOf, settings) => {
    const folder = `via-${title.replaceAll(' ', '-')}`;
    const entries = SQUARES.map((squares, i) => [
      `p${i}.png1`,
      {
        filename: `p${i}.png`,
        size: 1,
        file_attributes: {},
        regions: squares.map(([x, y, side, label]) => ({
          shape_attributes: { name: 'rect', x, y, width: side, height: side },
          region_attributes: attributesOf(CLASSES[label - 1]!),
        })),
      },
    ]);
    for (const [i, squares] of SQUARES.entries()) put(`${folder}/val/p${i}.png`, await png(squares));
    put(`${folder}/val/via_region_data.json`, Object.fromEntries(entries) as Item);
    expect(await precision(folder, ...settings)).toBeCloseTo(1, 9);
    if (settings.length === 0) return;
    const unsaid = await call('doctor', at(folder));
    expect(unsaid.out + unsaid.err).toMatch(/kind.*quality|quality.*kind/);
  });
});

test('of several bad pictures each is named, and the others are predicted', async () => {
  await putCoco('bad', () => undefined);
  put('bad/val/p0.png', readFileSync(at('bad/val/p0.png')).subarray(0, 60));
  put('bad/val/p2.png', '<html>404</html>');
  const args = ['predict', '--data', at('bad'), ...MODEL, '--results', at('bad.json'), '--no-save'];
  const { code, err } = await call(...args);
  expect([code, err.match(/^error IMAGE_CORRUPT: .*p\d\.png/gm)?.length]).toEqual([1, 2]);
  const names = (JSON.parse(readFileSync(at('bad.json'), 'utf8')) as Item[]).map(({ file_name: name }) => name);
  expect(new Set(names)).toEqual(new Set(['p1.png']));
});
