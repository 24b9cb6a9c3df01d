// What tools write beside the plain cases of tools.test.ts: each line is a dialect somebody met, and what is read of it.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Dataset, ProblemCount } from '../src/index.ts';
import {
  convertDataset,
  exportDataset,
  FolderImages,
  inspectDataset,
  openDataset,
  repairDataset,
} from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
let png: Uint8Array;

beforeAll(async () => {
  png = await sharp({ create: { width: 20, height: 12, channels: 3, background: '#369' } })
    .png()
    .toBuffer();
});

function put(file: string, content: string | Uint8Array | object): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  const isBytes = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(join(root, file), isBytes ? content : JSON.stringify(content));
}

/** Class and box of every object, and whether it has a mask. */
function objects(dataset: Dataset): readonly string[] {
  return [...dataset.images.keys()].flatMap((i) =>
    dataset.annotations(i).map(({ categoryId, box, segmentation }) => {
      const name = dataset.classes.nameOf(dataset.classes.labelOf(categoryId)!);
      return `${dataset.images[i]!.file} ${name} ${box.map((side) => Math.round(side * 10) / 10).join(',')}${segmentation ? '' : ' box'}`;
    }),
  );
}

/** Kinds and places of the errors that the doctor finds. */
async function errors(folder: string): Promise<readonly string[]> {
  const { report } = await inspectDataset(join(root, folder));
  return report.problems
    .filter(({ severity }) => severity === 'error')
    .flatMap(({ kind, examples }) => examples.map(({ place }) => `${kind} ${place}`))
    .sort();
}

async function warnings(folder: string): Promise<readonly string[]> {
  const { report } = await inspectDataset(join(root, folder));
  return report.problems
    .filter(({ severity }) => severity === 'warning')
    .flatMap(({ kind, examples }) => examples.map(({ place }) => `${kind} ${place}`));
}

const dropped = (folder: string): Promise<readonly string[]> =>
  openDataset(join(root, folder), { policy: 'drop' }).then(objects);

