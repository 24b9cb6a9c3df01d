import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../src/index.ts';
import {
  cocoReader,
  exportDataset,
  labelmeReader,
  openDataset,
  READERS,
  viaReader,
  vocReader,
  writeShapes,
  yoloReader,
} from '../src/node/index.ts';
import { describeReader } from '../src/node/testing/index.ts';
import { csvReader } from './csv-reader.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
const at = (name: string) => (): string => join(root, name);

beforeAll(async () => {
  await writeShapes(join(root, 'coco'), { splits: { train: 3, val: 2 }, size: [48, 64], seed: 7 });
  await exportDataset(join(root, 'coco'), join(root, 'yolo'), 'yolo');
  await exportDataset(join(root, 'coco'), join(root, 'labelme'), 'labelme');
  const png = await sharp({ create: { width: 20, height: 12, channels: 3, background: '#963' } })
    .png()
    .toBuffer();
  const put = (folder: string, file: string, text: string): void => {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, file), text);
    writeFileSync(join(root, folder, 'a.png'), png);
  };
  put('csv', 'boxes.csv', 'a.png,red,2,3,8,9\na.png,blue,1,1,5,5\n');
  const region = {
    shape_attributes: { name: 'rect', x: 2, y: 3, width: 6, height: 6 },
    region_attributes: { c: 'red' },
  };
  put('via', 'via_project.json', JSON.stringify({ k: { filename: 'a.png', regions: [region] } }));
  const box = '<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>';
  put('voc', 'a.xml', `<annotation><filename>a.png</filename><object><name>red</name>${box}</object></annotation>`);
});

describeReader('COCO', cocoReader, { path: at('coco'), other: at('voc') }, { describe, test });
describeReader('VIA', viaReader, { path: at('via'), other: at('coco') }, { describe, test });
describeReader('VOC', vocReader, { path: at('voc'), other: at('coco') }, { describe, test });
describeReader('YOLO', yoloReader, { path: at('yolo'), other: at('coco') }, { describe, test });
describeReader('labelme', labelmeReader, { path: at('labelme'), other: at('coco') }, { describe, test });
describeReader('CSV of the docs', csvReader, { path: at('csv/boxes.csv'), other: at('coco') }, { describe, test });

test('docs/add-a-reader.md shows the reader that was run here', () => {
  const page = readFileSync(new URL('../../../docs/add-a-reader.md', import.meta.url), 'utf8');
  const shown = /```ts\n([\s\S]*?)```/.exec(page)?.[1];
  const run = readFileSync(new URL('csv-reader.ts', import.meta.url), 'utf8');
  expect(shown).toBe(run.replaceAll('../src/node/index.ts', '@rcnn/coco-data/node'));
});

/** Name and run lengths of every object. */
function objects(dataset: Dataset): string[] {
  return [...dataset.images.keys()].flatMap((i) => {
    const { target } = dataset.sample(i);
    return [...target.labels].map(
      (label, k) => `${i} ${dataset.classes.nameOf(label)} ${target.masks![k]!.runLengths().counts.join(' ')}`,
    );
  });
}

test.each(['yolo', 'labelme'] as const)('written as %s and read again, every mask is the same', async (format) => {
  for (const split of ['train', 'val']) {
    const [before, after] = [
      await openDataset(join(root, 'coco'), { split }),
      await openDataset(join(root, format), { split }),
    ];
    expect(after.problems.count('error')).toBe(0);
    expect(objects(after).toSorted()).toEqual(objects(before).toSorted());
  }
  await expect(exportDataset(join(root, 'coco'), join(root, format), format)).rejects.toMatchObject({
    code: 'FILE_EXISTS',
  });
});

test('every reader in the list has a name of its own', () => {
  expect(new Set(READERS.map(({ format }) => format)).size).toBe(READERS.length);
});
