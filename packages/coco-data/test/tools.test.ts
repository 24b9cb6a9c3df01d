import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type Dataset, datasetOffers, Problems, parseVia } from '../src/index.ts';
import {
  convertDataset,
  decodeImage,
  exportDataset,
  FolderImages,
  inspectDataset,
  openDataset,
  READERS,
} from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';
import { jpeg, png } from './plain-picture.ts';

// What the common tools write, made small by code.
const root = temporaryFolder();

function put(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), content);
}

/** Every object as `class x1,y1,x2,y2`, boxes rounded. */
function objects(dataset: Dataset): string[] {
  return [...dataset.images.keys()].flatMap((i) =>
    dataset
      .annotations(i)
      .map(
        ({ box, categoryId }) =>
          `${dataset.classes.nameOf(dataset.classes.labelOf(categoryId)!)} ${box.map(Math.round).join()}`,
      ),
  );
}

const outline = [2, 3, 8, 3, 8, 9, 2, 9];
const TWO = ['red 2,3,8,9', 'blue 2,3,8,9'];
const annotation = (id: number, more: object = {}): object => ({
  id,
  image_id: 1,
  category_id: id,
  bbox: [2, 3, 6, 6],
  area: 36,
  iscrowd: 0,
  segmentation: [outline],
  ...more,
});
const coco = (change: (file: CocoLike) => void = () => undefined): string => {
  const file: CocoLike = {
    images: [{ id: 1, file_name: 'a.png', width: 20, height: 12 }],
    annotations: [annotation(1), annotation(2)],
    categories: [
      { id: 1, name: 'red', supercategory: 'things' },
      { id: 2, name: 'blue', supercategory: 'things' },
    ],
  };
  change(file);
  return JSON.stringify(file);
};
type CocoLike = Record<'images' | 'annotations' | 'categories', Record<string, unknown>[] | object[]>;
const each = (list: object[], change: object): object[] => list.map((item) => ({ ...item, ...change }));

