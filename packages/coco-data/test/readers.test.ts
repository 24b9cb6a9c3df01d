import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import {
  ClassMap,
  Dataset,
  instancesOf,
  Problems,
  parseCoco,
  parseVia,
  shapesDataset,
  vocColor,
} from '../src/index.ts';
import { convertDataset, inspectDataset, openDataset, writeShapes } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();

// ---- COCO

test('COCO: written and read again, the samples are those that were drawn', async () => {
  const folder = join(root, 'coco');
  await writeShapes(folder, { splits: { train: 6, val: 3 }, seed: 4 });
  const drawn = shapesDataset(3, { seed: 4, first: 6 });
  const read = await openDataset(folder, { split: 'val' });
  expect(read.problems.list()).toEqual([]);
  for (let i = 0; i < 3; i++) {
    const [a, b] = [drawn.sample(i), read.sample(i)];
    expect([...b.target.boxes]).toEqual([...a.target.boxes]);
    expect([...b.target.labels]).toEqual([...a.target.labels]);
    expect([...b.target.area!]).toEqual([...a.target.area!]);
    for (const [k, mask] of b.target.masks!.entries()) {
      expect([...mask.runLengths().counts]).toEqual([...a.target.masks![k]!.runLengths().counts]);
    }
    const pixels = await read.store.load(b.image);
    expect(Buffer.from(pixels.data).equals(Buffer.from((await drawn.store.load(a.image)).data))).toBe(true);
  }
  await expect(openDataset(folder)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', expected: 'train, val' });
  await expect(openDataset(folder, { split: 'test' })).rejects.toMatchObject({ code: 'FILE_MISSING' });
  await expect(writeShapes(folder, { splits: { val: 1 } })).rejects.toMatchObject({ code: 'FILE_EXISTS' });
});

test('a class map that does not know a category refuses the set; the ids can be kept as labels', async () => {
  const folder = join(root, 'coco');
  const small = ClassMap.contiguous([{ id: 1, name: 'circle' }]);
  await expect(openDataset(folder, { split: 'train', classes: small })).rejects.toMatchObject({
    code: 'LABEL_OUT_OF_RANGE',
  });
  expect((await openDataset(folder, { split: 'train', classes: 'ids' })).classes.numClasses).toBe(5);
});

test('training leaves out images without objects', () => {
  const dataset = shapesDataset(5, { objects: [0, 1], seed: 2 });
  const counts = [...dataset.images.keys()].map((i) => dataset.sample(i).target.labels.length);
  expect(counts).toContain(0);
  expect(dataset.trainable().length).toBe(counts.filter((count) => count > 0).length);
});

test('COCO keypoints: names from the category, zeros where an object has none', () => {
  const problems = new Problems();
  const person = { id: 1, name: 'person', keypoints: ['nose', 'tail'], skeleton: [[1, 2]] };
  const base = {
    image_id: 1,
    category_id: 1,
    bbox: [1, 1, 8, 8],
    area: 64,
    iscrowd: 0,
    segmentation: [[1, 1, 9, 1, 9, 9, 1, 9]],
  };
  const file = {
    images: [{ id: 1, file_name: 'a.jpg', height: 10, width: 12 }],
    annotations: [
      { ...base, id: 1, keypoints: [2, 3, 2, 4, 5, 1], num_keypoints: 2 },
      { ...base, id: 2 },
      { ...base, id: 3, keypoints: [1, 1, 2], num_keypoints: 1 },
    ],
    categories: [person],
  };
  const store = { load: () => Promise.reject(new Error('no pixels here')) };
  const dataset = Dataset.from(parseCoco(file, 'kp.json', problems), store, problems, { policy: 'drop' });
  expect(dataset.numKeypoints).toBe(2);
  expect([...dataset.sample(0).target.keypoints!]).toEqual([2, 3, 2, 4, 5, 1, 0, 0, 0, 0, 0, 0]);
  expect(problems.list()).toMatchObject([
    { kind: 'keypoints-invalid', count: 1, examples: [{ place: '/annotations/2/keypoints' }] },
  ]);
});

// ---- VIA

const sizeOf = async (): Promise<readonly [number, number]> => Promise.resolve([40, 60]);
const polygon = { name: 'polygon', all_points_x: [10, 20, 20, 10], all_points_y: [5, 5, 15, 15] };
const region = (shape: object, attributes: unknown = { kind: 'cat' }): object => ({
  shape_attributes: shape,
  region_attributes: attributes,
});
const entry = (regions: unknown): object => ({ filename: 'a.jpg', size: 123, regions, file_attributes: {} });

test('VIA 1 and 2, bare and in a project, give the same', async () => {
  const files = [
    { 'a.jpg123': entry({ 0: region(polygon) }) },
    { 'a.jpg123': entry([region(polygon)]) },
    { _via_settings: {}, _via_img_metadata: { 'a.jpg123': entry([region(polygon)]) }, _via_attributes: {} },
  ];
  for (const file of files) {
    const problems = new Problems();
    const set = await parseVia(file, 'via.json', problems, { sizeOf });
    expect(problems.count()).toBe(0);
    expect(set.categories).toEqual([{ id: 1, name: 'cat' }]);
    expect(set.annotations).toHaveLength(1);
    expect(set.annotations[0]!.box).toEqual([10.5, 5.5, 20.5, 15.5]); // pixel 10 has its centre at 10.5
    expect(set.annotations[0]!.area).toBe(100);
  }
});

test('VIA: rectangles, circles and ellipses become polygons; points and lines are told by their place', async () => {
  const problems = new Problems();
  const shapes = [
    { name: 'rect', x: 1, y: 2, width: 10, height: 5 },
    { name: 'circle', cx: 20, cy: 20, r: 5 },
    { name: 'ellipse', cx: 30, cy: 20, rx: 8, ry: 4, theta: Math.PI / 2 },
    { name: 'point', cx: 3, cy: 3 },
    { name: 'polyline', all_points_x: [1, 2], all_points_y: [1, 2] },
    { name: 'polygon', all_points_x: [1, 2], all_points_y: [1, 2] },
    { name: 'circle', cx: 'x', cy: 1, r: 1 },
  ];
  const set = await parseVia({ k: entry(shapes.map((shape) => region(shape))) }, 'via.json', problems, { sizeOf });
  expect(set.annotations.map(({ box }) => box.map(Math.round))).toEqual([
    [1, 2, 11, 7],
    [16, 16, 26, 26],
    [27, 13, 35, 29],
  ]);
  expect(problems.list().flatMap(({ kind, examples }) => examples.map(({ place }) => [kind, place]))).toEqual([
    ['region-unsupported', '/k/regions/3/shape_attributes'],
    ['region-unsupported', '/k/regions/4/shape_attributes'],
    ['polygon-short', '/k/regions/5/shape_attributes'],
    ['field-type', '/k/regions/6/shape_attributes'],
  ]);
});

test('VIA: the class comes from text, from a checkbox, or from the setting', async () => {
  const of = async (attributes: unknown, options: object = {}): Promise<string> =>
    (await parseVia({ k: entry([region(polygon, attributes)]) }, 'v', new Problems(), { sizeOf, ...options }))
      .categories[0]!.name;
  expect(await of({ kind: 'dog' })).toBe('dog');
  expect(await of({ kind: { dog: true, cat: false } })).toBe('dog');
  expect(await of('dog')).toBe('dog');
  expect(await of({})).toBe('object');
  expect(await of({}, { className: 'balloon' })).toBe('balloon');
  expect(await of({ kind: 'dog', mood: 'fine' }, { classAttribute: 'mood' })).toBe('fine');
});

// ---- Pascal VOC

/** A 12 x 20 picture with a car left, a dog right, the border between, and one object marked difficult. */
async function writeVoc(folder: string): Promise<void> {
  for (const name of ['Annotations', 'JPEGImages', 'SegmentationObject', 'ImageSets/Segmentation', 'ImageSets/Main']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const object = (name: string, box: readonly number[], difficult: string): string =>
    `<object><name>${name}</name>${difficult}<bndbox><xmin>${box[0]}</xmin><ymin>${box[1]}</ymin><xmax>${box[2]}</xmax><ymax>${box[3]}</ymax></bndbox></object>`;
  writeFileSync(
    join(folder, 'Annotations/one.xml'),
    `<annotation><filename>old name.jpg</filename><size><width>20</width><height>12</height><depth>3</depth></size>
     ${object('car', [2, 3, 6, 8], '<difficult>0</difficult>')}${object('dog', [11, 3, 18, 10], '<difficult>1</difficult>')}</annotation>`,
  );
  writeFileSync(join(folder, 'ImageSets/Segmentation/train.txt'), 'one\n');
  writeFileSync(join(folder, 'ImageSets/Main/train.txt'), 'one\n');
  writeFileSync(join(folder, 'ImageSets/Main/dog_train.txt'), 'one  1\n');
  const index = (x: number, y: number): number => {
    if (x === 9) return 255;
    if (x >= 1 && x < 6 && y >= 2 && y < 8) return 1;
    return x >= 10 && x < 18 && y >= 2 && y < 10 ? 2 : 0;
  };
  const pixels = Uint8Array.from({ length: 20 * 12 * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % 20, Math.floor(i / 60)];
    return vocColor(index(x, y))[(i % 3) as 0 | 1 | 2];
  });
  const raw = { width: 20, height: 12, channels: 3 as const };
  await sharp(pixels, { raw })
    .png({ palette: true, colours: 8, dither: 0 })
    .toFile(join(folder, 'SegmentationObject/one.png'));
  await sharp(pixels, { raw }).jpeg().toFile(join(folder, 'JPEGImages/one.jpg'));
}

test('VOC: palette, corners counted from 1, border dropped, difficult kept or not', async () => {
  expect([1, 2, 3, 7, 15, 255].map(vocColor)).toEqual([
    [128, 0, 0],
    [0, 128, 0],
    [128, 128, 0],
    [128, 128, 128],
    [192, 128, 128],
    [224, 224, 192],
  ]);
  const folder = join(root, 'voc');
  await writeVoc(folder);
  const dataset = await openDataset(folder);
  expect(dataset.problems.list()).toEqual([]);
  const { target, image } = dataset.sample(0);
  expect(image).toMatchObject({ id: 'one', file: 'one.jpg', size: [12, 20] });
  expect([...target.boxes]).toEqual([1, 2, 6, 8, 10, 2, 18, 10]);
  expect([...target.labels].map((label) => dataset.classes.nameOf(label))).toEqual(['car', 'dog']);
  expect([...target.area!]).toEqual([30, 64]);
  expect(target.masks!.map((mask) => mask.bitmap().reduce((sum, bit) => sum + bit, 0))).toEqual([30, 64]);
  expect(dataset.annotations(0).map(({ difficult }) => difficult)).toEqual([undefined, true]);
  expect((await openDataset(folder, { voc: { difficult: 'drop' } })).annotations(0)).toHaveLength(1);
  const zeroBased = await openDataset(folder, { voc: { oneBased: false } });
  expect([...zeroBased.sample(0).target.boxes]).toEqual([2, 3, 6, 8, 11, 3, 18, 10]);
});

test('VOC: grey levels that are the indices themselves', () => {
  const data = Uint8Array.from([0, 0, 0, 1, 1, 1, 255, 255, 255, 2, 2, 2]);
  expect([...instancesOf({ data, height: 2, width: 2, channels: 3 }).keys()]).toEqual([1, 2]);
});

test('VOC: every bad file is a problem of its own', async () => {
  const folder = join(root, 'voc-bad');
  await writeVoc(folder);
  const good = readFileSync(join(folder, 'Annotations/one.xml'), 'utf8');
  const bad = {
    doctype: `<!DOCTYPE a>${good}`,
    cut: good.slice(0, 200),
    nosize: good.replace(/<size>.*<\/size>/, ''),
    word: good.replace('<xmin>2<', '<xmin>two<'),
    flat: good.replace('<xmax>6<', '<xmax>1<'),
  };
  for (const [name, xml] of Object.entries(bad)) writeFileSync(join(folder, `Annotations/${name}.xml`), xml);
  for (const name of Object.keys(bad))
    writeFileSync(join(folder, `JPEGImages/${name}.jpg`), readFileSync(join(folder, 'JPEGImages/one.jpg')));
  writeFileSync(
    join(folder, 'ImageSets/Segmentation/train.txt'),
    ['one', ...Object.keys(bad), 'gone', '../up'].join('\n'),
  );
  const { report } = await inspectDataset(folder);
  const found = report.problems
    .filter(({ severity }) => severity === 'error')
    .flatMap(({ kind, examples }) => examples.map(({ place }) => `${kind} ${place}`));
  expect(found.sort()).toEqual([
    'box-degenerate Annotations/flat.xml object 1/bbox',
    'field-type Annotations/word.xml object 1',
    'file-malformed Annotations/cut.xml',
    'file-missing Annotations/gone.xml',
    'file-refused Annotations/doctype.xml',
    'path-refused Annotations/../up.xml',
  ]);
  await expect(openDataset(folder)).rejects.toMatchObject({ code: 'FILE_REFUSED', place: 'Annotations/doctype.xml' });
});

// ---- conversion

test('VOC and VIA become COCO with the same boxes, labels and masks', async () => {
  await writeVoc(join(root, 'voc2'));
  const via = join(root, 'via/train');
  mkdirSync(via, { recursive: true });
  await sharp({ create: { width: 60, height: 40, channels: 3, background: 'teal' } })
    .jpeg()
    .toFile(join(via, 'a.jpg'));
  writeFileSync(join(via, 'via_region_data.json'), JSON.stringify({ k: entry([region(polygon)]) }));
  for (const [from, count] of [
    ['voc2', 2],
    ['via', 1],
  ] as const) {
    const out = join(root, `${from}-coco`);
    const [done] = await convertDataset(join(root, from), out);
    expect(done).toMatchObject({ split: 'train', images: 1, objects: count, problems: [] });
    const [before, after] = [await openDataset(join(root, from)), await openDataset(out)];
    expect([...after.sample(0).target.boxes]).toEqual([...before.sample(0).target.boxes]);
    expect(after.sample(0).target.masks!.map((m) => [...m.runLengths().counts])).toEqual(
      before.sample(0).target.masks!.map((m) => [...m.runLengths().counts]),
    );
    expect(after.classes.classes).toEqual(before.classes.classes);
    expect((await inspectDataset(out)).report.counts.error).toBe(0);
    await expect(convertDataset(join(root, from), out)).rejects.toMatchObject({ code: 'FILE_EXISTS' });
  }
});