describe('labelme', () => {
  const labelme = (shapes: readonly object[], more: object = {}): object => ({
    version: '5.5.0',
    shapes: shapes.map((shape) => ({ label: 'cat', shape_type: 'polygon', group_id: null, ...shape })),
    imagePath: 'a.png',
    imageHeight: 12,
    imageWidth: 20,
    ...more,
  });
  const square = [
    [2, 3],
    [8, 3],
    [8, 9],
    [2, 9],
  ];

  test.each<[string, object, readonly string[]]>([
    ['a rectangle of four corners', labelme([{ shape_type: 'rectangle', points: square }]), ['cat 2,3,8,9']],
    ['a rectangle that is turned', labelme([{ shape_type: 'rotation', points: square }]), ['cat 2,3,8,9']],
    [
      'a rectangle that labelme turned',
      labelme([{ shape_type: 'oriented_rectangle', points: square }]),
      ['cat 2,3,8,9'],
    ],
    ['four corners of any shape', labelme([{ shape_type: 'quadrilateral', points: square }]), ['cat 2,3,8,9']],
    ['a size of text', labelme([{ points: square }], { imageHeight: '12', imageWidth: null }), ['cat 2,3,8,9']],
    ['the path of another machine', labelme([{ points: square }], { imagePath: 'C:\\u\\b.jpg' }), ['cat 2,3,8,9']],
  ])('%s', async (name, file, expected) => {
    put(`labelme/${name}/a.json`, file);
    put(`labelme/${name}/a.png`, png);
    expect(await dropped(`labelme/${name}`)).toEqual(expected.map((one) => `a.png ${one}`));
    expect(await errors(`labelme/${name}`)).toEqual([]);
  });

  test('a painted mask lies where its corner says', async () => {
    const bits = Uint8Array.from([0, 255, 255, 255, 255, 0]); // rows of three
    const mask = await sharp(bits, { raw: { width: 3, height: 2, channels: 1 } })
      .png()
      .toBuffer();
    const painted = {
      shape_type: 'mask',
      mask: mask.toString('base64'),
      points: [
        [5, 4],
        [7, 5],
      ],
    };
    put('painted/a.json', labelme([painted, { ...painted, mask: 'AAAA' }, { ...painted, mask: null }]));
    put('painted/a.png', png);
    const dataset = await openDataset(join(root, 'painted'), { policy: 'drop' });
    expect(objects(dataset)).toEqual(['a.png cat 5,4,8,6']);
    expect([...dataset.sample(0).target.masks![0]!.runLengths().counts]).toEqual([65, 1, 10, 2, 10, 1, 151]);
    expect(await errors('painted')).toEqual(['field-type a.json shape 3', 'mask-empty a.json shape 2']);
  });

  test.each<[string, object, string]>([
    ['no list of shapes', { shapes: {} }, 'field-type a.json/shapes'],
    ['shapes of nothing', { shapes: null }, 'field-type a.json/shapes'],
    ['a path of numbers', { imagePath: 7 }, 'field-type a.json/imagePath'],
  ])('%s is told, never an image without objects', async (name, more, expected) => {
    put(`labelme/${name}/a.json`, labelme([{ points: square }], more));
    put(`labelme/${name}/a.png`, png);
    put(`labelme/${name}/b.json`, labelme([{ points: square }], { imagePath: 'b.png' }));
    put(`labelme/${name}/b.png`, png);
    expect(await errors(`labelme/${name}`)).toEqual([expected]);
    expect(await dropped(`labelme/${name}`)).toEqual(['b.png cat 2,3,8,9']);
  });

  test.each([
    ['none', { imagePath: undefined }],
    ['an empty one', { imagePath: '' }],
  ])('%s for a path: the picture is called like the file', async (name, more) => {
    put(`no-path/${name}/a.json`, labelme([{ points: square }], more));
    put(`no-path/${name}/a.png`, png);
    expect(await errors(`no-path/${name}`)).toEqual([]);
    expect(objects(await openDataset(join(root, `no-path/${name}`)))).toEqual(['a.png cat 2,3,8,9']);
  });

  test('a file that is called like one picture and names another is told', async () => {
    const named = labelme([{ points: square }], { imagePath: 'b.png' });
    put('unclear/a.json', named);
    put('unclear-voc/a.xml', '<annotation><filename>b.png</filename></annotation>');
    for (const folder of ['unclear', 'unclear-voc'])
      for (const file of ['a.png', 'b.png']) put(`${folder}/${file}`, png);
    expect(await warnings('unclear')).toEqual(['image-unclear a.json']);
    expect(await dropped('unclear')).toEqual(['b.png cat 2,3,8,9']); // as labelme opens it
    expect(await warnings('unclear-voc')).toEqual(['image-unclear unclear-voc/a.xml']);
  });

  test('a picture that is in the file alone is told by that', async () => {
    put(
      'inside/a.json',
      labelme([{ points: square }], { imageData: Buffer.from(png).toString('base64'), imagePath: 'gone.png' }),
    );
    put('inside/b.json', labelme([{ points: square }], { imagePath: 'b.png' }));
    put('inside/b.png', png);
    expect(await errors('inside')).toEqual(['image-missing a.json']);
    const { report } = await inspectDataset(join(root, 'inside'));
    expect(report.problems[0]?.examples[0]?.found).toContain('labelme_export_json');
    expect(await dropped('inside')).toEqual(['b.png cat 2,3,8,9']);
  });

  test.each<[string, readonly object[], number, string]>([
    ['one part of two', [{ points: square }, { points: [[1, 2]] }], 0, 'left out polygon part'],
    ['the first of two', [{ points: [[1, 2]] }, { points: square }], 0, 'left out polygon part'],
    ['both parts', [{ points: [[1, 2]] }, { points: [] }], 1, 'left out annotation'],
    ['a painted part', [{ points: square }, { shape_type: 'mask', mask: 'AAAA', points: [[1, 2]] }], 0, 'left out polygon part'],
  ])('an object that lost %s counts once, as lost only where nothing of it is left', async (name, parts, lost, action) => {
    const shapes = [...parts.map((part) => ({ ...part, group_id: 1 })), { label: 'dog', points: square }];
    put(`parts/${name}/a.json`, labelme(shapes));
    put(`parts/${name}/a.png`, png);
    const inspection = await inspectDataset(join(root, `parts/${name}`));
    const { account, repairs } = await repairDataset(inspection, join(root, `parts/${name}-copy`));
    expect(account).toMatchObject({ objects: { original: 2, copy: 2 - lost, leftOut: lost }, isLossy: lost > 0 });
    expect(repairs[0]!.action).toBe(action);
  }); // biome-ignore format: a line each

  test('of two files that name one picture, the one that is called like it is its own', async () => {
    put('renamed/a.json', labelme([{ points: square }]));
    put('renamed/b.json', labelme([{ label: 'dog', points: square }]));
    put('renamed/a.png', png);
    expect(await errors('renamed')).toEqual(['duplicate-image-id b.json/imagePath']);
    expect(await dropped('renamed')).toEqual(['a.png cat 2,3,8,9']);
  });
});

