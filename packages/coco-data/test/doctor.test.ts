import { cpSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ProblemKind } from '../src/index.ts';
import { inspectDataset, repairDataset, writeShapes } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

/** A record that the tests break in every way. */
type Loose = Record<string, unknown>;
type LooseAnnotation = Loose & { bbox: [number, number, number, number]; area: number };

interface CocoJSON {
  images: Loose[];
  annotations: LooseAnnotation[];
  categories: Loose[];
}

const root = temporaryFolder();
const clean = join(root, 'clean');
beforeAll(() =>
  writeShapes(clean, {
    splits: { train: 5, val: 3 },
    size: [48, 64],
    objects: [2, 4],
    radius: [0.15, 0.3],
    tiny: 0,
    touching: 0,
    seed: 3,
  }),
);

/** One planted fault: what is done to the training split, and where the doctor must see what. */
interface Fault {
  readonly kind: ProblemKind;
  readonly place: string | RegExp;
  /** Default: the annotation file of the training split; `images`: its folder of images. */
  readonly in?: 'images';
  readonly plant: (json: CocoJSON, folder: string) => unknown;
}

const annotation = (change: (record: LooseAnnotation, json: CocoJSON) => unknown) => (json: CocoJSON) =>
  change(json.annotations[2]!, json);
const rle = (counts: unknown, size: unknown = [48, 64]) => annotation((a) => (a['segmentation'] = { size, counts }));
const first = 'train/000000.png';
/** A file whose bytes were changed on purpose. */
const rewrite = (folder: string, file: string, change: (bytes: Buffer) => Uint8Array | string): void =>
  writeFileSync(join(folder, file), change(readFileSync(join(folder, file))));

