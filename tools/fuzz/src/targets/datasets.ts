import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '@rcnn/core/random';
import { objectsOf, parseLabelme } from '../../../../packages/coco-data/src/formats/labelme/parse-labelme.ts';
import { shapesAnnotations } from '../../../../packages/coco-data/src/formats/shapes/dataset.ts';
import { parseYoloLabels } from '../../../../packages/coco-data/src/formats/yolo/parse-yolo.ts';
import {
  type AnnotationSet,
  ClassMap,
  checkMasks,
  checkRecords,
  cocoOf,
  listedDetections,
  Problems,
  parseVia,
  parseVocXml,
  readCoco,
} from '../../../../packages/coco-data/src/index.ts';
import { readManifest, yoloReader } from '../../../../packages/coco-data/src/node/index.ts';
import { changedValue } from '../mutate.ts';
import { bytesOf, type Target, textOf } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'rcnn-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** What was accepted must stand up to being looked at, drawn and written. */
function use(set: AnnotationSet, problems: Problems): void {
  const checked = checkRecords(set, problems);
  for (const image of checked.images) {
    const [height, width] = image.size;
    // A digit more makes a picture huge, not wrong.
    if (height * width < 1e6) checkMasks('fuzz', image, checked.byImage.get(image.id) ?? [], problems);
  }
  JSON.stringify(cocoOf(checked));
}

const coco = cocoOf(shapesAnnotations(2, { size: [16, 20], objects: [1, 3], radius: [0.2, 0.4] }, 'fuzz'));
const oneImage = {
  info: { a: 1 },
  images: [{ id: 1, file_name: 'a.png', width: 20, height: 16 }],
  annotations: [
    {
      id: 1,
      image_id: 1,
      category_id: 1,
      bbox: [1, 2, 3, 4],
      area: 9.5,
      iscrowd: 0,
      segmentation: [[1, 2, 4, 2, 4, 6]],
    },
    {
      id: 2,
      image_id: 1,
      category_id: 1,
      bbox: [0, 0, 20, 16],
      iscrowd: 1,
      segmentation: { size: [16, 20], counts: [10, 5, 305] },
    },
  ],
  categories: [{ id: 1, name: 'x', supercategory: 'y', keypoints: ['a'], skeleton: [] }],
};

const region = (shape: object): object => ({ shape_attributes: shape, region_attributes: { kind: 'x' } });
const via2 = {
  'a.png100': {
    filename: 'a.png',
    size: 100,
    file_attributes: {},
    regions: [
      region({ name: 'polygon', all_points_x: [1, 8, 8], all_points_y: [1, 1, 8] }),
      region({ name: 'rect', x: 1, y: 1, width: 3, height: 3 }),
      region({ name: 'ellipse', cx: 5, cy: 5, rx: 3, ry: 2, theta: 0.5 }),
      region({ name: 'circle', cx: 5, cy: 5, r: 3 }),
    ],
  },
};
const via3 = {
  project: { pid: '__VIA_PROJECT_ID__', vid_list: ['1'] },
  attribute: { '1': { aname: 'kind', type: 4, options: { '0': 'x' } } },
  file: { '1': { fid: '1', fname: 'a.png', type: 2 } },
  view: { '1': { fid_list: ['1'] } },
  metadata: { '1_a': { vid: '1', z: [], xy: [2, 1, 1, 3, 3], av: { '1': '0' } } },
};

const labelme = {
  version: '5.0',
  imagePath: 'a.png',
  imageHeight: 16,
  imageWidth: 20,
  shapes: [
    {
      label: 'x',
      points: [
        [1, 1],
        [8, 1],
        [8, 8],
      ],
      shape_type: 'polygon',
      group_id: 1,
    },
    {
      label: 'y',
      points: [
        [5, 5],
        [8, 8],
      ],
      shape_type: 'circle',
      group_id: null,
    },
    {
      label: 'y',
      points: [
        [5, 5],
        [8, 8],
      ],
      shape_type: 'rectangle',
    },
  ],
};

const results = [
  { image_id: 1, category_id: 1, bbox: [1, 2, 3, 4], score: 0.5, segmentation: { size: [16, 20], counts: 'Q14d01' } },
  { image_id: 'b', category_id: 1, bbox: [1, 2, 3, 4], score: 0.1 },
];

const XML = `<?xml version="1.0"?><annotation><folder>f</folder><filename>a.png</filename><size><width>20</width><height>16</height><depth>3</depth></size><segmented>1</segmented><object><name>dog</name><difficult>0</difficult><truncated>1</truncated><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>6</ymax></bndbox><polygon><x1>1</x1><y1>2</y1><x2>5</x2><y2>2</y2><x3>5</x3><y3>6</y3></polygon></object></annotation>`;
const TAGS = [
  'annotation',
  'object',
  'size',
  'bndbox',
  'polygon',
  'name',
  'xmin',
  'width',
  'part',
  'x1',
  'pt',
  'filename',
];