describe('COCO as tools write it', () => {
  const cases: Record<string, (file: CocoLike) => void> = {
    'no boxes': (file) => void (file.annotations = each(file.annotations, { bbox: undefined })),
    'boxes that are null': (file) => void (file.annotations = each(file.annotations, { bbox: null })),
    'no areas and no crowd marks': (file) =>
      void (file.annotations = each(file.annotations, { area: undefined, iscrowd: undefined })),
    'no sizes': (file) => void (file.images = each(file.images, { width: undefined, height: undefined })),
    'image ids as text in annotations': (file) => void (file.annotations = each(file.annotations, { image_id: '1' })),
    'image ids as text in images': (file) => void (file.images = each(file.images, { id: '1' })),
    'category ids as text': (file) =>
      void (file.annotations = file.annotations.map((item, i) => ({ ...item, category_id: String(i + 1) }))),
    'a path with backslashes': (file) => void (file.images = each(file.images, { file_name: 'images\\a.png' })),
    'an upload path of another machine': (file) =>
      void (file.images = each(file.images, { file_name: '..\\..\\label-studio\\media\\upload\\4\\a.png' })),
    'an absolute path of another machine': (file) =>
      void (file.images = each(file.images, { file_name: '/data/upload/4/a.png' })),
    'an address instead of a name (LVIS)': (file) =>
      void (file.images = each(file.images, {
        file_name: undefined,
        coco_url: 'http://images.cocodataset.org/train2017/a.png',
      })),
    "Roboflow's root": (file) => void file.categories.unshift({ id: 0, name: 'things', supercategory: 'none' }),
    'attributes of CVAT': (file) =>
      void (file.annotations = each(file.annotations, { attributes: { occluded: false, rotation: 0.0 } })),
  };
  test.each(Object.entries(cases))('%s', async (name, change) => {
    const folder = `coco/${name.replaceAll(/\W/g, '-')}`;
    put(`${folder}/_annotations.coco.json`, coco(change));
    put(`${folder}/a.png`, png);
    const dataset = await openDataset(join(root, folder));
    expect(objects(dataset)).toEqual(TWO);
    expect(dataset.images[0]!.size).toEqual([12, 20]);
    expect((await dataset.store.load(dataset.images[0]!)).width).toBe(20);
  });

  const encodings: Record<string, (text: string) => Buffer> = {
    'UTF-8 with a mark': (text) => Buffer.from(`\uFEFF${text}`),
    'UTF-16': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le'),
    'UTF-16 without a mark': (text) => Buffer.from(text, 'utf16le'),
    'UTF-16, high byte first': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
  };
  test.each(Object.entries(encodings))('saved as %s', async (name, encode) => {
    put(
      `code/${name}/annotations.json`,
      encode(coco((file) => void (file.categories = each(file.categories, { name: 'röt' }).slice(0, 1)))),
    );
    put(`code/${name}/a.png`, png);
    await expect(openDataset(join(root, 'code', name))).rejects.toMatchObject({ code: 'UNKNOWN_ID' }); // category 2 is gone
    const dataset = await openDataset(join(root, 'code', name), { policy: 'drop' });
    expect(objects(dataset)).toEqual(['röt 2,3,8,9']);
  });

  test('category 0 is a class; only labels that are the ids cannot have it', async () => {
    put(
      'zero/_annotations.coco.json',
      coco((file) => {
        file.categories = [
          { id: 0, name: 'red' },
          { id: 1, name: 'blue' },
        ];
        file.annotations = file.annotations.map((item, i) => ({ ...item, category_id: i }));
      }),
    );
    put('zero/a.png', png);
    expect(objects(await openDataset(join(root, 'zero')))).toEqual(TWO);
    await expect(openDataset(join(root, 'zero'), { classes: 'ids' })).rejects.toMatchObject({
      code: 'LABEL_OUT_OF_RANGE',
    });
  });

  test('ids that a number cannot hold are kept apart, never rounded together', async () => {
    put('big/_annotations.coco.json', coco().replaceAll('"image_id":1', '"image_id":1541715161404000001'));
    await expect(openDataset(join(root, 'big'))).rejects.toMatchObject({ code: 'UNKNOWN_ID' });
  });

  test.each([
    ['area', 'NaN', []],
    ['area', '-Infinity', []],
    ['note', 'NaN', []],
    ['bbox', '[NaN,3,6,6]', ['/annotations/0/bbox: ["NaN",3,6,6], expected 4 numbers']],
    ['iscrowd', 'NaN', ['/annotations/0/iscrowd: "NaN", expected 0 or 1']],
  ] as const)('%s: %s, as Python writes it, is missing, or told where it stands', async (field, value, told) => {
    const text = coco().replace(new RegExp(`"${field}":(?:\\[[^\\]]*\\]|\\d+)`), `"${field}":${value}`);
    const name = `nan/${field}${value.length}`;
    put(`${name}/_annotations.coco.json`, field === 'note' ? text.replace('"area"', '"note":NaN,"area"') : text);
    put(`${name}/a.png`, png);
    const { report } = await inspectDataset(join(root, name));
    const of = (kind: string): readonly string[] =>
      report.problems.flatMap((one) => (one.kind === kind ? one.examples.map((e) => `${e.place}: ${e.found}`) : []));
    expect(of('field-type')).toEqual(told);
    expect(of('number-none')).toEqual(field === 'area' ? [`/annotations/0/area: ${value}`] : []);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['a comma too many', coco().replace(/\}$/, ',}'), /a comma too many/],
    ['Python', coco().replaceAll('"', "'"), /json\.dump/],
    ['a list', '[]', /A list holds the results/],
    ['JSON lines', `${coco()}\n${coco()}`, /JSON lines/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /unpack/],
    ['another code page', Buffer.from(coco().replace('red', 'r\u00f6t'), 'latin1'), /Save it as UTF-8/],
  ])('what is no JSON is called what it is: %s', async (name, content, message) => {
    put(`nojson/${name}/_annotations.coco.json`, content);
    await expect(openDataset(join(root, `nojson/${name}`))).rejects.toThrow(message);
  });

  test('what there is to learn from is counted', async () => {
    put(
      'offers/_annotations.coco.json',
      coco((file) => {
        file.annotations = [annotation(1, { segmentation: [] }), annotation(2), annotation(2, { id: 3, iscrowd: 1 })];
      }),
    );
    const offers = datasetOffers(await openDataset(join(root, 'offers')));
    expect(offers).toEqual({ images: 1, objects: 3, boxes: 2, masks: 1, keypoints: 0, crowds: 1 });
  });
});

