import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRcnnError } from '@rcnn/core/errors';
import { HOSTILE_NAMES } from '@rcnn/shared/hostile-names';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { convertDataset, inspectDataset, repairDataset, writeShapes } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
let picture: Uint8Array;
beforeAll(async () => {
  picture = await sharp({ create: { width: 8, height: 6, channels: 3, background: '#369' } })
    .png()
    .toBuffer();
});

/** Every name below a folder, links not followed. */
function below(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).sort();
}

/** A dataset whose files and names come from somebody else. */
interface Hostile {
  readonly name: string;
  readonly plant: (folder: string) => void;
}

const coco = (files: readonly string[]): string =>
  JSON.stringify({
    images: files.map((file_name, i) => ({ id: i + 1, file_name, width: 8, height: 6 })),
    annotations: files.map((_, i) => ({
      id: i + 1,
      image_id: i + 1,
      category_id: 1,
      bbox: [1, 1, 4, 3],
      area: 12,
      segmentation: [[1, 1, 5, 1, 5, 4, 1, 4]],
    })),
    categories: [{ id: 1, name: '../thing' }],
  });
const put = (folder: string, file: string, content: string | Uint8Array): void => {
  mkdirSync(join(folder, file, '..'), { recursive: true });
  writeFileSync(join(folder, file), content);
};
const xml = (file: string): string =>
  `<annotation><filename>${file}</filename><size><width>8</width><height>6</height></size><object><name>dog</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object></annotation>`;

const hostile: readonly Hostile[] = [
  {
    name: 'a split of COCO called ..',
    plant: (folder) => {
      put(folder, 'annotations/instances_...json', coco(['secret.png']));
      put(folder, '../secret.png', picture);
    },
  },
  {
    name: 'a split of VOC called ..',
    plant: (folder) => {
      put(folder, 'ImageSets/Main/...txt', '.bashrc\n');
      put(folder, 'Annotations/.bashrc.xml', xml('.bashrc'));
      put(folder, 'JPEGImages/.bashrc', picture);
    },
  },
  {
    name: 'a split of one dot',
    plant: (folder) => {
      put(folder, 'annotations/instances_..json', coco(['p.png']));
      put(folder, 'p.png', picture);
    },
  },
  {
    name: 'file names that lead out',
    plant: (folder) => {
      put(folder, 'annotations/instances_train.json', coco(HOSTILE_NAMES));
      put(folder, '../evil.png', picture);
      put(folder, 'train/a.png', picture);
    },
  },
  {
    name: 'names that differ in case, in a folder that is also a file',
    plant: (folder) => {
      const files = ['x.png', 'X.PNG', 'sub/x.png', 'sub/X.png', 'line\nbreak.png', 'con.png'];
      put(folder, 'annotations/instances_train.json', coco(files));
      for (const file of files) put(folder, `train/${file}`, picture);
    },
  },
  {
    name: 'a VIA project whose files lead out',
    plant: (folder) => {
      const region = {
        shape_attributes: { name: 'rect', x: 1, y: 1, width: 3, height: 3 },
        region_attributes: { kind: '..' },
      };
      const project = { a: { filename: '../evil.png', size: 1, regions: [region] } };
      put(folder, 'train/via_region_data.json', JSON.stringify(project));
      put(folder, 'evil.png', picture);
    },
  },
];

const writers: Readonly<Record<string, (data: string, out: string) => Promise<unknown>>> = {
  'convert, copying': (data, out) => convertDataset(data, out, { policy: 'drop' }),
  'convert, linking': (data, out) => convertDataset(data, out, { policy: 'drop', imageFiles: 'link' }),
  'convert, no images': (data, out) => convertDataset(data, out, { policy: 'drop', imageFiles: 'none' }),
  'the doctor': async (data, out) => repairDataset(await inspectDataset(data), out),
};

describe.each(Object.entries(writers))('%s writes inside its folder only', (writer, write) => {
  test.each(hostile)('$name', async ({ name, plant }) => {
    const place = join(root, `${writer} ${name}`.replaceAll(/\W+/g, '-'));
    plant(join(place, 'box', 'data'));
    const before = below(place);
    const ended = await write(join(place, 'box', 'data'), join(place, 'home', 'out')).then(
      () => 'written',
      (error: unknown) => error,
    );
    if (ended !== 'written') expect(isRcnnError(ended) ? ended.code : ended).toMatch(/^[A-Z_]+$/);
    expect(below(place).filter((path) => !/^home(?:\/out(?:\/.*)?)?$/s.test(path))).toEqual(before);
  });
});

test('pictures whose names differ in case are all in the copy', async () => {
  const place = join(root, 'case');
  hostile.find(({ name }) => name.includes('case'))!.plant(place);
  const out = join(root, 'case-out');
  await convertDataset(place, out);
  const written = JSON.parse(readFileSync(join(out, 'annotations/instances_train.json'), 'utf8')) as {
    images: { file_name: string }[];
  };
  const files = written.images.map(({ file_name }) => file_name);
  expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(6);
  for (const file of files) expect(existsSync(join(out, 'train', file))).toBe(true);
  await expect(convertDataset(place, out)).rejects.toMatchObject({ code: 'FILE_EXISTS' });
});

test('the generated dataset keeps to its folder as well', async () => {
  const place = join(root, 'generated');
  await writeShapes(join(place, 'out'), { splits: { '../up': 1 }, size: [16, 16], objects: [1, 1] });
  expect(readdirSync(place)).toEqual(['out']);
});