/** Elements in elements, with what XML has besides: entities, comments, CDATA, processing instructions. */
function xml(random: Random, depth = 0): string {
  const tag = random.pick(TAGS);
  const inside = Array.from({ length: depth > 5 ? 0 : random.integer(5) }, () => xml(random, depth + 1)).join('');
  const text = random.pick([
    '',
    '5',
    '-3.5',
    'NaN',
    '&lt;',
    '&#27;',
    '&x;',
    '<!-- c -->',
    '<![CDATA[<a>]]>',
    '<?pi?>',
    ' ',
  ]);
  return depth === 0 ? `<annotation>${text}${inside}</annotation>` : `<${tag}>${text}${inside}</${tag}>`;
}

const YOLO = '0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.9 0.1 0.9 0.9\n\n2 0 0 1 1\n';
const YAML = 'path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: "dog"\n';

const json = (
  name: string,
  share: number,
  values: readonly unknown[],
  read: (value: unknown) => unknown,
  words: readonly string[] = [],
): Target => ({
  name,
  share,
  seeds: values.map(bytesOf),
  words,
  invent: (random) => bytesOf(changedValue(random.pick(values), random)),
  read(bytes) {
    const value = parsed(bytes);
    return value === undefined ? undefined : read(value);
  },
});

/** These readers get parsed JSON; what is none is not theirs. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

const sizeOf = (): Promise<[number, number]> => Promise.resolve([16, 20]);

/** The same bytes in pieces, as a file gives them. */
function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 97) yield bytes.subarray(at, at + 97);
}

export const datasets: readonly Target[] = [
  {
    name: 'coco',
    share: 4,
    seeds: [bytesOf(coco), bytesOf(oneImage)],
    words: ['"segmentation":', '"counts":', '"bbox":[', '"iscrowd":1', '"images":[', '"annotations":['],
    invent: (random) => bytesOf(changedValue(oneImage, random)),
    async read(bytes) {
      const problems = new Problems();
      use(await readCoco(inPieces(bytes), 'fuzz', problems), problems);
    },
  },
  json('via', 5, [via2, via3], async (value) => {
    const problems = new Problems();
    use(await parseVia(value, 'fuzz', problems, { sizeOf }), problems);
  }),
  json('labelme', 20, [labelme], (value) => {
    const problems = new Problems();
    const file = parseLabelme(value, 'fuzz', 'fuzz', problems);
    return file === undefined ? undefined : objectsOf(file, [16, 20]);
  }),
  json('results', 20, [results], (value) =>
    listedDetections(value, ClassMap.contiguous([{ id: 1, name: 'x' }]), 'fuzz'),
  ),
  {
    name: 'voc',
    share: 8,
    seeds: [bytesOf(XML)],
    words: ['<object>', '</object>', '<bndbox>', '<!DOCTYPE a [<!ENTITY x "y">]>', '&x;', '<![CDATA[', ']]>', '<!--'],
    invent: (random) => bytesOf(xml(random)),
    read: (bytes) => parseVocXml(textOf(bytes), 'fuzz'),
  },
  {
    name: 'yolo',
    share: 20,
    seeds: [bytesOf(YOLO)],
    words: ['0.5 ', '1 ', '\r\n', '\t'],
    read: (bytes) => parseYoloLabels(textOf(bytes), [16, 20], 'fuzz', 'fuzz', new Problems()),
  },
  {
    name: 'yolo-yaml',
    share: 1,
    seeds: [bytesOf(YAML)],
    words: ['names:', '- ', '&a ', '*a', '!!binary ', '<<: ', '? ', '|', '>-', '---', '...', '#'],
    async read(bytes) {
      mkdirSync(join(folder, 'yolo/images/train'), { recursive: true });
      writeFileSync(join(folder, 'yolo/data.yaml'), bytes);
      for (const source of await yoloReader.find(join(folder, 'yolo'), { format: 'yolo' }))
        await yoloReader.read(source, new Problems(), {});
    },
  },
  {
    name: 'manifest',
    share: 4,
    seeds: [bytesOf(`${'a'.repeat(64)}  x/y.png\n\\${'b'.repeat(64)}  back\\\\slash\\nline\n`)],
    read(bytes) {
      writeFileSync(join(folder, 'manifest'), bytes);
      return readManifest(join(folder, 'manifest'));
    },
  },
];
