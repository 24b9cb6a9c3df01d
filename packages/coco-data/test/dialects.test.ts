// Datasets that other tools open, and what is read and written of them: where files lie, what stands in a field, and what
// another program would make of a copy.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { clippedOutline } from '../src/formats/outline.ts';
import { imageFormatOf } from '../src/images/image-format.ts';
import type { Dataset } from '../src/index.ts';
import { exportDataset, findSources, inspectDataset, openDataset, repairDataset } from '../src/node/index.ts';
import { type Files, putFiles, temporaryFolder } from './folders.ts';
import { jpeg, png } from './plain-picture.ts';

const root = temporaryFolder();

const put = (folder: string, files: Files): string => putFiles(join(root, folder), files);

/** Every object as `file class x1,y1,x2,y2`, and the count of its outlines. */
function objects(dataset: Dataset): readonly string[] {
  return [...dataset.images.keys()].flatMap((i) =>
    dataset.annotations(i).map(({ categoryId, box, segmentation }) => {
      const parts = segmentation?.kind === 'polygons' ? segmentation.parts.length : (segmentation?.kind ?? 'box');
      const name = dataset.classes.nameOf(dataset.classes.labelOf(categoryId)!);
      return `${dataset.images[i]!.file} ${name} ${box.map((side) => Math.round(side * 10) / 10).join()} ${parts}`;
    }),
  );
}

async function told(path: string): Promise<readonly string[]> {
  const { report } = await inspectDataset(path);
  return report.problems.flatMap(({ severity, kind, examples }) =>
    severity === 'note' ? [] : examples.map(({ place }) => `${kind} ${place}`),
  );
}

const outline = [2, 3, 8, 3, 8, 9, 2, 9];
const coco = (image: object = {}, annotation: object = {}, category: object = {}): object => ({
  images: [{ id: 1, file_name: 'a.png', width: 20, height: 12, ...image }],
  annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [2, 3, 6, 6], area: 36, segmentation: [outline], ...annotation }],
  categories: [{ id: 1, name: 'red', ...category }],
}); // biome-ignore format: a record a line

describe('COCO', () => {
  test.each<[string, string, string, object]>([
    ['names from the folder above', 'ann/train.json', 'pictures/a.png', { file_name: 'pictures/a.png' }],
    ['names from two folders above', 'meta/coco/train.json', 'pictures/a.png', { file_name: './pictures\\a.png' }],
    ['blanks around a name', 'annotations/instances_train.json', 'train/a.png', { file_name: ' a.png ' }],
    ['a number for a name', 'annotations/instances_train.json', 'train/7.png', { file_name: 7 }],
  ])('%s', async (name, annotations, picture, image) => {
    const path = put(`coco/${name}`, { [annotations]: coco(image), [picture]: png });
    expect(await told(path)).toEqual([]);
    const file = picture.split('/').at(-1);
    expect(objects(await openDataset(path))).toEqual([
      expect.stringMatching(new RegExp(`^(?:pictures/)?${file} red 2,3,8,9 1$`)),
    ]);
  });

  test('a file that is opened by its name has its pictures in the folder above, and no higher', async () => {
    const path = put('above', {
      'set/ann/train.json': coco({ file_name: 'pictures/a.png' }),
      'set/pictures/a.png': png,
      'set/ann/deeper/train.json': coco({ file_name: 'other/a.png' }),
      'other/a.png': png,
    });
    const [near] = await findSources(join(path, 'set/ann/train.json'));
    expect(near!.images).toBe(join(path, 'set'));
    const [far] = await findSources(join(path, 'set/ann/deeper/train.json'));
    expect(far!.images).toBe(join(path, 'set/ann/deeper'));
  });

  test.each<[string, object, object, readonly string[], string]>([
    ['no name of a category', {}, { name: null }, ['field-type', 'unknown-category'], 'a.png 1 2,3,8,9 1'],
    ['run lengths without the last run', { segmentation: { size: [12, 20], counts: [27, 6] } }, {}, ['rle-invalid'], 'a.png red 2,3,8,9 rle'],
  ])('%s is mended', async (name, annotation, category, kinds, expected) => {
    const path = put(`mended/${name}`, { 'annotations.json': coco({}, annotation, category), 'a.png': png });
    expect((await told(path)).map((one) => one.split(' ')[0])).toEqual(expect.arrayContaining([...kinds]));
    const { account } = await repairDataset(await inspectDataset(path), `${path}-copy`);
    expect(account).toMatchObject({ objects: { leftOut: 0 }, masksLeftOut: 0 });
    expect(objects(await openDataset(`${path}-copy`))).toEqual([expected]);
  }); // biome-ignore format: a case a line

  test('a split without an image is told', async () => {
    const path = put('empty', { '_annotations.coco.json': { images: [], annotations: [], categories: [] } });
    expect(await told(path)).toEqual(['images-none ']);
  });
});

