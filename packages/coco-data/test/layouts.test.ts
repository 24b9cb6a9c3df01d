// Where people keep files, and the names they have for them: each line is a folder as some tool or script leaves it.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  convertDataset,
  exportDataset,
  type FolderImages,
  inspectDataset,
  openDataset,
  repairDataset,
  selectSources,
} from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
const [WIDTH, HEIGHT] = [20, 12];
const pictures = new Map<number, Uint8Array>();

beforeAll(async () => {
  for (let i = 1; i <= 6; i++)
    pictures.set(
      i,
      await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: { r: 40 * i, g: 9, b: 90 } } })
        .png()
        .toBuffer(),
    );
});

type Files = Readonly<Record<string, string | number | object>>;

/** Files of a folder; a number stands for a picture. */
function put(folder: string, files: Files): string {
  for (const [name, content] of Object.entries(files)) {
    const file = join(root, folder, name);
    mkdirSync(dirname(file), { recursive: true });
    const picture = typeof content === 'number' ? pictures.get(content) : undefined;
    writeFileSync(file, picture ?? (typeof content === 'string' ? content : JSON.stringify(content)));
  }
  return join(root, folder);
}

/** A red and a blue object on each of the named pictures. */
function coco(...names: readonly string[]): object {
  const images = names.map((name, i) => ({ id: i + 1, file_name: name, width: WIDTH, height: HEIGHT }));
  const annotations = images.flatMap(({ id }) => [
    { id: 2 * id, image_id: id, category_id: 1, bbox: [2, 3, 6, 6], area: 36, iscrowd: 0 },
    { id: 2 * id + 1, image_id: id, category_id: 2, bbox: [11, 2, 6, 6], area: 36, iscrowd: 0 },
  ]);
  const categories = ['red', 'blue'].map((name, i) => ({ id: i + 1, name }));
  return { images, annotations, categories };
}

const LABELS = '0 0.25 0.5 0.3 0.5\n1 0.7 0.4166 0.3 0.5\n';
const xml = (file: string): string =>
  `<annotation><filename>${file}</filename>${['red', 'blue'].map((name) => `<object><name>${name}</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox></object>`).join('')}</annotation>`;
const labelme = (file: string): object => ({
  shapes: ['red', 'blue'].map((label) => ({ label, shape_type: 'rectangle', points: [[2, 3], [8, 9]] })), // biome-ignore format: short
  imagePath: file,
  imageHeight: HEIGHT,
  imageWidth: WIDTH,
});
const via = (file: string, attributes: readonly object[]): object => ({
  k: {
    filename: file,
    regions: attributes.map((region_attributes) => ({
      shape_attributes: { name: 'rect', x: 2, y: 3, width: 6, height: 6 },
      region_attributes,
    })),
  },
});
const CLASSES = [{ class: 'red' }, { class: 'blue' }];