describe('Pascal VOC as tools write it', () => {
  const xml = (size: string, shape: string, name = 'red'): string =>
    `<annotation><filename>a.png</filename>${size}<object><name>${name}</name><bndbox><xmin>3</xmin><xmax>8</xmax><ymin>4</ymin><ymax>9</ymax></bndbox>${shape}</object></annotation>`;
  const polygon = `<polygon>${[0, 1, 2, 3].map((i) => `<x${i + 1}>${outline[2 * i]}</x${i + 1}><y${i + 1}>${outline[2 * i + 1]}</y${i + 1}>`).join('')}</polygon>`;
  const sized = '<size><width>20</width><height>12</height></size>';
  test.each([
    ['a size of zeros', '<size><width>0</width><height>0</height></size>', ''],
    ['no size', '', ''],
    ['polygons', sized, polygon],
  ])('LabelImg and Roboflow, XML beside the picture: %s', async (name, size, shape) => {
    for (const split of ['train', 'valid']) {
      put(`voc/${name}/${split}/a.xml`, xml(size, shape));
      put(`voc/${name}/${split}/a.png`, png);
    }
    const dataset = await openDataset(join(root, 'voc', name), { split: 'valid' });
    expect(objects(dataset)).toEqual(['red 2,3,8,9']);
    expect(dataset.images[0]!.size).toEqual([12, 20]);
    expect(dataset.hasMasks).toBe(shape !== '');
  });
});