describe('Pascal VOC', () => {
  const polygon = (x: number): string => `<polygon><x1>${x}</x1><y1>3</y1><x2>${x + 3}</x2><y2>3</y2><x3>${x + 3}</x3><y3>9</y3></polygon>`;
  const xml = (inside: string): string => `<annotation><filename>a.png</filename><object>${inside}</object></annotation>`;
  const box = '<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>';

  test.each([
    ['several outlines are one object', `<name>red</name>${box}${polygon(2)}${polygon(5)}`, 'a.png red 2,3,8,9 2'],
    ['several outlines and no box', `<name>red</name>${polygon(2)}${polygon(5)}`, 'a.png red 2,3,8,9 2'],
    ['names in sections of their own', `<name><![CDATA[red & blue]]></name>${box}`, 'a.png red & blue 2,3,8,9 box'],
  ])('%s', async (name, inside, expected) => {
    const path = put(`voc/${name}`, { 'Annotations/a.xml': xml(inside), 'JPEGImages/a.png': png });
    expect(objects(await openDataset(path))).toEqual([expected]);
  });

  test('a sign that is no XML is told by what it should be', async () => {
    const path = put('voc/sign', { 'Annotations/a.xml': xml(`<name>red & blue</name>${box}`), 'JPEGImages/a.png': png });
    await expect(openDataset(path)).rejects.toThrow(/not XML.*'&amp;'/s);
  });
}); // biome-ignore format: a case a line