/** Each split with its pictures that can be loaded, and objects by class. */
async function found(path: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const { split } of await selectSources(path)) {
    const dataset = await openDataset(path, { split });
    const counts = new Map<string, number>();
    for (const [i, image] of dataset.images.entries()) {
      await dataset.store.load(image);
      for (const { categoryId } of dataset.annotations(i)) {
        const name = dataset.classes.nameOf(dataset.classes.labelOf(categoryId)!)!;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    const objects = [...counts].map(([name, count]) => `${count} ${name}`).join(' ');
    lines.push(`${split}: ${dataset.images.length} pictures, ${objects}`);
  }
  return lines;
}

const TWO = ['train: 1 pictures, 1 red 1 blue', 'val: 1 pictures, 1 red 1 blue'];

describe('folders', () => {
  test.each<[string, Files, readonly string[]]>([
    [
      'COCO beside images',
      { 'annotations.json': coco('a.png'), 'images/a.png': 1 },
      ['here: 1 pictures, 1 red 1 blue'],
    ],
    [
      'COCO of the name of its folder',
      { 'train.json': coco('a.png'), 'train/a.png': 1, 'val.json': coco('b.png'), 'val/b.png': 2 },
      TWO,
    ],
    ...[
      ['instances_train.json', 'instances_val.json'],
      ['train_annotations.json', 'val_annotations.json'],
      ['annotations-train.json', 'annotations-val.json'],
      ['train.coco.json', 'val.coco.json'],
    ].map(([train = '', val = '']): [string, Files, readonly string[]] => [
      `COCO side by side: ${train} and ${val}`,
      // The same name in both, so that nothing but the folder tells which is whose.
      { [train]: coco('a.png'), [val]: coco('a.png'), 'train/a.png': 1, 'val/a.png': 2 },
      TWO,
    ]),
    [
      'COCO side by side with the years of COCO',
      {
        'instances_train2017.json': coco('a.png'),
        'instances_val2017.json': coco('a.png'),
        'images/train2017/a.png': 1,
        'images/val2017/a.png': 2,
      },
      ['train2017: 1 pictures, 1 red 1 blue', 'val2017: 1 pictures, 1 red 1 blue'],
    ],
    [
      'COCO side by side by names that are no splits',
      {
        'instances_day.json': coco('a.png'),
        'instances_night.json': coco('b.png'),
        'images/a.png': 1,
        'images/b.png': 2,
      },
      ['day: 1 pictures, 1 red 1 blue', 'night: 1 pictures, 1 red 1 blue'],
    ],
    [
      'VIA, two people’s files in the folder of a split',
      {
        'train/via_ann.json': via('a.png', CLASSES),
        'train/via_bob.json': via('b.png', CLASSES),
        'train/a.png': 1,
        'train/b.png': 2,
      },
      ['via_ann: 1 pictures, 1 red 1 blue', 'via_bob: 1 pictures, 1 red 1 blue'],
    ],
    [
      'VIA side by side',
      {
        'via_region_data_train.json': via('a.png', CLASSES),
        'via_region_data_val.json': via('b.png', CLASSES),
        'train/a.png': 1,
        'val/b.png': 2,
      },
      TWO,
    ],
    [
      'COCO one folder further down',
      {
        'Project-3/train/_annotations.coco.json': coco('a.png'),
        'Project-3/train/a.png': 1,
        'Project-3/val/_annotations.coco.json': coco('b.png'),
        'Project-3/val/b.png': 2,
      },
      TWO,
    ],
    [
      'COCO in annotations of every split',
      {
        'train/annotations/instances.json': coco('a.png'),
        'train/images/a.png': 1,
        'val/annotations/instances.json': coco('b.png'),
        'val/images/b.png': 2,
      },
      TWO,
    ],
    [
      'VOC in folders of its own',
      { 'annotations/a.xml': xml('a.png'), 'images/a.png': 1 },
      ['annotations: 1 pictures, 1 red 1 blue'],
    ],
    [
      'VOC in folders of its own by split',
      {
        'annotations/train/a.xml': xml('a.png'),
        'images/train/a.png': 1,
        'annotations/val/b.xml': xml('b.png'),
        'images/val/b.png': 2,
      },
      TWO,
    ],
    [
      'labelme apart from its pictures',
      { 'json/a.json': labelme('..\\images\\a.png'), 'images/a.png': 1 },
      ['json: 1 pictures, 1 red 1 blue'],
    ],
    [
      'YOLO of Label Studio',
      { 'classes.txt': 'red\r\nblue\r\n', 'images/a.png': 1, 'labels/a.txt': LABELS, 'notes.json': {} },
      ['here: 1 pictures, 1 red 1 blue'],
    ],
    [
      'YOLO of LabelImg',
      { 'classes.txt': 'red\nblue', 'a.png': 1, 'a.txt': LABELS },
      ['here: 1 pictures, 1 red 1 blue'],
    ],
    [
      'YOLO of CVAT and darknet',
      {
        'obj.names': 'red\nblue\n',
        'obj.data': 'classes = 2',
        'obj_train_data/a.png': 1,
        'obj_train_data/a.txt': LABELS,
      },
      ['train: 1 pictures, 1 red 1 blue'],
    ],
    [
      'YOLO by lists of pictures',
      {
        'data.yaml': 'path: ../datasets/x\ntrain: train.txt\nval: val.txt\nnames: [red, blue]\n',
        'train.txt': './images/a.png\n\n',
        'val.txt': '/content/datasets/x/images/b.png\r\n',
        'images/a.png': 1,
        'labels/a.txt': LABELS,
        'images/b.png': 2,
        'labels/b.txt': LABELS,
      },
      TWO,
    ],
    [
      'YOLO of several folders',
      {
        'data.yaml': 'train: [one/images, two/images]\nnames: [red, blue]\n',
        'one/images/a.png': 1,
        'one/labels/a.txt': LABELS,
        'two/images/b.png': 2,
        'two/labels/b.txt': LABELS,
      },
      ['train: 2 pictures, 2 red 2 blue'],
    ],
    [
      'YOLO with the name that Ultralytics also takes',
      {
        'data.yaml': 'train: train/images\nvalidation: val/images\nnames: [red, blue]\n',
        'train/images/a.png': 1,
        'train/labels/a.txt': LABELS,
        'val/images/b.png': 2,
        'val/labels/b.txt': LABELS,
      },
      TWO,
    ],
    [
      'darknet of Roboflow',
      {
        'train/_darknet.labels': 'red\nblue\n',
        'train/a.png': 1,
        'train/a.txt': LABELS,
        'val/_darknet.labels': 'red\nblue\n',
        'val/b.png': 2,
        'val/b.txt': LABELS,
      },
      TWO,
    ],
    ['COCO of FiftyOne', { 'labels.json': coco('a.png'), 'data/a.png': 1 }, ['here: 1 pictures, 1 red 1 blue']],
    [
      'COCO of FiftyOne by split',
      {
        'train/labels.json': coco('a.png'),
        'train/data/a.png': 1,
        'val/labels.json': coco('b.png'),
        'val/data/b.png': 2,
      },
      TWO,
    ],
    [
      'names that end in the split, folders with a year',
      {
        'annotations/lvis_v1_train.json': coco('a.png'),
        'train2017/a.png': 1,
        'annotations/lvis_v1_val.json': coco('b.png'),
        'val2017/b.png': 2,
      },
      ['lvis_v1_train: 1 pictures, 1 red 1 blue', 'lvis_v1_val: 1 pictures, 1 red 1 blue'],
    ],
    [
      'names that end in the split, pictures in folders of it',
      {
        'custom_train.json': coco('a.png'),
        'images/train/a.png': 1,
        'custom_val.json': coco('b.png'),
        'images/val/b.png': 2,
      },
      ['custom_train: 1 pictures, 1 red 1 blue', 'custom_val: 1 pictures, 1 red 1 blue'],
    ],
    [
      'VIA under a name of its own',
      { 'labels_my-project.json': via('a.png', CLASSES), 'a.png': 1 },
      ['labels_my-project: 1 pictures, 1 red 1 blue'],
    ],
    [
      'labelme with a list of classes beside it',
      { 'classes.txt': 'red\nblue\n', 'a.json': labelme('a.png'), 'a.png': 1 },
      ['here: 1 pictures, 1 red 1 blue'],
    ],
    [
      'COCO of MMDetection: a file of one name in each split',
      {
        'train/annotation_coco.json': coco('a.png'),
        'train/a.png': 1,
        'val/annotation_coco.json': coco('a.png'),
        'val/a.png': 2,
      },
      TWO,
    ],
    [
      'COCO of names that are alike in each split',
      { 'train/mine.json': coco('a.png'), 'train/a.png': 1, 'val/mine.json': coco('a.png'), 'val/a.png': 2 },
      ['train-mine: 1 pictures, 1 red 1 blue', 'val-mine: 1 pictures, 1 red 1 blue'],
    ],
    [
      'COCO whose validation has another name',
      {
        'annotations/instances_train.json': coco('a.png'),
        'annotations/val.json': coco('b.png'),
        'train/a.png': 1,
        'val/b.png': 2,
      },
      TWO,
    ],
    [
      'COCO whose validation has a file of its own name',
      {
        'train/_annotations.coco.json': coco('a.png'),
        'train/a.png': 1,
        'val/val.json': coco('b.png'),
        'val/b.png': 2,
      },
      TWO,
    ],
    [
      'labelme of two places',
      {
        's1/train/a.json': labelme('a.png'),
        's1/train/a.png': 1,
        's2/train/b.json': labelme('b.png'),
        's2/train/b.png': 2,
      },
      ['s1-train: 1 pictures, 1 red 1 blue', 's2-train: 1 pictures, 1 red 1 blue'],
    ],
    [
      'labelme with a file that strayed',
      {
        'c.json': labelme('c.png'),
        'c.png': 3,
        'train/a.json': labelme('a.png'),
        'train/a.png': 1,
        'val/b.json': labelme('b.png'),
        'val/b.png': 2,
      },
      ['here: 1 pictures, 1 red 1 blue', ...TWO],
    ],
    ['VOC in capitals', { 'A.XML': xml('A.PNG'), 'A.PNG': 1 }, ['here: 1 pictures, 1 red 1 blue']],
  ])('%s', async (name, files, expected) => {
    expect(await found(put(`folders/${name}/here`, files))).toEqual(expected);
  });

  const HIDDEN = '\0\x05\x16\x07'; // what macOS writes beside files on disks of others
  test.each<[string, Files]>([
    ['COCO', { '_annotations.coco.json': coco('a.png'), '._annotations.coco.json': HIDDEN }],
    ['VIA', { 'via_region_data.json': via('a.png', CLASSES), '._via_region_data.json': HIDDEN }],
    ['VOC', { 'a.xml': xml('a.png'), '._a.xml': HIDDEN }],
    ['labelme', { 'a.json': labelme('a.png'), '._a.json': HIDDEN }],
    ['YOLO', { 'classes.txt': 'red\nblue', 'a.txt': LABELS, '._a.txt': HIDDEN }],
  ])('hidden files are nobody’s: %s', async (name, files) => {
    const path = put(`hidden/${name}/here`, { ...files, 'a.png': 1, '._a.png': HIDDEN });
    expect(await found(path)).toEqual(['here: 1 pictures, 1 red 1 blue']);
    expect((await inspectDataset(path)).report.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  test('splits that a data.yaml names and that are not there are told once', async () => {
    const path = put('splits missing', {
      'data.yaml': 'train: train/*.png\nval: val/images\ntest: ../test/images\nnames: [red, blue]\n',
      'val/images/b.png': 2,
      'val/labels/b.txt': LABELS,
    });
    const { report } = await inspectDataset(path);
    const told = report.problems.filter(({ kind }) => kind === 'split-missing');
    expect(told.map(({ count, examples }) => [count, examples.map(({ place }) => place)])).toEqual([
      [2, ['train', 'test']],
    ]);
  });

  test('labels beside their pictures are found below a folder that is called images', async () => {
    const files = { 'classes.txt': 'red\nblue', 'a.png': 1, 'a.txt': LABELS };
    expect(await found(put('images/of mine', files))).toEqual(['of mine: 1 pictures, 1 red 1 blue']);
  });

  test('a list of YOLO whose picture is gone says so', async () => {
    const path = put('gone', {
      'data.yaml': 'train: train.txt\nnames: [red, blue]\n',
      'train.txt': 'images/a.png\nimages/b.png\n',
      'images/a.png': 1,
    });
    const { report } = await inspectDataset(path);
    expect(report.problems[0]).toMatchObject({ kind: 'image-missing', examples: [{ place: 'train.txt:2' }] });
    const { account } = await repairDataset(await inspectDataset(path), `${path}-copy`);
    expect(account).toMatchObject({ images: { original: 2, copy: 1 }, objects: { original: 0 }, isLossy: true });
  });
});

test.each([
  [['train2017', 'val2017'], 'train val'],
  [['default'], 'train'],
  [['ds1', 'ds2'], 'ds1 ds2'],
  [['train', 'train2017'], 'train train2017'],
])('splits %j are written for YOLO so that its tools find them', async (splits, keys) => {
  const files = splits.flatMap((split, i) => [
    [`annotations/instances_${split}.json`, coco(`${i}.png`)] as const,
    [`${split}/${i}.png`, i + 1] as const,
  ]);
  const path = put(`yolo/${splits.join()}`, Object.fromEntries(files));
  await exportDataset(path, `${path}-yolo`, 'yolo');
  const expected = keys.split(' ').map((key) => `${key}: 1 pictures, 1 red 1 blue`);
  expect(await found(`${path}-yolo`)).toEqual(expected);
});

describe('a copy is found again whatever its split is called', () => {
  test.each(['via-3', 'coco_train', 'train_annotations', 'instances_val', 'annotations-2'])('%s', async (split) => {
    const path = put(`copies/${split}/set`, {
      [`${split}/_annotations.coco.json`]: coco('a.png'),
      [`${split}/a.png`]: 1,
    });
    await repairDataset(await inspectDataset(path), `${path}-fixed`);
    expect(await found(`${path}-fixed`)).toEqual([`${split}: 1 pictures, 1 red 1 blue`]);
    await convertDataset(path, `${path}-copy`);
    expect(await found(`${path}-copy`)).toEqual([`${split}: 1 pictures, 1 red 1 blue`]);
  });
});

describe('the folder above the benchmark', () => {
  const year = (name: string, picture: number): Files => ({
    [`VOCdevkit/${name}/Annotations/${picture}.xml`]: xml(`${picture}.png`),
    [`VOCdevkit/${name}/JPEGImages/${picture}.png`]: picture,
    [`VOCdevkit/${name}/ImageSets/Main/train.txt`]: `${picture}\n`,
  });

  test('one year has the splits of its lists, two are told apart by their names', async () => {
    const one = put('devkit/one', { ...year('VOC2012', 1), 'VOCdevkit/VOC2012/Annotations/2.xml': xml('2.png') });
    expect(await found(one)).toEqual(['train: 1 pictures, 1 red 1 blue']);
    const two = put('devkit/two', { ...year('VOC2007', 1), ...year('VOC2012', 2) });
    expect(await found(two)).toEqual([
      'VOC2007-train: 1 pictures, 1 red 1 blue',
      'VOC2012-train: 1 pictures, 1 red 1 blue',
    ]);
  });
});

describe('names', () => {
  const NFD = 'größe é.png'.normalize('NFD');
  test.each<[string, string, string]>([
    ['in another case', 'IMG_1.JPG', 'img_1.jpg'],
    ['with letters and accents apart', 'größe é.png'.normalize('NFC'), NFD],
    ['encoded as an address', 'my%20pic%20%231.png', 'my pic #1.png'],
    ['as an address', 'https://example.com/upload/a.png', 'a.png'],
    ['of local files of Label Studio', '/data/local-files/?d=sub/a.png', 'sub/a.png'],
    ['uploaded to Label Studio', '/data/upload/3/0a1b2c3d-a.png', 'a.png'],
    ['from Windows', 'C:\\Users\\me\\a.png', 'a.png'],
    ['with a dot in front', './sub//a.png', 'sub/a.png'],
    ['before it was converted', 'a.bmp', 'a.png'],
    ['without an ending', 'cam1.0001', 'cam1.0001.png'],
  ])('%s', async (name, written, file) => {
    const files = { 'annotations.json': coco(written), [file]: 1 };
    expect(await found(put(`names/${name}/here`, files))).toEqual(['here: 1 pictures, 1 red 1 blue']);
    const project = { 'via_region_data.json': via(written, CLASSES), [file]: 1 };
    expect(await found(put(`via names/${name}/here`, project))).toEqual(['here: 1 pictures, 1 red 1 blue']);
  });

  test.each<[string, string, string, string]>([
    ['in another case', 'Cam1/0001.png', 'images/cam1/0001.png', 'images/0001.png'],
    ['encoded', 'batch%202/001.png', 'batch 2/001.png', '001.png'],
    ['before it was converted', 'cam1/1.bmp', 'cam1/1.png', '1.bmp'],
  ])('a whole path goes before a name alone: %s', async (name, written, file, other) => {
    const path = put(`paths/${name}`, { 'annotations.json': coco(written), [file]: 1, [other]: 2 });
    const { images, store } = await openDataset(path);
    expect(`${images[0]!.file} of ${(store as FolderImages).root}`).toMatch(
      new RegExp(`${file.split('/').at(-2)}/[^/]* of `),
    );
  });

  test('a link to a folder is a folder', async () => {
    put('linked', { 'train/a.png': 1, 'train/_annotations.coco.json': coco('a.png') });
    put('elsewhere', { 'a.png': 2, '_annotations.coco.json': coco('a.png') });
    symlinkSync(join(root, 'elsewhere'), join(root, 'linked', 'valid'));
    expect(await found(join(root, 'linked'))).toEqual([TWO[0], 'valid: 1 pictures, 1 red 1 blue']);
  });

  test('the sign that a name has of its own is kept', async () => {
    const files = { 'annotations.json': coco('100%.png', 'a%20b.png'), '100%.png': 1, 'a%20b.png': 2, 'a b.png': 3 };
    const dataset = await openDataset(put('signs', files));
    expect(dataset.images.map(({ file }) => file)).toEqual(['100%.png', 'a%20b.png']);
  });

  test.each<[string, readonly string[], Files, readonly string[]]>([
    ['two folders, and one file', ['cam1/a.png', 'cam2/a.png'], { 'a.png': 1 }, ['/images/0', '/images/1']],
    ['one of them is the file', ['a.png', 'cam2/a.png'], { 'a.png': 1 }, ['/images/1']],
    ['two cases', ['A.PNG'], { 'a.png': 1, 'a.Png': 2 }, ['/images/0']],
    ['two uploads', ['0a1b2c3d-a.png', '1a1b2c3d-a.png'], { 'a.png': 1 }, ['/images/0', '/images/1']],
    ['two endings', ['a.bmp'], { 'a.png': 1, 'a.jpg': 2 }, ['/images/0']],
  ])('nothing is guessed: %s', async (name, written, files, missing) => {
    const path = put(`guess/${name}`, { 'annotations.json': coco(...written), ...files });
    const { report } = await inspectDataset(path);
    const [first] = report.problems;
    expect([first?.kind, first?.examples.map(({ place }) => place)]).toEqual(['image-missing', missing]);
  });
});

test.each<[string, Files, string, RegExp]>([
  ['XML of CVAT', { 'annotations.xml': '<?xml version="1.0"?><annotations></annotations>', 'images/a.png': 1 }, 'XML of CVAT', /COCO 1.0/],
  ['CreateML', { '_annotations.createml.json': [], 'a.png': 1 }, 'an export in the format CreateML', /COCO/],
  ['tables', { '_annotations.csv': 'filename,width,height,class,xmin\n', 'a.png': 1 }, 'a table of boxes (CSV)', /COCO/],
  ['tables of VIA', { 'via.csv': 'filename,region_shape_attributes\n', 'a.png': 1 }, 'a CSV export of VIA', /JSON/],
  ['JSON of Label Studio', { 'p.json': [{ annotations: [{ lead_time: 1, result: [] }] }] }, 'a JSON export of Label Studio', /COCO/],
  ['Supervisely', { 'meta.json': {}, 'ds/ann/a.png.json': { objects: [{ classTitle: 'red' }] }, 'ds/img/a.png': 1 }, 'a project of Supervisely', /COCO/],
  ['ISAT', { 'a.json': { info: { description: 'ISAT' }, objects: [] }, 'a.png': 1 }, 'annotations of ISAT', /COCO/],
  ['Labelbox', { 'export.ndjson': '{"data_row":{"id":"c"}}', 'a.png': 1 }, 'an export of Labelbox', /COCO/],
  ['Labelbox of old', { 'export.json': [{ 'Labeled Data': 'https://x/a.png' }] }, 'an export of Labelbox', /COCO/],
  ['Hasty', { 'h.json': { label_classes: [], images: [{ image_name: 'a.png', labels: [{ bbox: [1, 2, 3, 4] }] }] } }, 'a JSON export of Hasty', /Hasty as COCO/],
  ['V7', { 'a.json': { version: '2.0', schema_ref: 'https://x/darwin_json/2.0', annotations: [{ bounding_box: {} }] } }, 'an export of V7 (Darwin JSON)', /COCO/],
  ['V7 of old', { 'a.json': { image: { original_filename: 'a.png', filename: 'a.png' }, annotations: [] } }, 'an export of V7 (Darwin JSON)', /COCO/],
  ['SuperAnnotate', { 'annotations.json': { 'a.png': { instances: [{ className: 'red' }] } } }, 'an export of SuperAnnotate', /COCO/],
  ['Scale', { 'tasks.json': [{ task_id: '5', response: { annotations: [] } }] }, 'tasks of Scale', /COCO/],
  ['Segments.ai', { 'annotations/r.json': { dataset: { task_type: 'segmentation-bitmap' } } }, 'a release of Segments.ai', /COCO/],
  ['Kili', { 'k.json': [{ labels: [{ jsonResponse: {} }] }] }, 'an export of Kili', /COCO/],
  ['Encord', { 'e.json': [{ data_units: { x: { data_hash: 'x' } } }] }, 'an export of Encord', /COCO/],
  ['Dataloop', { 'a.json': { datasetId: '2', filename: '/a.png', annotations: [] } }, 'annotations of Dataloop', /COCO/],
  ['VoTT', { 'x.json': { securityToken: 's', assets: {} } }, 'a project of VoTT', /COCO/],
  ['FiftyOne', { 'metadata.json': { media_type: 'image' }, 'samples.json': { samples: [{ filepath: 'data/a.png' }] } }, 'a dataset of FiftyOne', /COCODetectionDataset/],
  ['Datumaro', { 'annotations/default.json': { dm_format_version: '1.0', items: [] } }, 'a dataset of Datumaro', /COCO/],
  ['Ground Truth', { 'output.manifest': '{"source-ref":"s3://b/a.png"}' }, 'a manifest of SageMaker Ground Truth', /COCO/],
  ['detections', { 'results.json': [{ image_id: 1, category_id: 1, bbox: [1, 2, 3, 4], score: 0.9 }] }, 'detections of a model, not annotations', /--gt/],
  ['run lengths in a table', { 'train.csv': 'ImageId,EncodedPixels\n', 'a.png': 1 }, 'a table of run lengths (CSV)', /COCO/],
  ['a table without a head', { 'labels.csv': 'red,2,3,6,6,a.png,20,12\n', 'a.png': 1 }, 'a table (CSV)', /COCO/],
  ['masks of CVAT', { 'labelmap.txt': '# label', 'SegmentationClass/a.png': 1, 'JPEGImages/a.png': 2 }, 'masks as pictures', /polygons/],
  ['DOTA', { 'images/a.png': 1, 'labelTxt/a.txt': '1 2 3 4 5 6 7 8 red 0' }, 'turned boxes of DOTA', /COCO/],
  ['Hugging Face', { 'metadata.jsonl': '{"file_name":"a.png","objects":{}}', 'a.png': 1 }, 'metadata of an image folder of Hugging Face', /COCO/],
  ['archives', { 'a.zip': 'PK' }, 'an archive', /Unpack/],
  ['pictures', { 'a.png': 1, 'masks/a.png': 2 }, 'pictures without annotations', /--images.*'studio'/],
  ['labels without names', { 'images/a.png': 1, 'labels/a.txt': LABELS }, 'labels of YOLO without the names of their classes', /classes\.txt/],
])('what is not read is called what it is: %s', async (name, files, what, hint) => {
  await expect(openDataset(put(`foreign/${name}`, files))).rejects.toMatchObject({
    code: 'DATASET_INVALID',
    found: what,
    hint: expect.stringMatching(hint),
  });
}); // biome-ignore format: a line each

test.each([
  ['captions', { id: 1, image_id: 1, caption: 'x' }],
  ['panoptic annotations', { image_id: 1, file_name: 'a.png', segments_info: [] }],
])('%s of COCO are told from instances', async (what, annotation) => {
  const path = put(`others/${what}`, { 'annotations.json': { images: [], annotations: [annotation], categories: [] } });
  await expect(openDataset(path)).rejects.toMatchObject({ code: 'DATASET_INVALID', found: what });
});