describe('labelme and YOLO', () => {
  test('labelme: groups are one object, rectangles and circles outlines, points are reported', async () => {
    const shape = (label: string, points: number[][], more: object = {}): object => ({
      label,
      points,
      group_id: null,
      shape_type: 'polygon',
      flags: {},
      ...more,
    });
    const square = (x: number): number[][] => [
      [x, 1],
      [x + 3, 1],
      [x + 3, 4],
      [x, 4],
    ];
    const file = {
      version: '5.5.0',
      flags: {},
      imageData: null,
      imageHeight: 12,
      imageWidth: 20,
      imagePath: '..\\pictures\\a.png',
      shapes: [
        shape('cat', square(1), { group_id: 7 }),
        shape('cat', square(8), { group_id: 7 }),
        shape(
          'dog',
          [
            [2, 2],
            [6, 8],
          ],
          { shape_type: 'rectangle' },
        ),
        shape(
          'dog',
          [
            [10, 6],
            [13, 6],
          ],
          { shape_type: 'circle' },
        ),
        shape('dot', [[1, 1]], { shape_type: 'point' }),
      ],
    };
    put('labelme/a.json', JSON.stringify(file));
    put('labelme/a.png', png);
    const dataset = await openDataset(join(root, 'labelme'), { policy: 'drop' });
    expect(objects(dataset)).toEqual(['cat 1,1,11,4', 'dog 2,2,6,8', 'dog 7,3,13,9']);
    expect(dataset.problems.list().map(({ kind }) => kind)).toEqual(['region-unsupported']);
    expect(dataset.hasMasks).toBe(true);
  });

  test('YOLO: data.yaml of Roboflow and of ultralytics, outlines and boxes, pictures without labels', async () => {
    const line = `0 ${outline.map((value, i) => value / (i % 2 === 0 ? 20 : 12)).join(' ')}`;
    const yamls: Record<string, string> = {
      roboflow: "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['red', 'blue']\n",
      ultralytics: 'path: /home/me/data\ntrain: images/train\nval: images/val\nnames:\n  0: red\n  1: blue\n',
    };
    for (const [name, yaml] of Object.entries(yamls)) {
      const at = (what: string): string =>
        name === 'roboflow' ? `yolo/${name}/train/${what}` : `yolo/${name}/${what}/train`;
      put(`yolo/${name}/data.yaml`, yaml);
      put(`${at('images')}/a.png`, png);
      put(`${at('images')}/empty.png`, png);
      put(`${at('labels')}/a.txt`, `${line}\n1 0.25 0.5 0.3 0.5\n`);
      const dataset = await openDataset(join(root, 'yolo', name), { split: 'train' });
      expect(objects(dataset)).toEqual(TWO);
      expect(dataset.length).toBe(2);
    }
  });

  test('YAML that is too much, or no list of classes, is refused', async () => {
    put('yaml/data.yaml', 'train: images\nnames: [a]\n' + 'k'.repeat(2 ** 21));
    await expect(openDataset(join(root, 'yaml'), { format: 'yolo' })).rejects.toMatchObject({ code: 'FILE_REFUSED' });
    put('yaml/data.yaml', 'train: images\nnames: {0: a, 2: b}\n');
    await expect(openDataset(join(root, 'yaml'), { format: 'yolo' })).rejects.toMatchObject({
      code: 'DATASET_INVALID',
    });
  });
});

