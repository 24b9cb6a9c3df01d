// What leaving out bad records must not do: put an object elsewhere, call it something else, or hide how much is gone.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { createLoader, type Dataset } from '../src/index.ts';
import { convertDataset, inspectDataset, openDataset, repairDataset } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
const [WIDTH, HEIGHT] = [20, 12];

type Item = Record<string, unknown>;
interface Coco {
  readonly images: Item[];
  readonly annotations: Item[];
  readonly categories: Item[];
}

/** So many pictures with a red and a blue object each. */
function coco(count: number): Coco {
  const images = Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    file_name: `${i + 1}.png`,
    width: WIDTH,
    height: HEIGHT,
  }));
  const annotations = images.flatMap(({ id }) => [
    { id: 2 * id, image_id: id, category_id: 1, bbox: [2, 3, 6, 6], area: 36, iscrowd: 0 },
    { id: 2 * id + 1, image_id: id, category_id: 2, bbox: [11, 2, 6, 6], area: 36, iscrowd: 0 },
  ]);
  return { images, annotations, categories: ['red', 'blue'].map((name, i) => ({ id: i + 1, name })) };
}

async function put(folder: string, set: Coco, files: number = set.images.length): Promise<string> {
  mkdirSync(join(root, folder), { recursive: true });
  for (let i = 1; i <= files; i++) {
    const picture = sharp({
      create: { width: WIDTH, height: HEIGHT, channels: 3, background: { r: 9 * i, g: 9, b: 9 } },
    });
    writeFileSync(join(root, folder, `${i}.png`), await picture.png().toBuffer());
  }
  writeFileSync(join(root, folder, 'annotations.json'), JSON.stringify(set));
  return join(root, folder);
}

const objects = (dataset: Dataset): readonly string[] =>
  dataset.images.flatMap(({ file }, i) =>
    dataset.annotations(i).map(({ id, categoryId }) => `${file} ${id} ${categoryId}`),
  );

const errorsOf = ({ problems }: Dataset): readonly string[] =>
  problems.list().flatMap(({ kind, severity, count }) => (severity === 'error' ? [`${kind} ${count}`] : []));

describe('records that cannot be told apart', () => {
  test('images of one id and several files go, with their objects, and count as lost', async () => {
    const set = coco(3);
    set.images[1]!['id'] = 1;
    const path = await put('shared images', set);
    const dataset = await openDataset(path, { policy: 'drop' });
    expect(objects(dataset)).toEqual(['3.png 6 1', '3.png 7 2']);
    expect(errorsOf(dataset)).toEqual(['duplicate-image-id 1', 'unknown-image 4']);
    await expect(openDataset(path, { policy: 'drop', maxSkipRate: 0.1 })).rejects.toMatchObject({
      code: 'DATASET_INVALID',
      message: expect.stringContaining('too many images cannot be used: 2 of 3'),
      found: 'an image id is used twice: image 1',
    });
  });

  test('a record that stands twice costs nothing', async () => {
    const set = coco(2);
    set.images.push({ ...set.images[0] });
    const dataset = await openDataset(await put('same record', set, 2), { policy: 'drop', maxSkipRate: 0 });
    expect(objects(dataset)).toEqual(['1.png 2 1', '1.png 3 2', '2.png 4 1', '2.png 5 2']);
  });

  test('classes of one id and several names go, with their objects', async () => {
    const set = coco(2);
    set.categories.push({ id: 1, name: 'green' });
    const dataset = await openDataset(await put('shared classes', set), { policy: 'drop' });
    expect(objects(dataset)).toEqual(['1.png 3 2', '2.png 5 2']);
    expect(errorsOf(dataset)).toEqual(['duplicate-category-id 1', 'unknown-category 2']);
  });
});

describe('what is lost is counted', () => {
  test('images without a size whose file is missing', async () => {
    const set = coco(10);
    for (const image of set.images) for (const side of ['width', 'height']) delete image[side];
    const path = await put('sizeless', set, 2);
    await expect(openDataset(path, { policy: 'drop', maxSkipRate: 0.1 })).rejects.toMatchObject({
      message: expect.stringContaining('too many images cannot be used: 8 of 10'),
      found: expect.stringMatching(/^an image file is missing: no size, and 3\.png: /),
    });
    expect((await openDataset(path, { policy: 'drop', maxSkipRate: 0.8 })).length).toBe(2);
  });

  test('images whose record cannot be read', async () => {
    const set = coco(4);
    set.images[0]!['file_name'] = '';
    set.images[1]!['width'] = 'wide';
    const path = await put('unread images', set);
    await expect(openDataset(path, { policy: 'drop', maxSkipRate: 0.25 })).rejects.toMatchObject({
      message: expect.stringContaining('too many images cannot be used: 2 of 4'),
      place: '/images/0/file_name',
    });
  });
});

