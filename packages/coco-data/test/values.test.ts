// Ways in which people and their scripts write one and the same value: what is read as it is, and what a repair makes of it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { InstanceMask } from '@rcnn/core';
import { Mask, runsToString } from '@rcnn/masks';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { cocoResults, listedDetections } from '../src/index.ts';
import { inspectDataset, openDataset, repairDataset } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
const [WIDTH, HEIGHT] = [20, 12];
const SQUARES = [
  [2, 3],
  [11, 2],
] as const;

type Item = Record<string, unknown>;
interface Coco {
  readonly images: Item[];
  readonly annotations: Item[];
  readonly categories: Item[];
}

const flat = ([x, y]: readonly [number, number]): number[] => [x, y, x + 6, y, x + 6, y + 6, x, y + 6];

async function put(folder: string, file: string, value: unknown): Promise<string> {
  mkdirSync(join(root, folder), { recursive: true });
  for (const i of [1, 2]) {
    const background = { r: 90 * i, g: 9, b: 9 };
    const picture = sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background } });
    writeFileSync(join(root, folder, `${i}.png`), await picture.png().toBuffer());
  }
  mkdirSync(dirname(join(root, folder, file)), { recursive: true });
  writeFileSync(join(root, folder, file), value instanceof Uint8Array ? value : JSON.stringify(value));
  return join(root, folder);
}

function coco(): Coco {
  const annotations = [1, 2].flatMap((image) =>
    SQUARES.map((at, k) => ({
      id: 2 * image + k,
      image_id: image,
      category_id: k + 1,
      bbox: [...at, 6, 6],
      area: 36,
      iscrowd: 0,
      segmentation: [flat(at)],
    })),
  );
  return {
    images: [1, 2].map((id) => ({ id, file_name: `${id}.png`, width: WIDTH, height: HEIGHT })),
    annotations,
    categories: ['red', 'blue'].map((name, i) => ({ id: i + 1, name })),
  };
}

/** Boxes, and the masks where there are any. */
async function objects(path: string): Promise<readonly string[]> {
  const dataset = await openDataset(path, { policy: 'drop' });
  return [...dataset.images.keys()].flatMap((i) => {
    const { masks } = dataset.sample(i).target;
    return dataset.annotations(i).map(({ box }, k) => {
      const sides = box.map((side) => Math.round(side * 10) / 10).join(',');
      return `${sides} ${masks?.[k] === undefined ? 'box' : area(masks[k])}`;
    });
  });
}

function area(mask: InstanceMask): number {
  return mask.runLengths().counts.reduce((sum, count, i) => sum + (i % 2) * count, 0);
}

const WHOLE = [1, 2].flatMap(() => ['2,3,8,9 36', '11,2,17,8 36']);

const each = (list: Item[], change: (item: Item) => void): void => list.forEach((item) => change(item));
const runs = ({ segmentation }: Item): { size: readonly [number, number]; counts: readonly number[] } => {
  const { size, counts } = Mask.fromPolygons(segmentation as number[][], [HEIGHT, WIDTH]).runLengths();
  return { size, counts: [...counts] };
};
const letters = (item: Item): string =>
  runsToString(Mask.fromPolygons(item['segmentation'] as number[][], [HEIGHT, WIDTH]).runLengths());

describe('COCO, read as it is', () => {
  test.each<[string, (set: Coco) => void]>([
    ['an outline of nothing', ({ annotations }) => each(annotations, (item) => (item['segmentation'] = [[]]))],
    [
      'an outline of which a part is nothing',
      ({ annotations }) => each(annotations, (item) => (item['segmentation'] as unknown[]).push([], null)),
    ],
    [
      'no key points, written as null or as none',
      ({ annotations, categories }) => {
        each(annotations, (item) => (item['keypoints'] = item['id'] === 2 ? null : []));
        each(categories, (item) => (item['keypoints'] = ['head', 'tail']));
      },
    ],
    ['classes that are numbers', ({ categories }) => each(categories, (item) => (item['name'] = item['id']))],
    [
      'run lengths as Python prints them',
      ({ annotations }) =>
        each(annotations, (item) => {
          const counts = `b'${letters(item).replaceAll('\\', '\\\\')}'`;
          item['segmentation'] = { size: [HEIGHT, WIDTH], counts };
        }),
    ],
  ])('%s', async (name, change) => {
    const set = coco();
    change(set);
    const path = await put(`read/${name}`, 'annotations.json', set);
    expect((await inspectDataset(path)).report.counts.error).toBe(0);
    const expected = name === 'an outline of nothing' ? WHOLE.map((one) => one.replace(' 36', ' box')) : WHOLE;
    expect(await objects(path)).toEqual(expected);
  });
});