describe('YOLO', () => {
  const yaml = 'train: images/train\nnames: [red, blue]\n';

  test('a pose file has boxes, not outlines through its key points', async () => {
    put('pose/data.yaml', `${yaml}kpt_shape: [2, 3]\n`);
    put('pose/images/train/a.png', png);
    put('pose/labels/train/a.txt', '0 0.5 0.5 0.2 0.5 0.4 0.5 2 0.6 0.5 2\n1 0.5 0.5 0.2 0.5\n');
    expect(await dropped('pose')).toEqual(['a.png red 8,3,12,9 box']);
    expect(await errors('pose')).toEqual(['field-type a.txt:2']);
  });

  test('labels whose picture is gone are told', async () => {
    put('alone/data.yaml', yaml);
    put('alone/images/train/a.png', png);
    put('alone/labels/train/a.txt', '0 0.5 0.5 0.2 0.5\n');
    put('alone/labels/train/b.txt', '0 0.5 0.5 0.2 0.5\n');
    put('alone/labels/train/classes.txt', 'red\nblue\n');
    expect(await errors('alone')).toEqual(['image-missing b.txt']);
  });

  test.each<[string, string, readonly string[], readonly string[]]>([
    ['key points that data.yaml does not tell of', '0 0.5 0.5 0.2 0.5 0.4 0.5 2 0.6 0.5 1', [], ['field-type a.txt:1']],
    ['pixels', '0 2 3 8 3 8 9', [], ['field-type a.txt:1']],
    ['a box in pixels', '0 5 6 6 6', [], ['field-type a.txt:1']],
    ['a score and a track behind a box', '0 0.5 0.5 0.2 0.5 0.93 17', [], ['field-type a.txt:1']],
    ['an outline a little over the edge', '0 -0.01 0 1.02 0 1 1', ['a.png red 0,0,20,12'], []],
    ['a score, as predictions have', '0 0.5 0.5 0.2 0.5 0.93', [], ['field-type a.txt:1']],
    ['sides below zero', '0 0.5 0.5 -0.2 -0.5', ['a.png red 8,3,12,9 box'], []],
    ['an outline along the border', '0 0 0 1 0 1 1', ['a.png red 0,0,20,12'], []],
  ])('%s', async (name, line, expected, told) => {
    put(`lines/${name}/data.yaml`, yaml);
    put(`lines/${name}/images/train/a.png`, png);
    put(`lines/${name}/labels/train/a.txt`, line);
    expect(await dropped(`lines/${name}`)).toEqual(expected);
    expect(await errors(`lines/${name}`)).toEqual(told);
  });

  test('a split of which no picture has labels says where they were looked for', async () => {
    put('elsewhere/data.yaml', yaml);
    put('elsewhere/images/train/a.png', png);
    put('elsewhere/annotations/train/a.txt', '0 0.5 0.5 0.2 0.5\n');
    expect(await warnings('elsewhere')).toEqual(['labels-missing a.png']);
    put('elsewhere/labels/train/a.txt', ''); // a picture without objects
    expect(await warnings('elsewhere')).toEqual([]);
  });

  test('a data.yaml that cannot be used says why', async () => {
    put('nameless/data.yaml', 'train: images/train\n');
    put('nameless/images/train/a.png', png);
    put('nameless/labels/train/a.txt', '');
    await expect(openDataset(join(root, 'nameless'))).rejects.toMatchObject({
      code: 'DATASET_INVALID',
      place: 'names',
    });
  });
});