const faults: Record<string, Fault> = {
  'an image without a file name': {
    kind: 'field-missing',
    place: '/images/1/file_name',
    plant: ({ images }) => delete images[1]!['file_name'],
  },
  'an image of negative height': {
    kind: 'field-type',
    place: '/images/1/height',
    plant: ({ images }) => (images[1]!['height'] = -48),
  },
  'a width that is text': {
    kind: 'number-text',
    place: '/images/1/width',
    plant: ({ images }) => (images[1]!['width'] = '64'),
  },
  'a box of three numbers': {
    kind: 'field-type',
    place: '/annotations/2/bbox',
    plant: annotation((a) => a['bbox'].pop()),
  },
  'an annotation without a box and a mask to make one from': {
    kind: 'field-missing',
    place: '/annotations/2/bbox',
    plant: annotation((a) => {
      Reflect.deleteProperty(a, 'bbox');
      Reflect.deleteProperty(a, 'segmentation');
    }),
  },
  'an annotation that is a number': {
    kind: 'field-type',
    place: '/annotations/2',
    plant: ({ annotations }) => (annotations[2] = 7 as unknown as LooseAnnotation),
  },
  'a crowd flag of 2': {
    kind: 'field-type',
    place: '/annotations/2/iscrowd',
    plant: annotation((a) => (a['iscrowd'] = 2)),
  },
  'an id beyond 2^53': {
    kind: 'annotation-id-text',
    place: '/annotations/2/id',
    plant: annotation((a) => (a['id'] = 2 ** 53 + 2)),
  },
  'an image id twice': {
    kind: 'duplicate-image-id',
    place: '/images/3/id',
    plant: ({ images }) => images.splice(3, 0, { ...images[0], file_name: '000003.png' }),
  },
  'an annotation id twice': {
    kind: 'duplicate-annotation-id',
    place: '/annotations/2/id',
    plant: annotation((a) => (a['id'] = 1)),
  },
  'a category id twice': {
    kind: 'duplicate-category-id',
    place: '/categories/1/id',
    plant: ({ categories }) => categories.splice(1, 0, { id: 1, name: 'again' }),
  },
  'a category name twice': {
    kind: 'duplicate-category-name',
    place: '/categories/3/name',
    plant: ({ categories }) => (categories[3]!['name'] = 'circle'),
  },
  'annotation id 0': {
    kind: 'annotation-id-zero',
    place: '/annotations/2/id',
    plant: annotation((a) => (a['id'] = 0)),
  },
  'category id 0': {
    kind: 'category-id-zero',
    place: '/categories/0/id',
    plant: ({ annotations, categories }) => {
      for (const a of annotations) if (a['category_id'] === 1) a['category_id'] = 0;
      categories[0]!['id'] = 0;
    },
  },
  'an annotation of no image': {
    kind: 'unknown-image',
    place: '/annotations/2/image_id',
    plant: annotation((a) => (a['image_id'] = 999)),
  },
  'an annotation of no category': {
    kind: 'unknown-category',
    place: '/annotations/2/category_id',
    plant: annotation((a) => (a['category_id'] = 12)),
  },
  'a box without width': {
    kind: 'box-degenerate',
    place: '/annotations/2/bbox',
    plant: annotation((a) => (a['bbox'][2] = 0)),
  },
  'a box of negative height': {
    kind: 'box-degenerate',
    place: '/annotations/2/bbox',
    plant: annotation((a) => (a['bbox'][3] = -4)),
  },
  'a box outside the image': {
    kind: 'box-outside',
    place: '/annotations/2/bbox',
    plant: annotation((a) => (a['bbox'] = [70, 5, 10, 10])),
  },
  'a box that overhangs': {
    kind: 'box-overhangs',
    place: '/annotations/2/bbox',
    plant: annotation((a) => (a['bbox'][2] = 65)),
  },
  'a box far from its mask': {
    kind: 'box-mask-disagree',
    place: '/annotations/2/bbox',
    plant: annotation((a) => (a['bbox'] = [1, 1, 4, 4])),
  },
  'a box thinner than a pixel': {
    kind: 'box-tiny',
    place: '/annotations/2/bbox',
    plant: annotation((a) => (a['bbox'][2] = 0.5)),
  },
  'corners instead of sides': {
    kind: 'box-corners',
    place: '/annotations/0',
    plant: ({ annotations }) => {
      for (const { bbox } of annotations) [bbox[2], bbox[3]] = [bbox[0] + bbox[2], bbox[1] + bbox[3]];
    },
  },
  'an area that is wrong': {
    kind: 'area-wrong',
    place: '/annotations/2/area',
    plant: annotation((a) => (a['area'] *= 3)),
  },
  'one annotation without a segmentation': {
    kind: 'segmentation-missing',
    place: '/annotations/2',
    plant: annotation((a) => delete a['segmentation']),
  },
  'a flat polygon': {
    kind: 'polygon-flat',
    place: '/annotations/2/segmentation',
    plant: annotation((a) => (a['segmentation'] = [1, 1, 9, 1, 9, 9])),
  },
  'a polygon of two points': {
    kind: 'polygon-short',
    place: '/annotations/2/segmentation/0',
    plant: annotation((a) => (a['segmentation'] = [[1, 1, 9, 1]])),
  },
  'an odd polygon': {
    kind: 'polygon-odd',
    place: '/annotations/2/segmentation/0',
    plant: annotation((a) => (a['segmentation'] = [[1, 1, 9, 1, 9, 9, 4]])),
  },
  'a polygon with a word in it': {
    kind: 'polygon-not-finite',
    place: '/annotations/2/segmentation/0',
    plant: annotation((a) => (a['segmentation'] = [[1, 1, 9, 1, 'x', 9]])),
  },
  'a polygon beyond the image': {
    kind: 'polygon-outside',
    place: '/annotations/2/segmentation/0',
    plant: annotation((a) => (a['segmentation'] = [[10, 10, 90, 10, 90, 30, 10, 30]])),
  },
  'an outline that crosses itself': {
    kind: 'polygon-crossing',
    place: '/annotations/2/segmentation/0',
    plant: annotation((a) => (a['segmentation'] = [[10, 10, 30, 30, 30, 10, 10, 30]])),
  },
  'run lengths that do not add up': {
    kind: 'rle-invalid',
    place: '/annotations/2/segmentation/counts',
    plant: rle([10, 20, 30]),
  },
  'a negative run': { kind: 'rle-invalid', place: '/annotations/2/segmentation/counts', plant: rle([10, -20, 3082]) },
  'a run-length string of garbage': { kind: 'rle-invalid', place: '/annotations/2/segmentation', plant: rle('~~~') },
  'a mask of another size': {
    kind: 'rle-size',
    place: '/annotations/2/segmentation/size',
    plant: rle([10, 20, 3042], [64, 48]),
  },
  'a mask of impossible size': {
    kind: 'rle-size',
    place: '/annotations/2/segmentation/size',
    plant: rle('0', [1e9, 1e9]),
  },
  'a mask without a pixel': { kind: 'mask-empty', place: '/annotations/2/segmentation', plant: rle([48 * 64]) },
  'keypoints in pairs': {
    kind: 'keypoints-invalid',
    place: '/annotations/2/keypoints',
    plant: annotation((a) => (a['keypoints'] = [1, 2, 3, 4])),
  },
  'a missing image': {
    kind: 'image-missing',
    place: '/images/0',
    in: 'images',
    plant: (_, folder) => rmSync(join(folder, first)),
  },
  'an image cut short': {
    kind: 'image-corrupt',
    place: '/images/0',
    in: 'images',
    plant: (_, folder) => truncateSync(join(folder, first), 900),
  },
  'an image that is text': {
    kind: 'image-corrupt',
    place: '/images/0',
    in: 'images',
    plant: (_, folder) => writeFileSync(join(folder, first), 'not a picture'),
  },
  'a flipped bit in a PNG': {
    kind: 'image-corrupt',
    place: '/images/0',
    in: 'images',
    plant: (_, folder) =>
      rewrite(folder, first, (bytes) => {
        bytes[bytes.length >> 1]! ^= 4;
        return bytes;
      }),
  },
  'an image of another size': {
    kind: 'image-size',
    place: '/images/0',
    in: 'images',
    plant: async (_, folder) =>
      writeFileSync(
        join(folder, first),
        await sharp(readFileSync(join(folder, first)))
          .resize(60, 40)
          .png()
          .toBuffer(),
      ),
  },
  'an animation': {
    kind: 'image-pages',
    place: '/images/0',
    in: 'images',
    plant: async (_, folder) => {
      const { width, height } = await sharp(readFileSync(join(folder, first))).metadata();
      const frames = Buffer.alloc(2 * 3 * width * height);
      frames.fill(200, frames.length / 2);
      const stacked = { width, height: 2 * height, channels: 3, pageHeight: height } as const;
      writeFileSync(join(folder, first), await sharp(frames, { raw: stacked }).gif().toBuffer());
    },
  },
  'a turned photograph': {
    kind: 'image-rotated',
    place: '/images/0',
    in: 'images',
    plant: async (_, folder) =>
      writeFileSync(
        join(folder, first),
        await sharp(readFileSync(join(folder, first)))
          .withMetadata({ orientation: 6 })
          .png()
          .toBuffer(),
      ),
  },
  'a name with dots': {
    kind: 'path-refused',
    place: '/images/1/file_name',
    plant: ({ images }) => (images[1]!['file_name'] = '../val/000005.png'),
  },
  'a link out of the folder': {
    kind: 'path-refused',
    place: '/images/0',
    in: 'images',
    plant: (_, folder) => {
      rmSync(join(folder, first));
      symlinkSync(join(folder, 'val', '000005.png'), join(folder, first));
    },
  },
  'two records of one file': {
    kind: 'duplicate-file',
    place: '/images/1/file_name',
    plant: ({ images }) => (images[1]!['file_name'] = '000000.png'),
  },
  'one picture twice': {
    kind: 'duplicate-image',
    place: /^\/images\/[01]$/,
    in: 'images',
    plant: (_, folder) => cpSync(join(folder, first), join(folder, 'train/000001.png')),
  },
  'an image without objects': {
    kind: 'image-empty',
    place: '/images/0',
    plant: (json) => (json.annotations = json.annotations.filter((a) => a['image_id'] !== 1)),
  },
  'a crowd': { kind: 'crowd', place: '/annotations/2', plant: annotation((a) => (a['iscrowd'] = 1)) },
};

