// Pascal VOC as tools other than the benchmark's leave it, and XML that is not of VOC.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findSources, inspectDataset, openDataset } from '../src/node/index.ts';
import { type Files, putFiles, temporaryFolder } from './folders.ts';
import { png } from './plain-picture.ts';

const root = temporaryFolder();

const put = (folder: string, files: Files): string => putFiles(join(root, folder), files);

const XML =
  '<annotation><object><name>red</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox></object></annotation>';
/** What GDAL, and with it QGIS, writes beside a picture that it was shown. */
const GDAL = '<PAMDataset>\n  <PAMRasterBand band="1"/>\n</PAMDataset>\n';

const coco = JSON.stringify({
  images: [{ id: 1, file_name: 'a.png', width: 20, height: 12 }],
  annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [2, 3, 6, 6], area: 36, iscrowd: 0 }],
  categories: [{ id: 1, name: 'red' }],
});

/** Files of all pictures, and how many objects they have. */
async function found(path: string): Promise<readonly string[]> {
  const dataset = await openDataset(path);
  for (const image of dataset.images) await dataset.store.load(image);
  return dataset.images.map(({ file }, i) => `${file} ${dataset.annotations(i).length}`);
}

describe('XML of other programs', () => {
  test.each<[string, Readonly<Record<string, string | Uint8Array>>]>([
    ['coco', { 'annotations/instances_train.json': coco, 'train/a.png': png, 'train/a.png.aux.xml': GDAL }],
    [
      'yolo',
      {
        'data.yaml': 'train: images/train\nnames: [red]\n',
        'images/train/a.png': png,
        'images/train/a.png.aux.xml': GDAL,
        'labels/train/a.txt': '0 0.25 0.5 0.3 0.5\n',
      },
    ],
    ['coco', { 'annotations.json': coco, 'a.png': png, 'metadata.xml': '<?xml version="1.0"?><MD_Metadata/>' }],
  ])('leaves a dataset what it is: %s', async (format, files) => {
    const path = put(`others/${Object.keys(files)[0]}`, files);
    expect((await findSources(path)).map((source) => source.format)).toEqual([format]);
    expect(await found(path)).toEqual(['a.png 1']);
  });

  test('beside that of VOC is passed by with a note', async () => {
    const path = put('mixed', { 'a.png': png, 'a.png.aux.xml': GDAL, 'a.xml': XML });
    expect(await found(path)).toEqual(['a.png 1']);
    const { report } = await inspectDataset(path);
    expect(report.problems.filter(({ kind }) => kind.startsWith('file'))).toMatchObject([
      {
        kind: 'file-foreign',
        severity: 'note',
        title: 'a file of another program is passed by',
        count: 1,
        examples: [{ place: 'mixed/a.png.aux.xml', found: '<PAMDataset>' }],
      },
    ]);
  });

  test('that is called like a picture is a fault of that picture', async () => {
    const path = put('alike', { 'a.png': png, 'a.xml': XML, 'b.png': png, 'b.xml': GDAL });
    await expect(openDataset(path)).rejects.toMatchObject({ code: 'DATASET_INVALID', place: 'alike/b.xml' });
  });

  test('that begins with words on VOC is none of VOC', async () => {
    const path = put('words', { 'a.png': png, 'a.xml': '<!-- an <annotation> --><annotations></annotations>' });
    await expect(openDataset(path)).rejects.toMatchObject({ code: 'DATASET_INVALID', found: 'XML of CVAT' });
  });
});

describe('lists', () => {
  const list = (lines: string, ...stems: readonly string[]): string => {
    const files = stems.flatMap((stem) => [
      [`Annotations/${stem}.xml`, XML] as const,
      [`JPEGImages/${stem}.png`, png] as const,
    ]);
    return put(`lists/${lines}`.replaceAll(/[^\w]/g, '-'), {
      ...Object.fromEntries(files),
      'ImageSets/Main/train.txt': lines,
    });
  };

  test.each<[string, readonly string[], readonly string[]]>([
    ['my pic 1', ['my pic 1'], ['my pic 1.png 1']],
    ['"my pic 1"', ['my pic 1'], ['my pic 1.png 1']],
    ['"my pic 1" -1', ['my pic 1'], ['my pic 1.png 1']],
    ['my pic 1  1\r\nmy pic  0\r\n', ['my pic 1', 'my pic'], ['my pic 1.png 1', 'my pic.png 1']],
    ['one  1\ntwo -1\n\n', ['one', 'two'], ['one.png 1', 'two.png 1']],
    ['JPEGImages/my pic 1.png', ['my pic 1'], ['my pic 1.png 1']],
    ['one of many', ['one'], ['one.png 1']],
  ])('%j', async (lines, stems, expected) => {
    expect(await found(list(lines, ...stems))).toEqual(expected);
  });

  test('a name that no file has is told as it stands', async () => {
    const path = list('"my lost pic"  1\none\n', 'one');
    await expect(openDataset(path)).rejects.toMatchObject({
      code: 'FILE_MISSING',
      place: 'Annotations/my lost pic.xml',
    });
  });
});

describe('folders of pictures', () => {
  test.each(['images', 'JPEGImages', 'img', 'imgs', 'data'])('%s', async (name) => {
    const beside = put(`beside/${name}`, { 'Annotations/a.xml': XML, [`${name}/a.png`]: png });
    expect(await found(beside)).toEqual(['a.png 1']);
    const fiftyOne = put(`fifty-one/${name}`, { 'labels/a.xml': XML, [`${name}/a.png`]: png });
    expect(await found(fiftyOne)).toEqual(['a.png 1']);
  });

  test('the benchmark’s own comes first', async () => {
    const path = put('own', { 'Annotations/a.xml': XML, 'JPEGImages/a.png': png, 'images/b.png': png });
    expect(await found(path)).toEqual(['a.png 1']);
  });
});