describe('VIA', () => {
  const rect = { name: 'rect', x: 2, y: 3, width: 6, height: 6 };
  const region = (kind: string | undefined, shape: object = rect): object => ({
    shape_attributes: shape,
    region_attributes: kind === undefined ? {} : { kind },
  });

  test.each<[string, object, readonly string[], readonly string[]]>([
    [
      'a region whose class was forgotten',
      { k: { filename: 'a.png', regions: [region('red'), region(undefined)] } },
      ['red 2,3,8,9'],
      ['field-missing /k/regions/1/region_attributes'],
    ],
    ['no class anywhere', { k: { filename: 'a.png', regions: [region(undefined)] } }, ['object 2,3,8,9'], []],
    [
      'an entry that is none',
      { k: { filename: 'a.png', regions: [region('red')] }, l: null },
      ['red 2,3,8,9'],
      ['field-type /l'],
    ],
    [
      'regions that are none',
      { k: { filename: 'a.png', regions: [region('red')] }, l: { filename: 'b.png', regions: 'x' } },
      ['red 2,3,8,9'],
      ['field-type /l/regions'],
    ],
    [
      'two entries of one picture',
      { k: { filename: 'a.png', regions: [region('red')] }, l: { filename: 'a.png', regions: [region('blue')] } },
      ['red 2,3,8,9'],
      ['duplicate-image-id /l/filename'],
    ],
  ])('%s', async (name, project, expected, told) => {
    put(`via/${name}/via_project.json`, project);
    put(`via/${name}/a.png`, png);
    put(`via/${name}/b.png`, png);
    expect(await dropped(`via/${name}`)).toEqual(expected.map((one) => `a.png ${one}`));
    expect(await errors(`via/${name}`)).toEqual(told);
  });

  test.each<[string, readonly object[], readonly string[], readonly string[]]>([
    ['the name of an attribute without a value is the class', [{ red: '' }, { blue: '' }], ['red', 'blue'], []],
    ['a box that is ticked or not', [{ red: {} }, { blue: { yes: true } }], ['red', 'blue'], []],
    ['an attribute that nobody filled in', [{ kind: '' }, { kind: '' }], ['object', 'object'], ['class-unsaid /k/regions/0/region_attributes']],
    ['no attributes', [{}, {}], ['object', 'object'], []],
  ])('classes: %s', async (name, attributes, expected, told) => {
    const regions = attributes.map((region_attributes) => ({ shape_attributes: rect, region_attributes }));
    put(`via classes/${name}/via_project.json`, { k: { filename: 'a.png', regions } });
    put(`via classes/${name}/a.png`, png);
    expect(await dropped(`via classes/${name}`)).toEqual(expected.map((one) => `a.png ${one} 2,3,8,9`));
    expect((await warnings(`via classes/${name}`)).filter((one) => one.startsWith('class'))).toEqual(told);
  }); // biome-ignore format: a line each

  test('version 3: a picture whose only object cannot be read lost all of its objects', async () => {
    const object = { vid: '1', z: [], xy: [2, 2, 3, 6, 6], av: { 1: '0' } };
    put('via3 lost/via_project.json', {
      project: { pid: 'x' },
      config: {},
      view: { 1: { fid_list: ['1'] }, 2: { fid_list: ['2'] } },
      attribute: { 1: { aname: 'class', options: { 0: 'red' } } },
      file: { 1: { fname: 'a.png', type: 2 }, 2: { fname: 'C:\\b.png', type: 2 } },
      metadata: Object.fromEntries(
        'abcdefghijkl'.split('').map((key) => [key, key === 'a' ? { ...object, vid: '2', xy: 'x' } : object]),
      ),
    });
    put('via3 lost/a.png', png);
    put('via3 lost/b.png', png);
    const { account } = await repairDataset(await inspectDataset(join(root, 'via3 lost')), join(root, 'via3 copy'));
    expect(account).toMatchObject({ objects: { original: 12, leftOut: 1 }, emptiedImages: 1, isLossy: true });
  });

  test.each<[string, object, readonly string[]]>([
    ['a view of no file', { vid: '9' }, ['field-type /metadata/m/vid']],
    ['a shape of text', { xy: 'x' }, ['field-type /metadata/m']],
    ['a point', { xy: [1, 2, 3] }, ['region-unsupported /metadata/m/shape_attributes']],
    ['words about the picture', { xy: [] }, []],
  ])('version 3: %s is told where it stands', async (name, more, told) => {
    const project = {
      project: { pid: 'x' },
      config: {},
      view: { 1: { fid_list: ['1'] } },
      attribute: { 1: { aname: 'class', options: { 0: 'red' } } },
      file: { 1: { fname: 'a.png', type: 2 } },
      metadata: {
        k: { vid: '1', z: [], xy: [2, 2, 3, 6, 6], av: { 1: '0' } },
        m: { vid: '1', z: [], xy: [2, 1, 1, 3, 3], av: { 1: '0' }, ...more },
      },
    };
    put(`via3/${name}/via_project.json`, project);
    put(`via3/${name}/a.png`, png);
    expect(await errors(`via3/${name}`)).toEqual(told);
    expect(await dropped(`via3/${name}`)).toEqual(['a.png red 2,3,8,9']);
  });
});

