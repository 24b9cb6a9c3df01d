// YOLO's splits and labels by folder: whose pictures are whose, and labels that no picture has.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectDataset, type OpenOptions, openDataset, selectSources } from '../src/node/index.ts';
import { type Files, putFiles, temporaryFolder } from './folders.ts';
import { png } from './plain-picture.ts';

const root = temporaryFolder();
const LABEL = '0 0.25 0.5 0.3 0.5\n';

const put = (folder: string, files: Files): string => putFiles(join(root, folder), files);

/** The pictures of each split with their objects. */
async function splits(path: string, options: OpenOptions = {}): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const { split } of await selectSources(path, options)) {
    const dataset = await openDataset(path, { ...options, split });
    const pictures = dataset.images.map(({ file }, i) => `${file} ${dataset.annotations(i).length}`);
    lines.push(`${split}: ${pictures.join(', ')}`);
  }
  return lines;
}

/** Kind, place and words of every problem that is more than a note. */
async function problems(path: string, options: OpenOptions = {}): Promise<readonly string[]> {
  const { report } = await inspectDataset(path, options);
  return report.problems
    .filter(
      ({ severity, kind }) => severity !== 'note' && kind !== 'duplicate-image' && kind !== 'duplicate-across-splits',
    )
    .flatMap(({ kind, examples }) => examples.map(({ place, found }) => `${kind} ${place}: ${found}`));
}

describe('the folder of images that a person names', () => {
  const files = {
    'images/train/a.png': png,
    'labels/train/a.txt': LABEL,
    'images/val/b.png': png,
    'labels/val/b.txt': LABEL,
  };
  const byKind = {
    'data.yaml': { ...files, 'data.yaml': 'train: images/train\nval: images/val\nnames: [red]\n' },
    'data.yaml with a path': { ...files, 'data.yaml': 'path: ../sets/x\ntrain: images/train\nval: images/val\nnames: [red]\n' }, // biome-ignore format: short
    'classes.txt': { ...files, 'classes.txt': 'red\n' },
  };

  test.each(Object.entries(byKind))('holds a folder for each split: %s', async (name, tree) => {
    const path = put(`each/${name}`, tree);
    const expected = ['train: a.png 1', 'val: b.png 1'];
    expect(await splits(path, { images: join(path, 'images') })).toEqual(expected);
    expect(await splits(path, { images: path })).toEqual(expected);
    expect(await problems(path, { images: join(path, 'images') })).toEqual([]);
  });

  test.each(Object.entries(byKind))('is never that of two splits: %s', async (name, tree) => {
    const path = put(`two/${name}`, { ...tree, 'pictures/c.png': png, 'pictures/c.txt': LABEL });
    const images = join(path, 'pictures');
    await expect(selectSources(path, { images })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `${join(path, name.split(' ')[0]!)}: all splits would have the same pictures; found no folder for one of them in ${images}, expected train, val. Name the folder that theirs are in (--images), or choose one split (--split train).`,
    });
    expect(await splits(path, { images, split: 'val' })).toEqual(['val: c.png 1']);
    expect(await problems(path, { images, split: 'val' })).toEqual([]);
  });

  test('may be far from the file, and is that of the only split', async () => {
    const path = put('far/set', { 'data.yaml': 'train: /content/x/train/images\nnames: [red]\n' });
    const images = put('far/pictures', { 'a.png': png, 'a.txt': LABEL });
    expect(await splits(path, { images })).toEqual(['train: a.png 1']);
  });

  test('a folder to which the places of two splits lead by their ends is none’s own', async () => {
    const path = put('ends', {
      'set/data.yaml': 'train: train/images\nval: val/images\nnames: [red]\n',
      'all/images/a.png': png,
    });
    const found = selectSources(path, { images: join(path, 'all') });
    await expect(found).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', expected: 'train, val' });
  });

  test('a split that has no folder there is told', async () => {
    const path = put('one there', { ...byKind['data.yaml'], 'moved/train/a.png': png, 'moved/train/a.txt': LABEL });
    const images = join(path, 'moved');
    expect(await splits(path, { images })).toEqual(['train: a.png 1']);
    expect(await problems(path, { images })).toEqual([`split-missing val: 'images/val' is no folder below ${images}`]);
  });
});