describe('VIA', () => {
  const region = (region_attributes: unknown): object => ({
    shape_attributes: { name: 'rect', x: 2, y: 3, width: 6, height: 6 },
    region_attributes,
  });
  const read = (attributes: readonly unknown[], options: object = {}): Promise<string[]> =>
    parseVia({ k: { filename: 'a.png', regions: attributes.map(region) } }, 'via.json', new Problems(), {
      sizeOf: () => Promise.resolve([12, 20]),
      ...options,
    }).then(({ annotations, categories }) => annotations.map(({ categoryId }) => categories[categoryId - 1]!.name));

  test('several attributes are a question, one per class are the classes, numbers are names', async () => {
    const several = [
      { type: 'red', quality: { good: true } },
      { type: 'blue', quality: { good: true } },
    ];
    await expect(read(several)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', found: "'type', 'quality'" });
    expect(await read(several, { classAttribute: 'type' })).toEqual(['red', 'blue']);
    expect(await read(several, { className: 'thing' })).toEqual(['thing', 'thing']);
    await expect(read(several, { classAttribute: 'kind' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await read([{ Key: 'key' }, { Image: 'image' }])).toEqual(['Key', 'Image']);
    expect(await read([{ class: 3 }, { class: 12 }])).toEqual(['3', '12']);
    await expect(read([{ cat: 'sits' }, { dog: 'runs' }])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('version 3: options by their text, files by their view', async () => {
    const project = {
      project: { pid: 'x' },
      config: {},
      view: { 5: { fid_list: ['1'] } },
      attribute: { 1: { aname: 'class', options: { 0: 'red', 1: 'blue' } } },
      file: { 1: { fid: '1', fname: 'a.png', type: 2 } },
      metadata: {
        m: { vid: '5', z: [], xy: [2, 2, 3, 6, 6], av: { 1: '0' } },
        n: { vid: '5', z: [], xy: [7, 1.5, 2.5, 7.5, 2.5, 7.5, 8.5, 1.5, 8.5], av: { 1: '1' } },
      },
    };
    put('via3/via_project.json', JSON.stringify(project));
    put('via3/a.png', png);
    expect(objects(await openDataset(join(root, 'via3')))).toEqual(TWO);
  });

  test('a picture that is not there costs that picture', async () => {
    put(
      'gone/train/via_region_data.json',
      JSON.stringify({
        a: { filename: 'a.png', regions: [region({ c: 'red' })] },
        b: { filename: 'b.png', regions: [] },
      }),
    );
    put('gone/train/a.png', png);
    const dataset = await openDataset(join(root, 'gone'), { policy: 'drop' });
    expect(objects(dataset)).toEqual(['red 2,3,8,9']);
    expect(dataset.problems.list()).toMatchObject([{ kind: 'image-missing', count: 1 }]);
  });
});

describe('pictures', () => {
  test('a bitmap as Windows writes it, of every depth', async () => {
    const bmp = (bits: number, palette: number[], rows: number[]): Uint8Array => {
      const head = Buffer.alloc(54);
      head.write('BM');
      head.writeUInt32LE(54 + palette.length, 10);
      head.writeUInt32LE(40, 14);
      head.writeInt32LE(2, 18);
      head.writeInt32LE(2, 22);
      head.writeUInt16LE(bits, 28);
      return Buffer.concat([head, Buffer.from(palette), Buffer.from(rows)]);
    };
    const right = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]; // red green, blue white; bottom row first below
    const palette = [0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0];
    const files = {
      24: bmp(24, [], [255, 0, 0, 255, 255, 255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0]),
      32: bmp(32, [], [255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 0, 0, 255, 0, 0]),
      16: bmp(16, [], [0x1f, 0, 0xff, 0x7f, 0, 0x7c, 0xe0, 3]),
      8: bmp(8, palette, [2, 3, 0, 0, 0, 1, 0, 0]),
      4: bmp(4, palette, [0x23, 0, 0, 0, 0x01, 0, 0, 0]),
    };
    for (const file of Object.values(files)) expect([...(await decodeImage(file)).data]).toEqual(right);
    await expect(decodeImage(files[24].subarray(0, 60))).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
    await expect(decodeImage(files[24], { maxPixels: 3 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  });

  test('inks become light by the plain rule of Pillow', async () => {
    const cmyk = await sharp(jpeg).toColourspace('cmyk').jpeg().toBuffer();
    const { data } = await decodeImage(cmyk);
    const raw = await sharp(cmyk).pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer();
    for (let c = 0; c < 3; c++)
      expect(Math.abs(data[c]! - ((255 - raw[c]!) * (255 - raw[3]!)) / 255)).toBeLessThan(1.01);
  });

  test.each([
    ['an empty file', ''],
    ['an SVG drawing', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ['an SVG drawing', '<?xml version="1.0"?>\n<!-- c --><svg width="9" height="9"/>'],
    ['an HEIC photograph', '\0\0\0\u0018ftypheic\0\0\0\0mif1heic'],
    ['a web page', '<!DOCTYPE html><html>'],
    ['a PDF document', '%PDF-1.7'],
    ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:0'],
  ])('%s is named and not drawn', async (name, text) => {
    await expect(decodeImage(Buffer.from(text, 'latin1'))).rejects.toMatchObject({
      code: 'IMAGE_CORRUPT',
      found: name,
    });
  });

  test.skipIf(process.platform === 'win32')(
    'a pipe, a folder, a device and a link that leads out are refused at once',
    { meta: { whySkipped: 'needs a system other than Windows' } },
    async () => {
      put('odd/file.png', png);
      execFileSync('mkfifo', [join(root, 'odd/pipe.png')]);
      mkdirSync(join(root, 'odd/folder.png'));
      symlinkSync('/dev/zero', join(root, 'odd/device.png'));
      symlinkSync('pipe.png', join(root, 'odd/link.png'));
      const store = new FolderImages(join(root, 'odd'));
      for (const [name, code] of [
        ['pipe.png', 'FILE_REFUSED'],
        ['folder.png', 'FILE_REFUSED'],
        ['link.png', 'FILE_REFUSED'],
        ['device.png', 'PATH_REFUSED'],
        ['gone.png', 'IMAGE_MISSING'],
        ['file.png/', 'PATH_REFUSED'],
      ])
        await expect(store.read(name!)).rejects.toMatchObject({ code });
      execFileSync('mkfifo', [join(root, 'odd/pipe.json')]);
      await expect(openDataset(join(root, 'odd/pipe.json'))).rejects.toMatchObject({ code: 'FILE_REFUSED' });
    },
  );

  test.skipIf(process.platform === 'win32')(
    'a pipe among the images is refused by what copies them too',
    { meta: { whySkipped: 'needs a system other than Windows' } },
    async () => {
      put('pipes/_annotations.coco.json', JSON.stringify({
      images: [{ id: 1, file_name: 'a.png', width: 20, height: 12 }],
      annotations: [],
      categories: [{ id: 1, name: 'x' }],
    })); // biome-ignore format: rows
      execFileSync('mkfifo', [join(root, 'pipes/a.png')]);
      const source = join(root, 'pipes');
      for (const imageFiles of ['copy', 'link'] as const) {
        const converted = convertDataset(source, join(root, `pipes-${imageFiles}`), { imageFiles });
        await expect(converted).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      }
      const exported = exportDataset(source, join(root, 'pipes-yolo'), 'yolo');
      await expect(exported).rejects.toMatchObject({ code: 'FILE_REFUSED' });
    },
  );

  test('a list of VOC that is a folder is a fault, and no dataset without images', async () => {
    put('voc-list/Annotations/a.xml', '<annotation/>');
    put('voc-list/JPEGImages/a.png', png);
    mkdirSync(join(root, 'voc-list/ImageSets/Main/train.txt'), { recursive: true });
    await expect(openDataset(join(root, 'voc-list'))).rejects.toMatchObject({ code: 'FILE_REFUSED' });
  });

  test('a record with the sides of the turned picture is read turned', async () => {
    const turned = await sharp(jpeg).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    put('turned/a.jpg', turned);
    const store = new FolderImages(join(root, 'turned'));
    const load = (height: number, width: number): Promise<number> =>
      store.load({ id: 1, file: 'a.jpg', size: [height, width], place: '' }).then((image) => image.width);
    expect(await load(12, 20)).toBe(20);
    expect(await load(20, 12)).toBe(12);
    await expect(load(19, 12)).rejects.toMatchObject({ code: 'IMAGE_SIZE_MISMATCH' });
  });

  test('a colon in a name is no address', async () => {
    put('colon/cam1:0001.png', png);
    expect((await new FolderImages(join(root, 'colon')).read('cam1:0001.png')).length).toBe(png.length);
  });
});

test('a reader of your own comes in by the same door', async () => {
  put('own/boxes.csv', 'a.png,red,2,3,8,9\n');
  put('own/a.png', png);
  const folder = join(root, 'own');
  const dataset = await openDataset(folder, {
    readers: [
      {
        format: 'csv',
        find: () =>
          Promise.resolve([{ format: 'csv', split: 'all', annotations: join(folder, 'boxes.csv'), images: folder }]),
        read: ({ annotations }) =>
          Promise.resolve({
            source: annotations,
            images: [{ id: 1, file: 'a.png', size: [12, 20], place: '1' }],
            annotations: [{ id: 1, imageId: 1, categoryId: 1, box: [2, 3, 8, 9], crowd: false, place: '1' }],
            categories: [{ id: 1, name: 'red' }],
          }),
      },
      ...READERS,
    ],
  });
  expect(objects(dataset)).toEqual(['red 2,3,8,9']);
  await expect(openDataset(folder, { format: 'tsv' })).rejects.toMatchObject({ code: 'UNKNOWN_OPTION' });
});