describe('Pascal VOC', () => {
  const box = '<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>';
  const corners = [2, 3, 8, 3, 8, 9].map((value, i) => {
    const tag = `${i % 2 ? 'y' : 'x'}${(i >> 1) + 1}`;
    return `<${tag}>${value}</${tag}>`;
  });
  const object = (inside: string): string => `<object>${inside}</object>`;

  test.each<[string, string, readonly string[], readonly string[]]>([
    [
      'an object without a name',
      object(`<name>red</name>${box}`) + object(box),
      ['red 2,3,8,9 box'],
      ['field-type Annotations/a.xml object 2'],
    ],
    [
      'an outline of LabelMe, and an object that was taken back',
      object(
        '<name>red</name><deleted>0</deleted><polygon><pt><x>2</x><y>3</y></pt><pt><x>8</x><y>3</y></pt><pt><x>8</x><y>9</y></pt><username></username></polygon>',
      ) + object(`<name>red</name><deleted>1</deleted>${box}`),
      ['red 2,3,8,9'],
      [],
    ],
    [
      'a side of text',
      object(`<name>red</name>${box.replace('>3<', '>x<')}`) + object(`<name>blue</name>${box}`),
      ['blue 2,3,8,9 box'],
      ['field-type Annotations/a.xml object 1'],
    ],
    ['no box but an outline', object(`<name>red</name><polygon>${corners.join('')}</polygon>`), ['red 2,3,8,9'], []],
    [
      'an outline of points in elements of their own',
      object(
        `<name>red</name>${box}<polygon>${[2, 8, 8].map((x, i) => `<pt><x>${x}</x><y>${[3, 3, 9][i]}</y></pt>`).join('')}</polygon>`,
      ),
      ['red 2,3,8,9'],
      [],
    ],
    [
      'corners the wrong way round',
      object(`<name>red</name>${box.replace('>3<', '>8<').replace('<xmax>8<', '<xmax>3<')}`),
      ['red 2,3,8,9 box'],
      [],
    ],
    [
      'a corner beyond the picture is none',
      object(`<name>red</name>${box.replace('>3<', '>80<')}`),
      [],
      ['box-degenerate Annotations/a.xml object 1/bbox'],
    ],
    [
      'a size that is none',
      `<size><width>wide</width><height>-3</height></size>${object(`<name>red</name>${box}`)}`,
      ['red 2,3,8,9 box'],
      [],
    ],
  ])('%s costs no more than itself', async (name, inside, expected, told) => {
    put(`voc/${name}/Annotations/a.xml`, `<annotation><filename>a.png</filename>${inside}</annotation>`);
    put(`voc/${name}/JPEGImages/a.png`, png);
    expect(await dropped(`voc/${name}`)).toEqual(expected.map((one) => `a.png ${one}`));
    expect(await errors(`voc/${name}`)).toEqual(told);
  });
});

