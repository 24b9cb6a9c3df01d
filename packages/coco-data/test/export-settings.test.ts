// Whatever a copy is annotated as, the settings that say what is copied mean the same.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { convertDataset, exportDataset, type OpenOptions } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';
import { png } from './plain-picture.ts';

const root = temporaryFolder();
const data = join(root, 'data');

/** A split with a picture that has an object and one that has none. */
function putSplit(split: string): void {
  const images = ['full.png', 'empty.png'].map((file_name, i) => ({ id: i + 1, file_name, width: 20, height: 12 }));
  const outline = [2, 3, 8, 3, 8, 9, 2, 9];
  const annotations = [
    { id: 1, image_id: 1, category_id: 1, bbox: [2, 3, 6, 6], area: 36, iscrowd: 0, segmentation: [outline] },
  ];
  const text = JSON.stringify({ images, annotations, categories: [{ id: 1, name: 'red' }] });
  for (const [file, content] of [
    [`annotations/instances_${split}.json`, text],
    [`${split}/full.png`, png],
    [`${split}/empty.png`, png],
  ] as const) {
    mkdirSync(dirname(join(data, file)), { recursive: true });
    writeFileSync(join(data, file), content);
  }
}

putSplit('train2017');
putSplit('val2017');

/** Writes a copy, whose splits with their images are what is looked at. */
const write = {
  coco: (out: string, options: OpenOptions) => convertDataset(data, out, options),
  yolo: (out: string, options: OpenOptions) => exportDataset(data, out, 'yolo', options),
  labelme: (out: string, options: OpenOptions) => exportDataset(data, out, 'labelme', options),
};

describe.each(['coco', 'yolo', 'labelme'] as const)('to %s', (to) => {
  test('a split is found without its year', async () => {
    const done = await write[to](join(root, to, 'split'), { split: 'train' });
    expect(done.map(({ split, images }) => `${split}: ${images}`)).toEqual(['train2017: 2']);
  });

  test('images without objects are left out where that is asked for', async () => {
    const out = join(root, to, 'full');
    const done = await write[to](out, { split: 'val2017', keepEmpty: false });
    expect(done.map(({ split, images, objects }) => `${split}: ${images} ${objects}`)).toEqual(['val2017: 1 1']);
    const written = readdirSync(out, { recursive: true }).map(String);
    expect(written.filter((name) => name.endsWith('.png'))).toHaveLength(1);
  });

  test('a split that is not there is answered with those that are', async () => {
    await expect(write[to](join(root, to, 'none'), { split: 'test' })).rejects.toMatchObject({
      code: 'FILE_MISSING',
      message: `${data}: there is no split 'test'; expected train2017, val2017. Name one that there is (--split val2017).`,
    });
  });

  test('a folder of images that is not there is told once', async () => {
    const images = join(root, 'nowhere');
    await expect(write[to](join(root, to, 'images'), { images })).rejects.toMatchObject({
      code: 'FILE_MISSING',
      message: `${images}: there is no such folder of images. Name the folder that the file names of the annotations begin from (--images).`,
    });
  });
});
