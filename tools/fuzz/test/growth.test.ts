import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluate, parseDetections, parseGroundTruth } from '@rcnn/coco-eval';
import { mergeRuns, polygonsFromRuns, runsFromPolygons, runsFromString, runsToString } from '@rcnn/masks';
import { growth } from '@rcnn/shared/growth';
import { parseConfig, readMetrics } from '@rcnn/train';
import { afterAll, expect, test } from 'vitest';
import { checkProfile } from '../../../packages/checkpoint/src/profile.ts';
import { objectsOf, parseLabelme } from '../../../packages/coco-data/src/formats/labelme/parse-labelme.ts';
import { parseYoloLabels } from '../../../packages/coco-data/src/formats/yolo/parse-yolo.ts';
import {
  ClassMap,
  checkMasks,
  checkRecords,
  listedDetections,
  Problems,
  parseVia,
  parseVocXml,
  planBatches,
  readCoco,
} from '../../../packages/coco-data/src/index.ts';
import { readManifest, readYaml } from '../../../packages/coco-data/src/node/index.ts';
import { trainingInfoOf } from '../../../packages/train/src/files/training-info.ts';
import { bytesOf } from '../src/target.ts';

const folder = mkdtempSync(join(tmpdir(), 'rcnn-growth-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Nothing may grow faster: 2 is what a square has, sorting is below 1.1. */
const BOUND = 1.2;

const times = <T>(count: number, item: (i: number) => T): T[] =>
  Array.from({ length: Math.ceil(count) }, (_, i) => item(i));

/** Answers and refusals cost work; either will do. */
async function worked(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if ((error as Error).name !== 'RcnnError') throw error;
  }
}

type Case = readonly [field: string, make: (n: number) => unknown];

function grows(reader: string, cases: readonly Case[], read: (input: never) => unknown): void {
  test.each(cases)(`${reader} grows no faster than %s`, async (_, make) => {
    const exponent = await growth(make, (input) => worked(() => read(input as never)), BOUND);
    expect(exponent).toBeLessThanOrEqual(BOUND);
  });
}

// ---------------------------------------------------------------- COCO

const image = (id: number | string, more: object = {}): object => ({
  id,
  file_name: `${id}.png`,
  width: 200,
  height: 100,
  ...more,
});
const category = (id: number): object => ({ id, name: `class ${id}` });
const object = (id: number, more: object = {}): object => ({
  id,
  image_id: 1,
  category_id: 1,
  bbox: [1, 2, 30, 40],
  area: 1200,
  iscrowd: 0,
  segmentation: [[1, 2, 31, 2, 31, 42, 1, 42]],
  ...more,
});
const zigzag = (points: number): number[] => times(points, (i) => [(i * 7) % 200, (i * 13) % 100]).flat();
const stripes = (count: number): string =>
  runsToString({ size: [count, 2], counts: Uint32Array.from({ length: count * 2 }, () => 1) });

const coco = (more: object): Uint8Array =>
  bytesOf({ images: [image(1)], annotations: [object(1)], categories: [category(1)], ...more });

const datasets: readonly Case[] = [
  ['images', (n) => coco({ images: times(3000 * n, (i) => image(i + 1)) })],
  ['images with text ids', (n) => coco({ images: times(3000 * n, (i) => image(`picture ${i}`)) })],
  ['images of one id', (n) => coco({ images: times(3000 * n, () => image(1)) })],
  ['objects', (n) => coco({ annotations: times(1000 * n, (i) => object(i + 1)) })],
  ['objects of one id', (n) => coco({ annotations: times(1000 * n, () => object(1)) })],
  [
    'objects without a mask',
    (n) => coco({ annotations: times(1000 * n, (i) => object(i + 1, { segmentation: undefined })) }),
  ],
  [
    'objects with every fault',
    (n) => coco({ annotations: times(1000 * n, () => ({ id: 'x', bbox: [1], segmentation: 5 })) }),
  ],
  [
    'objects of images that are not there',
    (n) => coco({ annotations: times(1000 * n, (i) => object(i, { image_id: -i })) }),
  ],
  ['categories', (n) => coco({ categories: times(3000 * n, (i) => category(i + 1)) })],
  ['categories of one name', (n) => coco({ categories: times(3000 * n, (i) => ({ id: i + 1, name: 'x' })) })],
  [
    'categories that are used',
    (n) =>
      coco({
        categories: times(1000 * n, (i) => category(i + 1)),
        annotations: times(1000 * n, (i) => object(i + 1, { category_id: i + 1 })),
      }),
  ],
  ['points of a polygon', (n) => coco({ annotations: [object(1, { segmentation: [zigzag(500 * n)] })] })],
  [
    'polygons of an object',
    (n) => coco({ annotations: [object(1, { segmentation: times(100 * n, () => [1, 1, 9, 1, 9, 9]) })] }),
  ],
  [
    'runs of a mask',
    (n) =>
      coco({
        images: [image(1, { width: 2, height: 10_000 * n })],
        annotations: [object(1, { segmentation: { size: [10_000 * n, 2], counts: stripes(10_000 * n) } })],
      }),
  ],
  [
    'runs in a list',
    (n) =>
      coco({
        images: [image(1, { width: 2, height: 10_000 * n })],
        annotations: [object(1, { segmentation: { size: [10_000 * n, 2], counts: times(20_000 * n, () => 1) } })],
      }),
  ],
  [
    'keypoints',
    (n) => coco({ annotations: [object(1, { keypoints: times(30_000 * n, () => 1), num_keypoints: 10_000 * n })] }),
  ],
  [
    'attributes of an object',
    (n) => coco({ annotations: [object(1, { attributes: Object.fromEntries(times(5000 * n, (i) => [`k${i}`, i])) })] }),
  ],
  ['unknown fields of a file', (n) => coco(Object.fromEntries(times(5000 * n, (i) => [`k${i}`, i])))],
  ['a long name', (n) => coco({ images: [image(1, { file_name: 'x'.repeat(300_000 * n) })] })],
  ['a long name with escapes', (n) => coco({ categories: [{ id: 1, name: '\n'.repeat(200_000 * n) }] })],
  [
    'a deep description',
    (n) =>
      bytesOf(
        `{"info":${'['.repeat(50_000 * n)}${']'.repeat(50_000 * n)},"images":[],"annotations":[],"categories":[]}`,
      ),
  ],
  ['spaces', (n) => bytesOf(`{${' '.repeat(1_000_000 * n)}"images":[],"annotations":[],"categories":[]}`)],
  [
    'digits of a number',
    (n) => bytesOf(`{"info":${'1'.repeat(500_000 * n)},"images":[],"annotations":[],"categories":[]}`),
  ],
];

/** Pieces as files give them. */
function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

grows('the reader of COCO', datasets, async (bytes: Uint8Array) => {
  const problems = new Problems();
  const set = checkRecords(await readCoco(inPieces(bytes), 'growth', problems), problems);
  for (const one of set.images) checkMasks('growth', one, set.byImage.get(one.id) ?? [], problems);
});

// ---------------------------------------------------------------- evaluation

const truth = (more: object): Uint8Array => coco({ ...more });
const found = (i: number, more: object = {}): object => ({
  image_id: 1,
  category_id: 1,
  bbox: [1, 2, 30, 40],
  score: 1 / (i + 1),
  ...more,
});
const both = (gt: object, dt: readonly object[]): readonly [Uint8Array, Uint8Array] => [truth(gt), bytesOf(dt)];

grows(
  'evaluation',
  [
    [
      'images',
      (n) =>
        both(
          { images: times(2000 * n, (i) => image(i + 1)) },
          times(2000 * n, (i) => found(i, { image_id: i + 1 })),
        ),
    ],
    [
      'text ids',
      (n) =>
        both(
          { images: times(2000 * n, (i) => image(`p${i}`)), annotations: [] },
          times(2000 * n, (i) => found(i, { image_id: `p${i}` })),
        ),
    ],
    ['categories', (n) => both({ categories: times(3000 * n, (i) => category(i + 1)) }, [found(1)])],
    [
      'categories with objects',
      (n) =>
        both(
          {
            categories: times(200 * n, (i) => category(i + 1)),
            annotations: times(200 * n, (i) => object(i + 1, { category_id: i + 1 })),
          },
          times(200 * n, (i) => found(i, { category_id: i + 1 })),
        ),
    ],
    [
      'images and categories',
      (n) =>
        both(
          {
            images: times(1000 * n, (i) => image(i + 1)),
            categories: times(1000 * n, (i) => category(i + 1)),
            annotations: [object(1)],
          },
          [found(1)],
        ),
    ],
    [
      'detections of one image',
      (n) =>
        both(
          {},
          times(5000 * n, (i) => found(i)),
        ),
    ],
    [
      'runs of a mask',
      (n) =>
        both(
          { annotations: [object(1, { segmentation: { size: [10_000 * n, 2], counts: stripes(10_000 * n) } })] },
          [],
        ),
    ],
    ['points of a polygon', (n) => both({ annotations: [object(1, { segmentation: [zigzag(1000 * n)] })] }, [])],
    ['a long name', (n) => both({ categories: [{ id: 1, name: 'x'.repeat(500_000 * n) }] }, [])],
    ['unknown fields', (n) => both({ info: times(20_000 * n, () => ({ a: [1] })) }, [])],
    [
      'deep unknown fields',
      (n) => [
        bytesOf(
          `{"info":${'['.repeat(50_000 * n)}${']'.repeat(50_000 * n)},"images":[],"annotations":[],"categories":[]}`,
        ),
        bytesOf('[]'),
      ],
    ],
  ],
  ([gt, dt]: readonly [Uint8Array, Uint8Array]) => {
    const read = parseGroundTruth(gt);
    evaluate(read, parseDetections(dt, read), { iouType: 'bbox' });
  },
);

grows('a list of results', [['detections', (n) => times(5000 * n, (i) => found(i))]], (list: object[]) =>
  listedDetections(list, ClassMap.contiguous([{ id: 1, name: 'x' }]), 'growth'),
);

// ---------------------------------------------------------------- the other tools' files

const viaImage = (i: number, regions: readonly object[]): object => ({ filename: `${i}.png`, size: 1, regions });
const region = (name: string, shape: object = { name: 'rect', x: 1, y: 1, width: 9, height: 9 }): object => ({
  shape_attributes: shape,
  region_attributes: { kind: name },
});
const viaOf = (images: readonly object[]): object => Object.fromEntries(images.map((one, i) => [`k${i}`, one]));

grows(
  'the reader of VIA',
  [
    ['images', (n) => viaOf(times(2000 * n, (i) => viaImage(i, [region('x')])))],
    ['images of one name', (n) => viaOf(times(2000 * n, () => viaImage(1, [region('x')])))],
    [
      'classes',
      (n) =>
        viaOf([
          viaImage(
            1,
            times(2000 * n, (i) => region(`class ${i}`)),
          ),
        ]),
    ],
    ['images and classes', (n) => viaOf(times(1000 * n, (i) => viaImage(i, [region(`a${i}`), region(`b${i}`)])))],
    [
      'points',
      (n) =>
        viaOf([
          viaImage(1, [
            region('x', {
              name: 'polygon',
              all_points_x: times(50_000 * n, (i) => i % 90),
              all_points_y: times(50_000 * n, (i) => i % 70),
            }),
          ]),
        ]),
    ],
    [
      'attributes of a region',
      (n) =>
        viaOf([
          viaImage(1, [
            { ...region('x'), region_attributes: Object.fromEntries(times(3000 * n, (i) => [`k${i}`, 'v'])) },
          ]),
        ]),
    ],
    [
      'options of an attribute',
      (n) =>
        viaOf([
          viaImage(1, [
            {
              ...region('x'),
              region_attributes: { kind: Object.fromEntries(times(3000 * n, (i) => [`k${i}`, true])) },
            },
          ]),
        ]),
    ],
    [
      'regions without an area',
      (n) =>
        viaOf([
          viaImage(
            1,
            times(2000 * n, () => region('x', { name: 'point', cx: 1, cy: 1 })),
          ),
        ]),
    ],
  ],
  async (value: object) => {
    const problems = new Problems();
    const options = { sizeOf: () => Promise.resolve([100, 100] as const), className: 'x' };
    checkRecords(await parseVia(value, 'growth', problems, options), problems);
  },
);

grows(
  'the reader of VIA 3',
  [
    [
      'files and regions',
      (n) => ({
        project: { vid_list: times(2000 * n, String) },
        attribute: { 1: { aname: 'kind', type: 4, options: { 0: 'x' } } },
        file: Object.fromEntries(times(2000 * n, (i) => [i, { fid: i, fname: `${i}.png`, type: 2 }])),
        view: Object.fromEntries(times(2000 * n, (i) => [i, { fid_list: [i] }])),
        metadata: Object.fromEntries(
          times(2000 * n, (i) => [`${i}_a`, { vid: String(i), z: [], xy: [2, 1, 1, 3, 3], av: { 1: '0' } }]),
        ),
      }),
    ],
    [
      'attributes and options',
      (n) => ({
        project: { vid_list: ['1'] },
        attribute: Object.fromEntries(times(1000 * n, (i) => [i, { aname: `a${i}`, type: 4, options: { 0: 'x' } }])),
        file: { 1: { fid: 1, fname: 'a.png', type: 2 } },
        view: { 1: { fid_list: [1] } },
        metadata: Object.fromEntries(
          times(1000 * n, (i) => [`1_${i}`, { vid: '1', z: [], xy: [2, 1, 1, 3, 3], av: { [i]: '0' } }]),
        ),
      }),
    ],
  ],
  (value: object) =>
    parseVia(value, 'growth', new Problems(), { sizeOf: () => Promise.resolve([100, 100] as const), className: 'x' }),
);

const vocObject =
  '<object><name>x</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object>';
const voc = (inside: string): string =>
  `<annotation><filename>a.png</filename><size><width>20</width><height>16</height></size>${inside}</annotation>`;
grows(
  'the reader of VOC',
  [
    ['objects', (n) => voc(vocObject.repeat(1000 * n))],
    [
      'parts of an object',
      (n) => voc(`<object><name>x</name>${'<part><name>y</name></part>'.repeat(2000 * n)}</object>`),
    ],
    [
      'points',
      (n) =>
        voc(
          `<object><name>x</name><polygon>${times(2000 * n, (i) => `<x${i + 1}>${i % 20}</x${i + 1}><y${i + 1}>${i % 16}</y${i + 1}>`).join('')}</polygon></object>`,
        ),
    ],
    ['text', (n) => voc('x'.repeat(1_000_000 * n))],
    ['text in pieces', (n) => voc('x<!-- -->&lt;'.repeat(20_000 * n))],
    ['attributes', (n) => voc(`<a ${times(2000 * n, (i) => `k${i}="v"`).join(' ')}/>`)],
    ['one name that comes again', (n) => voc('<name>x</name>'.repeat(3000 * n))],
  ],
  (text: string) => parseVocXml(text, 'growth'),
);

grows(
  'the reader of labelme',
  [
    [
      'shapes',
      (n) =>
        times(3000 * n, () => ({
          label: 'x',
          points: [
            [1, 1],
            [8, 1],
            [8, 8],
          ],
          shape_type: 'polygon',
        })),
    ],
    [
      'shapes of groups',
      (n) =>
        times(2000 * n, (i) => ({
          label: 'x',
          points: [
            [1, 1],
            [8, 1],
            [8, 8],
          ],
          shape_type: 'polygon',
          group_id: i >> 1,
        })),
    ],
    [
      'shapes of one group',
      (n) =>
        times(2000 * n, () => ({
          label: 'x',
          points: [
            [1, 1],
            [8, 1],
            [8, 8],
          ],
          shape_type: 'polygon',
          group_id: 1,
        })),
    ],
    ['points', (n) => [{ label: 'x', points: times(20_000 * n, (i) => [i % 20, i % 16]), shape_type: 'polygon' }]],
  ],
  (shapes: object[]) => {
    const value = { imagePath: 'a.png', imageHeight: 16, imageWidth: 20, shapes };
    const file = parseLabelme(value, 'growth', 'growth', new Problems());
    return file === undefined ? undefined : objectsOf(file, [16, 20]);
  },
);

grows(
  'the reader of YOLO',
  [
    ['lines', (n) => '0 0.5 0.5 0.2 0.2\n'.repeat(5000 * n)],
    ['numbers of a line', (n) => `0 ${'0.5 0.25 '.repeat(20_000 * n)}`],
    ['spaces', (n) => `0 ${' '.repeat(500_000 * n)}1`],
    ['bad lines', (n) => 'x\n'.repeat(10_000 * n)],
  ],
  (text: string) => parseYoloLabels(text, [16, 20], 'growth', 'growth', new Problems()),
);

// ---------------------------------------------------------------- options and run folders

const keys = (n: number): string => times(n, (i) => `key${i}: ${i}`).join('\n');
const yaml: readonly Case[] = [
  ['keys', (n) => keys(2000 * n)],
  ['keys in braces', (n) => `{${times(2000 * n, (i) => `key${i}: ${i}`).join(', ')}}`],
  ['keys of one name', (n) => 'a: 1\n'.repeat(2000 * n)],
  ['items', (n) => `data: [${'1, '.repeat(5000 * n)}1]`],
  ['a long key', (n) => `${'k'.repeat(200_000 * n)}: 1`],
  ['a long text', (n) => `data: "${'x\\n'.repeat(20_000 * n)}"`],
  ['words of two meanings', (n) => times(2000 * n, (i) => `key${i}: yes`).join('\n')],
  ['aliases', (n) => `a: &a 1\nb: [${'*a, '.repeat(2000 * n)}]`],
  ['depth', (n) => '['.repeat(3000 * n)],
];
grows('a file of options', yaml, (text: string) => parseConfig(text, 'growth'));
grows('YAML', yaml, (text: string) => readYaml(text));

const written = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
grows(
  'the metrics of a run',
  [
    [
      'lines',
      (n) =>
        written(`metrics-${n}`, `${JSON.stringify({ kind: 'step', step: 1, epoch: 0, loss: 1 })}\n`.repeat(3000 * n)),
    ],
    [
      'fields',
      (n) =>
        written(
          `fields-${n}`,
          JSON.stringify({
            kind: 'step',
            step: 1,
            epoch: 0,
            ...Object.fromEntries(times(5000 * n, (i) => [`k${i}`, i])),
          }),
        ),
    ],
  ],
  readMetrics,
);
grows(
  'a manifest',
  [['lines', (n) => written(`manifest-${n}`, times(5000 * n, (i) => `${'a'.repeat(64)}  ${i}.png\n`).join(''))]],
  readManifest,
);
grows(
  'the info of a training',
  [
    [
      'counters',
      (n) => ({
        kind: 'training',
        position: { step: 1, epoch: 0, batch: 1, best: null, stale: 0 },
        seed: 1,
        optimizer: { kind: 'sgd', counters: Object.fromEntries(times(3000 * n, (i) => [`k${i}`, 1])) },
        average: null,
      }),
    ],
    ['unknown fields', (n) => ({ kind: 'training', ...Object.fromEntries(times(5000 * n, (i) => [`k${i}`, 1])) })],
  ],
  (info: object) => trainingInfoOf(info, 'growth'),
);
grows(
  'a profile',
  [
    [
      'classes',
      (n) => ({
        source: 'x',
        numClasses: 3000 * n + 1,
        architecture: 'x',
        options: {},
        classes: times(3000 * n, (i) => ({ label: i + 1, categoryId: i + 1, name: `${i}` })),
      }),
    ],
  ],
  (value: object) => checkProfile(value, 'growth', 'profile'),
);

// ---------------------------------------------------------------- masks, classes, order

const mask = (count: number): { size: [number, number]; counts: Uint32Array } => ({
  size: [count, 2],
  counts: Uint32Array.from({ length: count * 2 }, () => 1),
});
grows(
  'run lengths as text',
  [['runs', (n) => [stripes(50_000 * n), 50_000 * n] as const]],
  ([text, rows]: readonly [string, number]) => runsFromString(text, [rows, 2]),
);
grows(
  'filling',
  [
    ['points of a polygon', (n) => [zigzag(300 * n)]],
    ['polygons', (n) => times(200 * n, () => [1, 1, 9, 1, 9, 9])],
  ],
  (polygons: number[][]) => runsFromPolygons(polygons, [100, 200]),
);
grows('outlines', [['runs', (n) => mask(2000 * n)]], (runs: ReturnType<typeof mask>) => polygonsFromRuns(runs));
grows(
  'merging',
  [
    ['masks', (n) => times(200 * n, () => mask(100))],
    ['runs', (n) => times(3, () => mask(20_000 * n))],
  ],
  (masks: ReturnType<typeof mask>[]) => mergeRuns(masks),
);
grows(
  'a class map',
  [['classes', (n) => times(2000 * n, (i) => ({ id: i, name: `${i}` }))]],
  (categories: { id: number; name: string }[]) => ClassMap.contiguous(categories),
);
// Images share their sizes: a shuffled walk over hundreds of thousands of objects measures the caches instead.
const shapes = times(7, (i) => [100 + i, 100] as const);
grows(
  'the order of an epoch',
  [['images', (n) => times(10_000 * n, (i) => shapes[i % 7])]],
  (sizes: (readonly [number, number])[]) =>
    planBatches(sizes, { batchSize: 4, seed: 1, epoch: 0, shuffle: true, dropLast: false, aspectGroups: 3 }),
);