describe('Pascal VOC, mended', () => {
  const box = '<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>';
  const xml = (inside: string): string => `<annotation><object><name>red</name>${inside}</object></annotation>`;

  test('an outline that is none costs the outline: the box is in the copy', async () => {
    const two = '<polygon><x1>2</x1><y1>3</y1><x2>8</x2><y2>9</y2></polygon>';
    put('two-points/Annotations/a.xml', xml(box + two));
    put('two-points/JPEGImages/a.png', png);
    expect(await errors('two-points')).toEqual(['field-type Annotations/a.xml object 1']);
    const { account } = await repairDataset(await inspectDataset(join(root, 'two-points')), join(root, 'two-fixed'));
    expect(account).toMatchObject({ objects: { original: 1, copy: 1, leftOut: 0 }, masksLeftOut: 1, isLossy: false });
    expect(objects(await openDataset(join(root, 'two-fixed')))).toEqual(['a.png red 2,3,8,9 box']);
  });

  test('who counts from 0 is told of the option', async () => {
    put('zero/Annotations/a.xml', xml(box.replace('>3<', '>0<')));
    put('zero/JPEGImages/a.png', png);
    expect(await warnings('zero')).toEqual(['box-from-zero Annotations/a.xml object 1/bbox']);
    const { report } = await inspectDataset(join(root, 'zero'), { voc: { oneBased: false } });
    expect(report.counts.warning).toBe(0);
  });

  test('a list may have the paths of pictures', async () => {
    for (const name of ['a', 'b']) {
      put(`listed/Annotations/${name}.xml`, xml(box));
      put(`listed/JPEGImages/${name}.png`, png);
    }
    put('listed/ImageSets/Main/train.txt', 'JPEGImages/a.png\nb.png\n');
    expect(objects(await openDataset(join(root, 'listed')))).toEqual([
      'a.png red 2,3,8,9 box',
      'b.png red 2,3,8,9 box',
    ]);
  });
});

describe('what cannot be written for other tools is told, or left out by name', () => {
  const coco = (...names: readonly string[]): { images: object[]; annotations: object[]; categories: object[] } => ({
    images: names.map((file_name, i) => ({ id: i + 1, file_name, width: 20, height: 12 })),
    annotations: names.map((_, i) => ({ id: i + 1, image_id: i + 1, category_id: 1, bbox: [2, 3, 6, 6], area: 36 })),
    categories: [{ id: 1, name: 'red' }],
  });
  const cases: readonly [string, (set: ReturnType<typeof coco>) => void, string, string, number][] = [
    ['another size', ({ images }) => Object.assign(images[0]!, { width: 40, height: 24 }), 'IMAGE_SIZE_MISMATCH', '/images/0', 1],
    ['no picture', ({ images }) => Object.assign(images[0]!, { file_name: 'gone.png' }), 'IMAGE_MISSING', '/images/0', 1],
    ['run lengths cut short', ({ annotations }) => Object.assign(annotations[0]!, { segmentation: { size: [12, 20], counts: '5' } }), 'RLE_INVALID', '/annotations/0/segmentation', 2],
    ['a mask of no pixel', ({ annotations }) => Object.assign(annotations[0]!, { segmentation: { size: [12, 20], counts: [240] } }), 'TARGET_INVALID', '/annotations/0/segmentation', 2],
    ['a picture cut short', ({ images }) => Object.assign(images[0]!, { file_name: 'cut.png' }), 'IMAGE_CORRUPT', '/images/0', 1],
    ['a document for a picture', ({ images }) => Object.assign(images[0]!, { file_name: 'page.png' }), 'IMAGE_CORRUPT', '/images/0', 1],
  ]; // biome-ignore format: a line each
  const errorsOf = (problems: readonly ProblemCount[]): readonly string[] =>
    problems.flatMap(({ severity, examples }) => (severity === 'error' ? examples.map((one) => one.place) : []));
  test.each(cases)('%s', async (name, change, code, place, images) => {
    const set = coco('a.png', 'b.png');
    change(set);
    put(`unwritten/${name}/annotations.json`, set);
    for (const file of ['a.png', 'b.png']) put(`unwritten/${name}/${file}`, png);
    put(`unwritten/${name}/cut.png`, png.subarray(0, png.length * 0.7));
    put(`unwritten/${name}/page.png`, '%PDF-1.4');
    const path = join(root, 'unwritten', name);
    for (const to of ['yolo', 'labelme'] as const) {
      await expect(exportDataset(path, `${path}-${to}`, to)).rejects.toMatchObject({ code, place });
      const [split] = await exportDataset(path, `${path}-${to}-rest`, to, { policy: 'drop' });
      expect([split!.images, split!.objects, ...errorsOf(split!.problems)]).toEqual([images, 1, place]);
      expect(objects(await openDataset(`${path}-${to}-rest`))).toEqual([
        `b.png red 2,3,8,9${to === 'yolo' ? ' box' : ''}`,
      ]);
    }
    await expect(convertDataset(path, `${path}-refused`)).rejects.toMatchObject({ code, place });
    const [copied] = await convertDataset(path, `${path}-coco`, { policy: 'drop' });
    expect([copied!.images, copied!.objects, ...errorsOf(copied!.problems)]).toEqual([images, 1, place]);
  });

  test.each([
    ['none is left', 3, 1],
    ['too many are lost', 2, undefined],
    ['none may be', 1, 0],
  ])('of three pictures %s', async (name, gone, maxSkipRate) => {
    const files = ['a.png', 'b.png', 'c.png'];
    put(`lost/${name}/annotations.json`, coco(...files));
    for (const file of files.slice(gone)) put(`lost/${name}/${file}`, png);
    const path = join(root, 'lost', name);
    const refused = {
      code: 'DATASET_INVALID',
      message: expect.stringContaining(`too many images cannot be used: ${gone} of 3`),
    };
    const options = { policy: 'drop', ...(maxSkipRate !== undefined && { maxSkipRate }) } as const;
    await expect(convertDataset(path, `${path}-coco`, options)).rejects.toMatchObject(refused);
    for (const to of ['yolo', 'labelme'] as const)
      await expect(exportDataset(path, `${path}-${to}`, to, options)).rejects.toMatchObject(refused);
  });

  test('objects of an id that a record without a file has as well are nobody’s', async () => {
    const set = coco('a.png', 'b.png', 'b.png');
    set.images[0] = { id: 2, width: 20, height: 12 };
    put('nameless/annotations.json', {
      ...set,
      images: set.images.slice(0, 2),
      annotations: set.annotations.slice(1, 2),
    });
    put('nameless/b.png', png);
    const { account } = await repairDataset(await inspectDataset(join(root, 'nameless')), join(root, 'nameless-copy'));
    expect(account).toMatchObject({
      images: { original: 2, copy: 0 },
      objects: { original: 1, copy: 0 },
      isLossy: true,
    });
  });
});