/** Kinds that a planted fault brings along because they are true of it as well. */
const COMPANIONS: Partial<Record<ProblemKind, readonly ProblemKind[]>> = {
  'box-tiny': ['box-mask-disagree'],
  'box-overhangs': ['box-mask-disagree'],
  'box-corners': ['box-overhangs', 'box-mask-disagree', 'box-degenerate'],
  'box-mask-disagree': [],
  'polygon-outside': ['box-mask-disagree', 'area-wrong'],
  'polygon-crossing': ['box-mask-disagree', 'area-wrong'],
  'field-missing': ['unknown-image'],
  'field-type': ['unknown-image'],
  'image-size': [],
  'image-empty': ['category-unused'],
  'path-refused': ['unknown-image'],
  'duplicate-file': ['duplicate-image'],
  'duplicate-category-name': ['category-unused', 'category-differs'],
  'duplicate-category-id': ['category-unused'],
  'duplicate-image-id': ['duplicate-file', 'unknown-image'],
};

async function planted({ plant }: Fault): Promise<string> {
  const folder = join(root, `faulty-${Math.floor(performance.now() * 1000)}`);
  cpSync(clean, folder, { recursive: true });
  const file = join(folder, 'annotations/instances_train.json');
  const json = JSON.parse(readFileSync(file, 'utf8')) as CocoJSON;
  await plant(json, folder);
  writeFileSync(file, JSON.stringify(json));
  return folder;
}

