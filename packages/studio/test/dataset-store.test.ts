import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as checkpoint from '@rcnn/checkpoint/node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DatasetStore } from '../src/dataset/dataset-store.ts';
import { photo } from './support/open-studio.ts';

/** What the name of the next file that cannot be written ends in: the moment in which the studio is killed. */
const crash = vi.hoisted(() => ({ at: undefined as string | undefined }));

vi.mock('@rcnn/checkpoint/node', async (original) => {
  const real = await original<typeof checkpoint>();
  const atomicWrite: typeof real.atomicWrite = async (path, ...rest) => {
    if (crash.at !== undefined && path.endsWith(crash.at)) throw new Error('killed');
    return real.atomicWrite(path, ...rest);
  };
  return { ...real, atomicWrite };
});

const TRAIN = 'annotations/instances_train.json';
const VAL = 'annotations/instances_val.json';
const NOTE = '.studio-change.json';

let folder: string;
const open: DatasetStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dataset-store-'));
});

afterEach(() => {
  crash.at = undefined;
  for (const store of open.splice(0)) store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<DatasetStore> {
  const store = await DatasetStore.open(folder);
  open.push(store);
  return store;
}

async function startAgain(): Promise<DatasetStore> {
  crash.at = undefined;
  for (const store of open.splice(0)) store.close();
  return start();
}

type Categories = Readonly<Record<number, string>>;

/** A COCO file with one object of `classId` in each picture. */
function cocoText(categories: Categories, files: readonly string[], classId = 1): string {
  return JSON.stringify({
    images: files.map((file_name, i) => ({ id: i + 1, file_name, width: 40, height: 30 })),
    annotations: files.map((_, i) => ({
      id: i + 1,
      image_id: i + 1,
      category_id: classId,
      bbox: [2, 2, 10, 10],
      area: 100,
      iscrowd: 0,
      segmentation: [[2, 2, 12, 2, 12, 12, 2, 12]],
    })),
    categories: Object.entries(categories).map(([id, name]) => ({ id: Number(id), name })),
  });
}

function write(file: string, content: string | Uint8Array): void {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function text(file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

/** Names of pictures and what their objects are, as a file on the disk has them. */
function content(file: string): { pictures: string[]; categories: [number, string][]; classIds: number[] } {
  const { images, annotations, categories } = JSON.parse(text(file)) as {
    images: { file_name: string }[];
    annotations: { category_id: number }[];
    categories: { id: number; name: string }[];
  };
  return {
    pictures: images.map(({ file_name }) => file_name),
    categories: categories.map(({ id, name }) => [id, name]),
    classIds: annotations.map(({ category_id }) => category_id),
  };
}

async function splitsOfPictures(store: DatasetStore): Promise<string[]> {
  const { pictures } = await store.dataset();
  return pictures.map(({ file, split, objects }) => `${file} ${split} ${objects.length}`);
}

describe('opening changes no file', () => {
  test('where one id means two classes it is refused, with both files and a way out', async () => {
    const train = cocoText({ 1: 'red', 2: 'blue' }, ['a.png', 'b.png']);
    const val = cocoText({ 1: 'blue', 2: 'red' }, ['b.png', 'c.png']);
    mkdirSync(join(folder, 'images'));
    write(TRAIN, train);
    write(VAL, val);
    await expect(DatasetStore.open(folder)).rejects.toMatchObject({
      code: 'DATASET_INVALID',
      where: folder,
      found: `id 1 is 'red' in '${join(folder, TRAIN)}' and 'blue' in '${join(folder, VAL)}'`,
      hint: `Write a copy that numbers them alike, and open that: mask-rcnn doctor ${folder} --fix ${folder}-fixed`,
    });
    expect([text(TRAIN), text(VAL)]).toEqual([train, val]);
    expect(readdirSync(folder).toSorted()).toEqual(['annotations', 'images']);
  });

  test('where splits with folders of their own contradict each other as well', async () => {
    write('train/_annotations.coco.json', cocoText({ 1: 'red' }, ['a.png']));
    write('valid/_annotations.coco.json', cocoText({ 1: 'blue' }, ['b.png']));
    await expect(DatasetStore.open(folder)).rejects.toMatchObject({ code: 'DATASET_INVALID' });
  });

  test('a picture in two splits stays in both, and a note tells of it', async () => {
    mkdirSync(join(folder, 'images'));
    const [train, val] = [cocoText({ 1: 'red' }, ['a.png', 'b.png']), cocoText({ 1: 'red' }, ['b.png', 'c.png'])];
    write(TRAIN, train);
    write(VAL, val);
    const { notes } = await (await start()).dataset();
    expect(notes).toEqual([
      "1 picture is in 'train' and in 'val': 'b.png'. Nothing was changed; take it out of one of them.",
    ]);
    expect([text(TRAIN), text(VAL)]).toEqual([train, val]);
  });

  test('two files that say the same stay what they are', async () => {
    mkdirSync(join(folder, 'images'));
    const same = cocoText(
      { 1: 'red' },
      [1, 2, 3, 4, 5, 6].map((number) => `${number}.png`),
    );
    write(TRAIN, same);
    write(VAL, same);
    const { notes } = await (await start()).dataset();
    expect(notes).toEqual([
      "6 pictures are in 'train' and in 'val': '1.png', '2.png', '3.png', '4.png', '5.png', …. Nothing was changed; take each out of one of them.",
    ]);
    expect([text(TRAIN), text(VAL)]).toEqual([same, same]);
  });

  test('pictures of one name in two folders are two pictures', async () => {
    for (const split of ['train', 'valid']) {
      write(`${split}/a.png`, await photo(40, 30));
      write(`${split}/_annotations.coco.json`, cocoText({ 1: 'red' }, ['a.png']));
    }
    expect((await (await start()).dataset()).notes).toEqual([]);
  });

  test('two spellings of a name are one class', async () => {
    mkdirSync(join(folder, 'images'));
    const [train, val] = [cocoText({ 1: 'red' }, ['a.png']), cocoText({ 1: ' Red' }, ['b.png'])];
    write(TRAIN, train);
    write(VAL, val);
    expect((await (await start()).dataset()).classes).toEqual([{ id: 1, name: 'red' }]);
    expect([text(TRAIN), text(VAL)]).toEqual([train, val]);
  });

  test('a class that one split lacks comes to it with its first object there', async () => {
    mkdirSync(join(folder, 'images'));
    const val = cocoText({ 1: 'red', 7: 'green' }, ['b.png']);
    write(TRAIN, cocoText({ 1: 'red', 2: 'blue', 3: 'green' }, ['a.png']));
    write(VAL, val);
    const store = await start();
    expect(text(VAL)).toBe(val);
    const { revision } = await store.picture('val:1');
    const object = { polygons: [[4, 4, 9, 4, 9, 9]], box: [0, 0, 0, 0] } as const;
    const saved = await store.saveObjects('val:1', revision, [
      { classId: 2, ...object },
      { classId: 3, ...object }, // green, which has another number here
    ]);
    expect(saved.objects.map(({ classId }) => classId)).toEqual([2, 7]);
    expect(content(VAL)).toEqual({
      pictures: ['b.png'],
      categories: [
        [1, 'red'],
        [7, 'green'],
        [2, 'blue'],
      ],
      classIds: [2, 7],
    });
  });
});

describe('a picture in two splits', () => {
  beforeEach(async () => {
    write('images/b.png', await photo(40, 30));
    write(TRAIN, cocoText({ 1: 'red' }, ['a.png', 'b.png']));
    write(VAL, cocoText({ 1: 'red' }, ['b.png', 'c.png']));
  });

  test('is taken out of one, and its file stays for the other', async () => {
    const store = await start();
    await store.removePicture('train:2');
    expect(readdirSync(join(folder, 'images'))).toEqual(['b.png']);
    expect(readdirSync(join(folder, 'removed'))).toEqual(['b.png.json']);
    expect((await store.dataset()).notes).toEqual([]);
    await store.removePicture('val:1');
    expect(readdirSync(join(folder, 'images'))).toEqual([]);
    expect(readdirSync(join(folder, 'removed')).toSorted()).toEqual(['2-b.png', '2-b.png.json', 'b.png.json']);
  });

  test('does not move to where it is', async () => {
    const store = await start();
    await expect(store.moveTo('train:2', 'val')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      found: "'b.png'",
      hint: "Take it out of 'train': its file stays.",
    });
    expect(existsSync(join(folder, NOTE))).toBe(false);
  });
});

describe('a move', () => {
  beforeEach(() => {
    mkdirSync(join(folder, 'images'));
    write(TRAIN, cocoText({ 1: 'red' }, ['a.png', 'b.png']));
  });

  test('leaves no note, and takes classes along by their names', async () => {
    write(VAL, cocoText({ 5: 'red' }, ['c.png'], 5));
    const store = await start();
    const moved = await store.moveTo('train:1', 'val');
    expect([moved.key, moved.objects.map(({ classId }) => classId)]).toEqual(['val:2', [5]]);
    expect(content(VAL)).toEqual({ pictures: ['c.png', 'a.png'], categories: [[5, 'red']], classIds: [5, 5] });
    expect(existsSync(join(folder, NOTE))).toBe(false);
  });

  test('that a crash cut in two is finished by the next start', async () => {
    const store = await start();
    crash.at = 'instances_train.json';
    await expect(store.moveTo('train:1', 'val')).rejects.toThrow('killed');
    expect([content(TRAIN).pictures, content(VAL).pictures]).toEqual([['a.png', 'b.png'], ['a.png']]);
    const again = await startAgain();
    expect(await splitsOfPictures(again)).toEqual(['b.png train 1', 'a.png val 1']);
    expect([(await again.dataset()).notes, existsSync(join(folder, NOTE))]).toEqual([[], false]);
  });

  test('that a crash ended before anything was written has not been', async () => {
    const store = await start();
    crash.at = 'instances_val.json';
    await expect(store.moveTo('train:1', 'val')).rejects.toThrow('killed');
    expect(existsSync(join(folder, NOTE))).toBe(true);
    const again = await startAgain();
    expect(await splitsOfPictures(again)).toEqual(['a.png train 1', 'b.png train 1']);
    expect([existsSync(join(folder, NOTE)), existsSync(join(folder, VAL))]).toEqual([false, false]);
  });

  test('back, cut in two, is finished and leaves no empty split', async () => {
    const store = await start();
    await store.moveTo('train:1', 'val');
    crash.at = 'instances_val.json';
    await expect(store.moveTo('val:1', 'train')).rejects.toThrow('killed');
    const again = await startAgain();
    expect(await splitsOfPictures(again)).toEqual(['b.png train 1', 'a.png train 1']);
    expect(existsSync(join(folder, VAL))).toBe(false);
  });

  test('that failed is finished when it is asked for again', async () => {
    const store = await start();
    crash.at = 'instances_train.json';
    await expect(store.moveTo('train:1', 'val')).rejects.toThrow('killed');
    crash.at = undefined;
    expect((await store.moveTo('train:1', 'val')).key).toBe('val:1');
    expect(await splitsOfPictures(store)).toEqual(['b.png train 1', 'a.png val 1']);
  });

  test('whose picture was outlined anew since the crash is left as it is, with a note', async () => {
    const store = await start();
    crash.at = 'instances_train.json';
    await expect(store.moveTo('train:1', 'val')).rejects.toThrow('killed');
    const document = JSON.parse(text(TRAIN)) as { annotations: { bbox: number[] }[] };
    document.annotations[0]!.bbox = [3, 3, 9, 9];
    write(TRAIN, JSON.stringify(document));
    const again = await startAgain();
    expect(await splitsOfPictures(again)).toEqual(['a.png train 1', 'b.png train 1', 'a.png val 1']);
    expect((await again.dataset()).notes).toEqual([
      "1 picture is in 'train' and in 'val': 'a.png'. Nothing was changed; take it out of one of them.",
    ]);
    expect(text(TRAIN)).toBe(JSON.stringify(document));
  });

  test.each(['', '{', '[]', '{"kind":"move","from":"train"}', '{"kind":"rename","id":"1","was":"red","name":"x"}'])(
    'a note that says %j is none',
    async (note) => {
      const before = text(TRAIN);
      write(NOTE, note);
      await start();
      expect(text(TRAIN)).toBe(before);
    },
  );
});

test('a class whose renaming a crash cut in two has its new name after the next start', async () => {
  mkdirSync(join(folder, 'images'));
  write(TRAIN, cocoText({ 1: 'red' }, ['a.png']));
  write(VAL, cocoText({ 1: 'Red' }, ['b.png']));
  const store = await start();
  crash.at = 'instances_val.json';
  await expect(store.renameClass(1, 'crimson')).rejects.toThrow('killed');
  expect([content(TRAIN).categories, content(VAL).categories]).toEqual([[[1, 'crimson']], [[1, 'Red']]]);
  const again = await startAgain();
  expect((await again.dataset()).classes).toEqual([{ id: 1, name: 'crimson' }]);
  expect([content(TRAIN).categories, content(VAL).categories]).toEqual([[[1, 'crimson']], [[1, 'crimson']]]);
  expect(existsSync(join(folder, NOTE))).toBe(false);
});

describe('of several splits', () => {
  test('the one to learn from gets new pictures', async () => {
    for (const split of ['test', 'train', 'valid']) {
      write(`${split}/a.png`, await photo(40, 30));
      write(`${split}/_annotations.coco.json`, cocoText({ 1: 'red' }, ['a.png']));
    }
    const store = await start();
    const { learnedSplit, measuredSplit, canSplit } = await store.dataset();
    expect({ learnedSplit, measuredSplit, canSplit }).toEqual({
      learnedSplit: 'train',
      measuredSplit: 'valid',
      canSplit: false,
    });
    const added = await store.addPicture('new.png', await photo(40, 30));
    expect([added.key, added.split]).toEqual(['train:2', 'train']);
    expect(readdirSync(join(folder, 'train')).toSorted()).toEqual(['_annotations.coco.json', 'a.png', 'new.png']);
  });
});