describe('photographs that are stored turned, written for other tools', () => {
  const drawn = async (width: number, height: number): Promise<void> => {
    const turned = await sharp(png).withMetadata({ orientation: 6 }).png().toBuffer();
    const name = `turned-${width}`;
    put(`${name}/train/a.png`, turned);
    put(`${name}/annotations/instances_train.json`, {
      images: [{ id: 1, file_name: 'a.png', width, height }],
      annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [2, 3, 6, 6], area: 36, iscrowd: 0 }],
      categories: [{ id: 1, name: 'red' }],
    });
  };

  test.each<['yolo' | 'labelme', number, number]>([
    ['yolo', 12, 20],
    ['yolo', 20, 12],
    ['labelme', 12, 20],
    ['labelme', 20, 12],
  ])('%s, drawn on %d x %d pixels: the copy has nothing to turn', async (to, width, height) => {
    await drawn(width, height);
    const out = join(root, `${to}-${width}`);
    await exportDataset(join(root, `turned-${width}`), out, to);
    const dataset = await openDataset(out);
    expect(objects(dataset)).toEqual([`a.png red 2,3,8,9${to === 'yolo' ? ' box' : ''}`]);
    const picture = await dataset.store.load(dataset.images[0]!);
    expect([picture.width, picture.height]).toEqual([width, height]);
    const path = join(out, to === 'yolo' ? 'images/train/a.png' : 'train/a.png');
    expect((await sharp(path).metadata()).orientation ?? 1).toBe(1);
  });

  test.each(['copy', 'link'] as const)('coco, drawn as shown: the copy is stored so (%s)', async (imageFiles) => {
    await drawn(12, 20);
    const out = join(root, `coco-${imageFiles}`);
    await convertDataset(join(root, 'turned-12'), out, { imageFiles });
    expect(objects(await openDataset(out))).toEqual(['a.png red 2,3,8,9 box']);
    const { width, height, orientation } = await sharp(join(out, 'train/a.png')).metadata();
    expect([width, height, orientation ?? 1]).toEqual([12, 20, 1]);
  });

  test('coco, half a turn: only the setting says how objects were drawn, and the copy needs none', async () => {
    const turned = await sharp(png).withMetadata({ orientation: 3 }).png().toBuffer();
    await drawn(20, 12);
    put('turned-20/train/a.png', turned);
    for (const [orientation, expected] of [
      ['apply', 1],
      ['ignore', 3],
    ] as const) {
      const out = join(root, `half-${orientation}`);
      await convertDataset(join(root, 'turned-20'), out, { orientation });
      expect((await sharp(join(out, 'train/a.png')).metadata()).orientation ?? 1).toBe(expected);
    }
  });
});