describe('a picture whose objects were left out is no negative', () => {
  test.each<[string, Item]>([
    ['an outline with half a point', { segmentation: [[5, 5, 9, 5, 9]] }],
    ['an outline without numbers', { segmentation: [[5, 5, 9, 'x', 9, 9]] }],
    ['a box of three numbers', { bbox: [2, 3, 6] }],
    ['an image id as text', { image_id: '1', iscrowd: 7 }],
  ])('COCO: %s', async (name, change) => {
    const set = coco(2);
    set.annotations.splice(1, 1);
    Object.assign(set.annotations[0]!, change);
    const dataset = await openDataset(await put(`faulty/${name}`, set), { policy: 'drop' });
    expect(dataset.trainable({ keepEmpty: true }).images.map(({ file }) => file)).toEqual(['2.png']);
  });

  test.each<[string, string, (folder: string) => void]>([
    [
      'VIA: a line',
      'via_region_data.json',
      (folder) => {
        const region = (name: string) => ({ shape_attributes: { name, x: 2, y: 3, width: 6, height: 6 } });
        const entries = { a: { filename: '1.png', regions: [region('polyline')] }, b: { filename: '2.png', regions: [region('rect')] }, c: { filename: '3.png', regions: [] } };
        writeFileSync(join(folder, 'via_region_data.json'), JSON.stringify(entries));
      },
    ],
    [
      'labelme: a line',
      '1.json',
      (folder) => {
        for (const [i, shape_type] of ['line', 'rectangle', undefined].entries()) {
          const shapes = shape_type === undefined ? [] : [{ label: 'red', shape_type, points: [[2, 3], [8, 9]] }];
          const file = { shapes, imagePath: `${i + 1}.png`, imageHeight: HEIGHT, imageWidth: WIDTH };
          writeFileSync(join(folder, `${i + 1}.json`), JSON.stringify(file));
        }
      },
    ],
  ])('%s', async (name, file, write) => {
    const path = await put(`other ${name.slice(0, 3)}`, coco(3));
    write(path);
    const target = file === '1.json' ? path : join(path, file);
    const dataset = await openDataset(target, { policy: 'drop', format: file === '1.json' ? 'labelme' : 'via' });
    expect(dataset.trainable({ keepEmpty: true }).images.map((image) => image.file)).toEqual(['2.png', '3.png']);
  }); // biome-ignore format: files in short
});

test.each([0, -36])('an area of %i is told, read as missing, and stops no training', async (area) => {
  const set = coco(2);
  for (const annotation of set.annotations) annotation['area'] = area;
  const path = await put(`area ${area}`, set);
  const dataset = await openDataset(path);
  expect(dataset.problems.list()).toMatchObject([
    { kind: 'area-none', severity: 'warning', count: 4, examples: [{ place: '/annotations/0/area' }, {}, {}, {}] },
    { kind: 'masks-missing' },
  ]);
  expect([...dataset.sample(0).target.area!]).toEqual([36, 36]);
  for await (const batch of createLoader(dataset, { batchSize: 2 })) expect(batch.targets).toHaveLength(2);
  const copy = join(root, `area ${area} copy`);
  await repairDataset(await inspectDataset(path), copy);
  expect((await openDataset(copy)).problems.list().map(({ kind }) => kind)).not.toContain('area-none');
});

test('a picture that is turned twice is refused by load as by check', async () => {
  const path = await put('turned', coco(1), 0);
  const turned = sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#369' } });
  writeFileSync(join(path, '1.png'), await turned.withMetadata({ orientation: 6 }).jpeg().toBuffer());
  const dataset = await openDataset(path, { orientation: 'apply' });
  await expect(dataset.store.load(dataset.images[0]!)).rejects.toMatchObject({
    code: 'IMAGE_SIZE_MISMATCH',
    found: '12x20',
    expected: '20x12',
  });
  const stored = await openDataset(path);
  expect((await stored.store.load(stored.images[0]!)).width).toBe(WIDTH);
});