describe('labels beside their pictures', () => {
  test('that no picture has are told, with the picture that is called almost like them', async () => {
    const path = put('flat', {
      'classes.txt': 'red\n',
      'a.png': png,
      'a.txt': LABEL,
      'b.png': png,
      'B.txt': LABEL,
      'c.txt': `\n${LABEL}`,
      'd.txt': '',
      'list.txt': 'a.png\nb.png\n',
      'readme.txt': '7 pictures of red things\n',
      'sub/e.png': png,
      'sub/f.txt': LABEL,
    });
    expect(await problems(path)).toEqual([
      `image-missing B.txt: B.txt has no picture in ${path}; 'b.png' differs in capital and small letters`,
      `image-missing c.txt: c.txt has no picture in ${path}`,
      `image-missing sub/f.txt: sub/f.txt has no picture in ${path}`,
    ]);
  });

  test('in folders of splits', async () => {
    const path = put('obj', {
      'obj.names': 'red\n',
      'obj_train_data/a.png': png,
      'obj_train_data/a.txt': LABEL,
      'obj_train_data/b.txt': LABEL,
    });
    expect(await problems(path)).toEqual([
      `image-missing b.txt: b.txt has no picture in ${join(path, 'obj_train_data')}`,
    ]);
  });

  test('are read where images is the name of a folder far above, and told from those of no picture', async () => {
    const path = put('images/mine', { 'classes.txt': 'red\n', 'a.png': png, 'a.txt': LABEL, 'b.txt': LABEL });
    expect(await problems(path)).toEqual([`image-missing b.txt: b.txt has no picture in ${path}`]);
  });

  test('a folder of pictures between images and labels has no labels alone', async () => {
    const path = put('around', {
      'data.yaml': 'train: .\nnames: [red]\n',
      'images/a.png': png,
      'labels/a.txt': LABEL,
      'other/b.png': png,
      'other/b.txt': LABEL,
    });
    expect(await splits(path, { images: path })).toEqual(['train: images/a.png 1, other/b.png 1']);
    expect(await problems(path, { images: path })).toEqual([]);
  });
});

describe('lists of obj.data', () => {
  const names = { 'obj.names': 'red\n', 'obj.data': 'classes = 1\ntrain = data/train.txt\nvalid = data/valid.txt\n' };
  const pictures = (folder: string) => ({
    [`${folder}/a.png`]: png,
    [`${folder}/a.txt`]: LABEL,
    [`${folder}/b.png`]: png,
    [`${folder}/b.txt`]: LABEL,
  });

  test('part the pictures of darknet', async () => {
    const lists = { 'train.txt': 'data/obj/a.png\n', 'valid.txt': 'data/obj/b.png\r\n' };
    const files = Object.entries({ ...names, ...lists, ...pictures('obj') });
    const path = put('darknet', Object.fromEntries(files.map(([name, content]) => [`data/${name}`, content])));
    expect(await splits(path)).toEqual(['train: obj/a.png 1', 'valid: obj/b.png 1']);
  });

  test('of CVAT name the pictures, and one that is gone', async () => {
    const train = 'data/obj_train_data/a.png\ndata/obj_train_data/gone.png\n';
    const path = put('cvat', { ...names, 'train.txt': train, ...pictures('obj_train_data') });
    await expect(openDataset(path)).rejects.toMatchObject({ code: 'IMAGE_MISSING', place: 'data/train.txt:2' });
    expect(await splits(path, { policy: 'drop' })).toEqual(['train: obj_train_data/a.png 1']);
  });

  test.each([
    ['are not there', {}],
    ['are empty', { 'train.txt': '\n' }],
  ])('that %s leave the folders', async (name, lists) => {
    const path = put(`lists ${name}`, { ...names, ...lists, ...pictures('obj_train_data') });
    expect(await splits(path)).toEqual(['train: a.png 1, b.png 1']);
  });

  test('one list for two splits is that of the first', async () => {
    const data = 'train = train.txt\nvalid = train.txt\n';
    const list = 'obj/a.png\nobj/b.png\n';
    const path = put('one list', { 'obj.names': 'red\n', 'obj.data': data, 'train.txt': list, ...pictures('obj') });
    expect(await splits(path)).toEqual(['train: obj/a.png 1, obj/b.png 1']);
  });
});