describe('photographs that are stored turned, and files that say no size', () => {
  const outline = [2, 8, 8, 8, 8, 18, 2, 18]; // reaches beyond the stored picture, which is 12 pixels high
  const pairs = [0, 2, 4, 6].map((i) => [outline[i]!, outline[i + 1]!]);
  const files: Readonly<Record<string, (name: string) => void>> = {
    labelme: (name) =>
      put(`${name}/a.json`, { shapes: [{ label: 'cat', shape_type: 'polygon', points: pairs }], imagePath: 'a.png' }),
    via: (name) =>
      put(`${name}/via_region_data.json`, {
        k: {
          filename: 'a.png',
          regions: [
            {
              shape_attributes: { name: 'rect', x: 2, y: 8, width: 6, height: 10 },
              region_attributes: { kind: 'cat' },
            },
          ],
        },
      }),
    yolo: (name) => {
      put(`${name}/classes.txt`, 'cat');
      put(`${name}/a.txt`, `0 ${outline.map((value, i) => value / (i % 2 ? 20 : 12)).join(' ')}`);
    },
  };
  const box = { bbox: [2, 8, 6, 10] };

  test.each<[string, readonly object[], 'apply' | undefined]>([
    ['labelme', [box], undefined],
    ['via', [box], undefined],
    ['yolo', [], undefined], // fractions fit every picture: who does not say it gets nothing in a wrong place
    ['yolo', [box], 'apply'],
  ])('%s: objects of the copy are whole', async (format, expected, orientation) => {
    const name = `sizeless-${format}-${orientation}`;
    files[format]!(name);
    put(`${name}/a.png`, await sharp(png).withMetadata({ orientation: 6 }).png().toBuffer());
    const options = orientation === undefined ? {} : { orientation };
    const { account } = await repairDataset(
      await inspectDataset(join(root, name), options),
      join(root, `${name}-copy`),
    );
    expect(account).toMatchObject({ objects: { original: 1, copy: expected.length }, isLossy: expected.length === 0 });
    const copy = readFileSync(join(root, `${name}-copy/annotations/instances_${name}.json`), 'utf8');
    expect((JSON.parse(copy) as { annotations: object[] }).annotations).toMatchObject(expected);
  });
});

describe.skipIf(process.getuid?.() === 0)(
  'what nobody may look into is not called empty or missing',
  { meta: { whySkipped: 'needs a user other than root, who may look anywhere' } },
  () => {
    test('a folder of annotations, one of pictures', async () => {
      put('closed/annotations/instances_train.json', { images: [], annotations: [], categories: [] });
      chmodSync(join(root, 'closed/annotations'), 0);
      await expect(openDataset(join(root, 'closed'))).rejects.toMatchObject({ code: 'IO_FAILED', found: 'EACCES' });
      chmodSync(join(root, 'closed/annotations'), 0o755);
      put('dark/a.png', png);
      chmodSync(join(root, 'dark'), 0);
      const store = new FolderImages(join(root, 'dark'));
      await expect(store.locate('a.png')).rejects.toMatchObject({ code: 'IO_FAILED', found: 'EACCES' });
      chmodSync(join(root, 'dark'), 0o755);
    });
  },
);

test.each(['original_filename', 'filepath', 'datasetId', 'task_type', 'data_hash'])(
  'COCO stays COCO with a field %s beside its own',
  async (field) => {
    const folder = `coco-and-${field}`;
    put(`${folder}/a.png`, png);
    put(`${folder}/instances.json`, {
      images: [{ id: 1, file_name: 'a.png', width: 20, height: 12, [field]: 'x' }],
      annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [2, 2, 8, 6], area: 48, iscrowd: 0 }],
      categories: [{ id: 1, name: 'cat' }],
    });
    expect(objects(await openDataset(join(root, folder)))).toEqual(['a.png cat 2,2,10,8 box']);
  },
);