describe('units are told by nearly all, and what does not follow stays', () => {
  const boxes = (list: readonly (readonly number[])[], more: Item = {}): Coco => {
    const { images, categories } = coco(1);
    Object.assign(images[0]!, { width: 64, height: 48 });
    const annotations = list.map((bbox, i) => ({ id: i + 1, image_id: 1, category_id: 1, bbox, iscrowd: 0, ...more }));
    return { images, annotations, categories };
  };
  const inPicture = async (name: string, set: Coco): Promise<string> => {
    const path = await put(name, set, 0);
    const picture = sharp({ create: { width: 64, height: 48, channels: 3, background: '#369' } });
    writeFileSync(join(path, '1.png'), await picture.png().toBuffer());
    return path;
  };
  const copied = async (path: string): Promise<readonly string[]> => {
    const copy = `${path} copy`;
    await repairDataset(await inspectDataset(path), copy);
    const dataset = await openDataset(copy);
    return dataset.annotations(0).map(({ box }) => box.map((side) => Math.round(side * 10) / 10).join(','));
  };

  test('eight boxes of corners and one that is none', async () => {
    const corners = Array.from({ length: 8 }, (_, i) => [28 + i, 20, 50 + i, 40]);
    const path = await inPicture('corners', boxes([...corners, [30, 30, 10, 10]]));
    const { report } = await inspectDataset(path);
    const [found] = report.problems.filter(({ kind }) => kind === 'box-corners');
    expect(found?.examples[0]?.found).toBe('8 of 9 boxes overhang; 8 fit as corners');
    expect(await copied(path)).toEqual([...corners.map((corner) => corner.join()), '30,30,40,40']);
  });

  test('boxes that overhang and are no corners are not clipped', async () => {
    const wide = Array.from({ length: 6 }, (_, i) => [41 + i, 10, 40, 8]);
    const path = await inPicture('overhang', boxes(wide));
    expect(await copied(path)).toEqual(wide.map(([x = 0]) => `${x},10,${x + 40},18`));
  });

  test('ten boxes in fractions, one beyond the edge and one in pixels', async () => {
    const fractions = Array.from({ length: 10 }, () => [0.25, 0.25, 0.5, 0.5]);
    fractions[3] = [0.55, 0.25, 0.5, 0.5];
    const path = await inPicture('fractions', boxes([...fractions, [10, 12, 20, 20]]));
    await expect(openDataset(path)).rejects.toThrow('boxes of 10 of 11 objects lie between 0 and 1');
    const scaled = fractions.map((_, i) => (i === 3 ? '35.2,12,64,36' : '16,12,48,36'));
    expect(await copied(path)).toEqual([...scaled, '10,12,30,32']);
  });
});

describe('a copy has one numbering', () => {
  const labelme = (labels: readonly string[]): object => ({
    shapes: labels.map((label) => ({ label, shape_type: 'rectangle', points: [[2, 3], [8, 9]] })),
    imagePath: '1.png',
    imageHeight: HEIGHT,
    imageWidth: WIDTH,
  }); // biome-ignore format: short
  const categoriesIn = async (path: string, split: string): Promise<readonly string[]> => {
    const { classes } = await openDataset(path, { split });
    return classes.classes.map(({ categoryId, name }) => `${categoryId} ${name}`);
  };

  test('of names alone', async () => {
    const path = join(root, 'numbered labelme');
    for (const [split, labels] of Object.entries({ train: ['ant', 'bee', 'cat'], val: ['ant', 'cat'] })) {
      await put(`numbered labelme/${split}`, coco(1));
      writeFileSync(join(path, split, 'annotations.json'), '');
      writeFileSync(join(path, split, '1.json'), JSON.stringify(labelme(labels)));
    }
    const copy = join(root, 'numbered labelme copy');
    const done = await convertDataset(path, copy, { format: 'labelme', policy: 'drop', maxSkipRate: 0.9 });
    expect(done.map(({ split, objects: count }) => `${split} ${count}`)).toEqual(['train 3', 'val 2']);
    expect(done.flatMap(({ problems }) => problems.map(({ kind }) => kind))).not.toContain('category-renumbered');
    for (const split of ['train', 'val']) expect(await categoriesIn(copy, split)).toEqual(['1 ant', '2 bee', '3 cat']);
  });

  test('of ids that files said, which is told', async () => {
    const path = join(root, 'numbered coco');
    for (const [split, names] of Object.entries({ train: ['red', 'blue'], val: ['blue', 'red'] })) {
      const set = coco(1);
      for (const [i, name] of names.entries()) set.categories[i]!['name'] = name;
      await put(`numbered coco/${split}`, set);
    }
    const copy = join(root, 'numbered coco copy');
    const [train, val] = await convertDataset(path, copy);
    expect(train!.problems.map(({ kind }) => kind)).not.toContain('category-renumbered');
    expect(val!.problems).toMatchObject([
      {
        kind: 'category-renumbered',
        count: 2,
        examples: [{ found: "'blue' was 1 and is now 2" }, { found: "'red' was 2 and is now 1" }],
      },
      { kind: 'masks-missing' },
    ]);
    const dataset = await openDataset(copy, {
      split: 'val',
      classes: (await openDataset(copy, { split: 'train' })).classes,
    });
    expect(objects(dataset)).toEqual(['1.png 2 2', '1.png 3 1']);
  });
});