describe('COCO with text for numbers, read, told and mended', () => {
  test.each<[string, string, (set: Coco) => void]>([
    ['coordinates', 'mended field', ({ annotations }) => each(annotations, (item) => (item['segmentation'] = (item['segmentation'] as number[][]).map((part) => part.map(String))))],
    ['boxes, areas and marks of crowds', 'mended field', ({ annotations }) => each(annotations, (item) => Object.assign(item, { bbox: (item['bbox'] as number[]).map(String), area: '36.0', iscrowd: '0' }))],
    ['sizes, pictures in a folder of their own', 'mended field', ({ images }) => each(images, (item) => Object.assign(item, { width: '20', height: '12', file_name: `/data/${String(item['file_name'])}` }))],
    ['names for ids of categories', 'matched id', ({ annotations, categories }) => { each(annotations, (item) => (item['category_id'] = categories[(item['category_id'] as number) - 1]!['name'])); each(categories, (item) => (item['id'] = item['name'])); }],
  ])('%s', async (name, action, change) => {
    const set = coco();
    change(set);
    const path = await put(`told/${name}`, 'annotations.json', set);
    const inspection = await inspectDataset(path);
    expect(inspection.report.counts.error).toBe(0);
    expect(inspection.report.counts.warning).toBeGreaterThan(0); // never in silence
    expect(await objects(path)).toEqual(WHOLE);
    const copy = join(root, `told/${name}-copy`);
    const { account, repairs } = await repairDataset(inspection, copy);
    expect(account).toMatchObject({ objects: { copy: 4, leftOut: 0 }, isLossy: false });
    expect(repairs.map((repair) => repair.action)).toContain(action);
    expect(await objects(copy)).toEqual(WHOLE);
  }); // biome-ignore format: a line each

  test('text ids of categories mean the same in each split, and results can have them', async () => {
    const named = (names: readonly string[]) => {
      const { annotations, categories, ...rest } = coco();
      const nameOf = new Map(categories.map(({ id, name }) => [id, name]));
      for (const item of annotations) item['category_id'] = nameOf.get(item['category_id']);
      return {
        ...rest,
        categories: names.map((name) => ({ id: name, name })),
        annotations: annotations.filter(({ category_id }) => names.includes(category_id as string)),
      };
    };
    const names = coco().categories.map(({ name }) => name as string);
    const train = await openDataset(await put('named/train', 'annotations.json', named(names)));
    const last = names.at(-1)!;
    const val = await openDataset(await put('named/val', 'annotations.json', named([last])), {
      classes: train.classes,
    });
    expect(train.classes.names.slice(1)).toEqual(names);
    const labels = val.images.flatMap((_, i) => [...val.sample(i).target.labels]);
    expect([labels.length > 0, new Set(labels)]).toEqual([true, new Set([names.length])]);
    const found = [{ box: [0, 0, 4, 4] as const, label: names.length, score: 1 }];
    expect(cocoResults(found, 1, train.classes, 'written')[0]!.category_id).toBe(last);
    expect(listedDetections(cocoResults(found, 1, train.classes, 'written'), val.classes, 'x').get(1)![0]!.label).toBe(
      names.length,
    );
  });
});