test('a clean dataset gets a clean bill', async () => {
  const { report } = await inspectDataset(clean);
  expect(report.problems).toEqual([]);
  expect(report.splits.map(({ split, images }) => [split, images])).toEqual([
    ['train', 5],
    ['val', 3],
  ]);
});

describe(`${Object.keys(faults).length} planted faults`, () => {
  test.each(Object.entries(faults).map(([name, fault]) => ({ name, fault })))('$name', async ({ fault }) => {
    const folder = await planted(fault);
    const { report } = await inspectDataset(folder);
    const found = report.problems.find(({ kind }) => kind === fault.kind);
    expect(report.problems.map(({ kind }) => kind)).toContain(fault.kind);
    expect(found!.examples.map(({ place }) => place)).toContainEqual(
      typeof fault.place === 'string' ? fault.place : expect.stringMatching(fault.place),
    );
    const source = join(folder, fault.in === 'images' ? 'train' : 'annotations/instances_train.json');
    expect(found!.examples[0]!.source).toBe(source);
    const others = report.problems.map(({ kind }) => kind).filter((kind) => kind !== fault.kind);
    expect(others.filter((kind) => !COMPANIONS[fault.kind]?.includes(kind))).toEqual([]);

    // The repaired copy has no errors left, and the original is as it was.
    const before = readFileSync(join(folder, 'annotations/instances_train.json'));
    const copy = `${folder}-fixed`;
    const inspection = await inspectDataset(folder);
    const { repairs } = await repairDataset(inspection, copy);
    const after = await inspectDataset(copy);
    expect(after.report.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    if (found!.severity === 'error') expect(repairs.length).toBeGreaterThan(0);
    expect(readFileSync(join(folder, 'annotations/instances_train.json'))).toEqual(before);
  });
});

test('the same picture in two splits is told', async () => {
  const folder = await planted({
    kind: 'crowd',
    place: '',
    plant: (_, at) => cpSync(join(at, first), join(at, 'val/000006.png')),
  });
  const { report } = await inspectDataset(folder);
  expect(report.problems.map(({ kind, examples }) => [kind, examples[0]!.place])).toContainEqual([
    'duplicate-across-splits',
    '/images/1',
  ]);
});

test('a broken annotation file is one problem; the other split is still examined', async () => {
  const folder = await planted({ kind: 'crowd', place: '', plant: () => undefined });
  truncateSync(join(folder, 'annotations/instances_train.json'), 700);
  const { report } = await inspectDataset(folder);
  expect(report.problems.map(({ kind }) => kind)).toEqual(['file-malformed']);
  expect(report.splits.map(({ split }) => split)).toEqual(['val']);
});

test('a repair never writes into a folder that has something in it', async () => {
  await expect(repairDataset(await inspectDataset(clean), clean)).rejects.toMatchObject({ code: 'FILE_EXISTS' });
});