describe('YOLO', () => {
  const yaml = 'train: images/train\nnames: [red]\n';
  const label = '0 0.25 0.5 0.3 0.5\n';

  test('labels whose picture is of a format that is not read say so', async () => {
    const heic = Buffer.concat([Buffer.from('\0\0\0\u0018ftypheic\0\0\0\0mif1heic'), Buffer.alloc(64)]);
    const files = { 'images/train/a.heic': heic, 'images/train/b.png': png, 'images/train/c.data': png };
    const labels = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`labels/train/${name}.txt`, label]));
    const path = put('unread', { ...files, ...labels, 'data.yaml': yaml });
    const { report } = await inspectDataset(path);
    expect(report.problems.flatMap(({ kind, examples }) => examples.map((one) => `${kind} ${one.place} ${one.found}`))).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^image-corrupt a\.txt .*HEIC.*JPEG/),
        expect.stringMatching(/^image-missing c\.txt .*c\.data is one/),
        expect.stringMatching(/^image-missing d\.txt d\.txt has no picture/),
      ]),
    );
    expect(objects(await openDataset(path, { policy: 'drop' }))).toEqual(['b.png red 2,3,8,9 box']);
  });

  test('other endings of JPEG are read, and written as YOLO’s tools know them', async () => {
    const path = put('jfif', { 'images/train/a.jfif': jpeg, 'labels/train/a.txt': label, 'data.yaml': yaml });
    expect(objects(await openDataset(path))).toEqual(['a.jfif red 2,3,8,9 box']);
    await exportDataset(path, `${path}-copy`, 'yolo');
    expect(objects(await openDataset(`${path}-copy`))).toEqual(['a.jpg red 2,3,8,9 box']);
  });

  test.each<[string, string, string]>([
    ['a file beside the folder of its dataset', 'cfg/mine.yaml', 'path: ../sets/mine\ntrain: images/train\nnames: [red]\n'],
    ['a file in a folder of the dataset', 'sets/mine/cfg/data.yaml', 'path: ..\ntrain: images/train\nnames: [red]\n'],
  ])('%s says where that is', async (name, file, text) => {
    const path = put(`apart/${name}`, { 'sets/mine/images/train/a.png': png, 'sets/mine/labels/train/a.txt': label, [file]: text });
    const expected = ['a.png red 2,3,8,9 box'];
    expect(objects(await openDataset(join(path, file)))).toEqual(expected);
    expect(objects(await openDataset(dirname(dirname(join(path, file)))))).toEqual(expected);
  }); // biome-ignore format: a case a line

  test.each(['absolute', 'relative'])('a stranger’s file does not open the rest of a disk: %s', async (how) => {
    const path = put(`far-${how}`, { 'home/private/images/train/a.png': png, 'home/private/labels/train/a.txt': label });
    const to = how === 'absolute' ? join(path, 'home/private') : '../../../home/private';
    put(`far-${how}`, { 'downloads/set/cfg/data.yaml': `path: ${to}\ntrain: images/train\nnames: [red]\n` });
    await expect(openDataset(join(path, 'downloads/set/cfg/data.yaml'))).rejects.toMatchObject({ code: 'DATASET_INVALID' });
  });

  test('a file that says nothing of its place never leads beside its folder', async () => {
    const text = 'train: ../train/images\nval: ../valid/images\nnames: [red]\n';
    const path = put('high', { 'set/data.yaml': text, 'set/train/images/a.png': png, 'valid/images/b.png': png });
    const sources = await findSources(join(path, 'set'));
    expect(sources.map(({ split, images }) => [split, images])).toEqual([['train', join(path, 'set/train/images')]]);
  });

  test('pictures and labels in the folder of the file itself', async () => {
    const path = put('flat', { 'data.yaml': 'train: .\nnames: [red]\n', 'a.png': png, 'a.txt': label });
    expect(objects(await openDataset(path))).toEqual(['a.png red 2,3,8,9 box']);
  });

  test('what reaches beyond the picture is cut off: its tools leave out such pictures', async () => {
    const beyond = [[-4, 3, 8, 3, 8, 9, -4, 9]];
    const twice = [outline, [30, 20, 40, 20, 40, 30]];
    const path = put('beyond', {
      'annotations.json': {
        images: [{ id: 1, file_name: 'a.png', width: 20, height: 12 }],
        annotations: [
          { id: 1, image_id: 1, category_id: 1, bbox: [-4, 3, 12, 6], area: 72, segmentation: beyond },
          { id: 2, image_id: 1, category_id: 1, bbox: [2, 3, 6, 6], area: 36, segmentation: twice },
          { id: 3, image_id: 1, category_id: 1, bbox: [10, -6, 20, 12], area: 240 },
        ],
        categories: [{ id: 1, name: 'red' }],
      },
      'a.png': png,
    });
    const [split] = await exportDataset(path, `${path}-copy`, 'yolo');
    expect(split!.problems.map(({ kind }) => kind)).toContain('box-overhangs');
    const lines = readFileSync(`${path}-copy/labels/beyond/a.txt`, 'utf8').trimEnd().split('\n');
    expect(lines).toEqual(['0 0 0.25 0.4 0.25 0.4 0.75 0 0.75', '0 0.1 0.25 0.4 0.25 0.4 0.75 0.1 0.75', '0 0.75 0.25 0.5 0.5']);
  });
}); // biome-ignore format: a case a line

test.each<[string, readonly number[], readonly number[]]>([
  ['inside', outline, outline],
  ['over a corner', [-4, -4, 4, -4, 4, 4, -4, 4], [0, 0, 4, 0, 4, 4, 0, 4]],
  ['across', [-5, 6, 25, 6, 25, 8, -5, 8], [20, 8, 0, 8, 0, 6, 20, 6]],
  ['outside', [30, 1, 40, 1, 40, 9], []],
  ['around', [-9, -9, 90, -9, 90, 90, -9, 90], [0, 12, 0, 0, 20, 0, 20, 12]],
])('an outline %s, cut at the edges of 20 x 12 pixels', (_, points, expected) => {
  const cut = clippedOutline(points, [12, 20]);
  const pairs = (flat: readonly number[]): string[] =>
    flat.flatMap((x, i) => (i % 2 === 0 ? [`${x},${flat[i + 1]}`] : []));
  expect(pairs(cut).sort()).toEqual(pairs(expected).sort());
});

test('a container is what one of its brands says', () => {
  const box = (...brands: string[]): Uint8Array =>
    Buffer.concat([
      Buffer.from([0, 0, 0, 8 + 4 * (brands.length + 1)]),
      Buffer.from(`ftyp${brands[0]}\0\0\0\0${brands.slice(1).join('')}`),
    ]);
  expect(imageFormatOf(box('avif', 'mif1'))).toBe('avif');
  expect(imageFormatOf(box('mif1', 'miaf', 'avif'))).toBe('avif');
  expect(imageFormatOf(box('mif1', 'heic'))).toMatchObject({ name: 'an HEIC photograph' });
  expect(imageFormatOf(box('isom', 'mp41'))).toMatchObject({ name: expect.stringContaining('film') as string });
});