describe('COCO, mended', () => {
  test.each<[string, string, (set: Coco) => void]>([
    ['corners by name', 'wrapped polygon', ({ annotations }) => each(annotations, (item) => (item['segmentation'] = [SQUARES[(item['category_id'] as number) - 1]!].map(([x, y]) => [{ x, y }, { x: x + 6, y }, { x: x + 6, y: y + 6 }, { x, y: y + 6 }])))],
    ['JSON in a text', 'mended field', ({ annotations }) => each(annotations, (item) => (item['segmentation'] = JSON.stringify(item['segmentation'])))],
    ['run lengths in a list', 'mended field', ({ annotations }) => each(annotations, (item) => (item['segmentation'] = [runs(item)]))],
    ['run lengths by their letters', 'mended field', ({ annotations }) => each(annotations, (item) => (item['segmentation'] = { size: [HEIGHT, WIDTH], counts: [...Buffer.from(letters(item))] }))],
    ['a box by name', 'mended field', ({ annotations }) => each(annotations, (item) => { const [x, y, width, height] = item['bbox'] as number[]; item['bbox'] = { x, y, width, height }; })],
    ['a box in a list', 'mended field', ({ annotations }) => each(annotations, (item) => (item['bbox'] = [item['bbox']]))],
    ['a part outside of the image', 'left out polygon part', ({ annotations }) => each(annotations, (item) => Object.assign(item, { bbox: [0, 0, 0, 0], segmentation: [...(item['segmentation'] as number[][]), [30, 20, 40, 20, 40, 30]] }))],
    ['outlines in fractions', 'read as fractions', ({ annotations }) => each(annotations, (item) => (item['segmentation'] = [flat(SQUARES[(item['category_id'] as number) - 1]!).map((side, i) => side / (i % 2 ? HEIGHT : WIDTH))]))],
    ['boxes alone in fractions', 'read as fractions', ({ annotations }) => each(annotations, (item) => (item['bbox'] = (item['bbox'] as number[]).map((side, i) => side / (i % 2 ? HEIGHT : WIDTH))))],
    ['boxes alone in fractions, beside run lengths', 'read as fractions', ({ annotations }) => each(annotations, (item) => { item['segmentation'] = runs(item); item['bbox'] = (item['bbox'] as number[]).map((side, i) => side / (i % 2 ? HEIGHT : WIDTH)); })],
    ['everything in fractions', 'read as fractions', ({ annotations }) => each(annotations, (item) => { item['segmentation'] = [flat(SQUARES[(item['category_id'] as number) - 1]!).map((side, i) => side / (i % 2 ? HEIGHT : WIDTH))]; item['bbox'] = (item['bbox'] as number[]).map((side, i) => side / (i % 2 ? HEIGHT : WIDTH)); item['area'] = 0.15; })],
  ])('%s', async (name, action, change) => {
    const set = coco();
    change(set);
    const path = await put(`mended/${name}`, 'annotations.json', set);
    const inspection = await inspectDataset(path);
    expect(inspection.report.counts.error).toBeGreaterThan(0); // never in silence
    await expect(openDataset(path)).rejects.toMatchObject({ name: 'RcnnError' });
    const copy = join(root, `mended/${name}-copy`);
    const { account, repairs } = await repairDataset(inspection, copy);
    expect(account).toMatchObject({ objects: { copy: 4, leftOut: 0 }, masksLeftOut: 0, isLossy: false });
    expect(repairs.map((repair) => repair.action)).toContain(action);
    expect(await objects(copy)).toEqual(WHOLE);
  }); // biome-ignore format: a line each

  test('UTF-16 is read the second time too', async () => {
    const set = coco();
    each(set.annotations, (item) => (item['segmentation'] = (item['segmentation'] as number[][])[0]));
    const text = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(JSON.stringify(set), 'utf16le')]);
    const inspection = await inspectDataset(await put('utf16', 'annotations.json', text));
    await repairDataset(inspection, join(root, 'utf16-copy'));
    expect(await objects(join(root, 'utf16-copy'))).toEqual(WHOLE);
  });

  test('one object of less than a pixel is no fraction', async () => {
    const set = coco();
    Object.assign(set.annotations[0]!, { bbox: [0.1, 0.1, 0.5, 0.5], segmentation: [] });
    const { report } = await inspectDataset(await put('speck', 'annotations.json', set));
    expect(report.problems.map(({ kind }) => kind)).not.toContain('box-fractions');
  });

  test('objects that stand twice are told, others of one box are not', async () => {
    const set = coco();
    set.annotations.push({ ...set.annotations[0]!, id: 90 }, { ...set.annotations[1]!, id: 91, category_id: 1 });
    const { report } = await inspectDataset(await put('twice', 'annotations.json', set));
    const twice = report.problems.filter(({ kind }) => kind === 'duplicate-object');
    expect(twice.map(({ count, examples }) => [count, examples[0]!.place])).toEqual([[1, '/annotations/4']]);
  });
});

describe('what people typed', () => {
  test('blanks around names of classes, and numbers as text, in VIA', async () => {
    const shape = { name: 'polygon', all_points_x: ['2', '8', 8], all_points_y: [3, '3', '9'] };
    const regions = ['red ', ' red\n', 'red'].map((kind) => ({ shape_attributes: shape, region_attributes: { kind } }));
    const path = await put('typed via', 'via_project.json', { k: { filename: '1.png', regions } });
    const dataset = await openDataset(path);
    expect([dataset.classes.names.filter((name) => name.startsWith('r')), dataset.annotations(0).length]).toEqual([
      ['red'],
      3,
    ]);
  });

  test('the same in labelme; what its converters leave out is left out and noted', async () => {
    const points = [['2', 3], [8, '3'], [8, 9]]; // biome-ignore format: short
    const shapes = ['red ', 1, '__ignore__', '_background_'].map((label) => ({ label, shape_type: 'polygon', points }));
    const path = await put('typed labelme', '1.json', { shapes, imagePath: '1.png', imageHeight: 12, imageWidth: 20 });
    const dataset = await openDataset(path);
    expect(
      dataset.annotations(0).map(({ categoryId }) => dataset.classes.nameOf(dataset.classes.labelOf(categoryId)!)),
    ).toEqual(['red', '1']);
    const { report } = await inspectDataset(path);
    expect(report.problems.map(({ kind, count, severity }) => [kind, count, severity])).toEqual([
      ['region-ignored', 2, 'note'],
    ]);
  });

  test.each([
    ['ISO-8859-1', Buffer.from('rougeé', 'latin1'), 'rougeé'],
    ['gb2312', Buffer.from([0xba, 0xec]), '红'],
    ['utf-8', Buffer.from('rougeé'), 'rougeé'],
    ['gb2312', Buffer.from('红'), '红'], // UTF-8 all the same
  ])('XML in %s', async (encoding, bytes, name) => {
    const box = '<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>';
    const head = `<?xml version="1.0" encoding="${encoding}"?><annotation><filename>1.png</filename><object><name>`;
    const text = Buffer.concat([Buffer.from(head), bytes, Buffer.from(`</name>${box}</object></annotation>`)]);
    const path = await put(`xml ${encoding} ${bytes.length}`, '1.xml', text);
    const dataset = await openDataset(path);
    expect(dataset.classes.nameOf(dataset.classes.labelOf(dataset.annotations(0)[0]!.categoryId)!)).toBe(name);
  });
});
