import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset } from '@rcnn/coco-data/node';
import sharp from 'sharp';
import { afterEach, describe, expect, test } from 'vitest';
import type { StudioDataset, StudioObject, StudioPicture } from '../src/index.ts';
import { type Called, openStudio, photo, type TestStudio } from './support/open-studio.ts';

const roots: string[] = [];
const open: TestStudio[] = [];

function newFolder(): string {
  const root = mkdtempSync(join(tmpdir(), 'studio-'));
  roots.push(root);
  return join(root, 'data');
}

async function start(folder = newFolder()): Promise<TestStudio> {
  const studio = await openStudio(folder);
  open.push(studio);
  return studio;
}

afterEach(async () => {
  for (const studio of open.splice(0)) await studio.close();
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

const square = (x: number, y: number, side: number): number[] => [x, y, x + side, y, x + side, y + side, x, y + side];
const outlined = (classId: number, ...polygons: number[][]): StudioObject => ({ classId, polygons, box: [0, 0, 0, 0] });

/** Uploads one picture and outlines one object of a new class. */
async function begun(studio: TestStudio): Promise<{ picture: StudioPicture; classId: number }> {
  const { id: classId } = (await studio.post('/api/classes', { name: 'balloon' })).json;
  const added: StudioPicture = (await studio.upload('a.png', await photo(40, 30))).json;
  const saved = await studio.put(`/api/pictures/${added.key}/objects`, {
    revision: added.revision,
    objects: [outlined(classId, square(4, 5, 10))],
  });
  expect(saved.status).toBe(200);
  return { picture: saved.json, classId };
}

test('a training begins with the recipe for what it begins from', async () => {
  const studio = await start();
  await begun(studio);
  const commandOf = async (name: string, from: string): Promise<string> => {
    const { status, json } = await studio.post('/api/runs', { name, from, steps: 20, batchSize: 2 });
    expect(status).toBe(200);
    return (json as { command: string }).command;
  };
  expect(await commandOf('a', 'quick')).toMatch(/ --preset quick --steps 20 /);
  expect(await commandOf('b', 'body')).toMatch(/ --preset few --weights-backbone resnet50 --steps 20 /);
  expect(await commandOf('c', 'weights:maskrcnn_resnet50_fpn')).toMatch(
    / --preset few --weights maskrcnn_resnet50_fpn /,
  );
  expect((await studio.post('/api/runs', { name: 'd', from: 'legs', steps: 20, batchSize: 2 })).status).toBe(400);
});

describe('a training of several splits', () => {
  /** A folder for each split, as Roboflow exports them, with an outlined picture in each of those named. */
  async function exported(...outlinedSplits: string[]): Promise<string> {
    const folder = newFolder();
    for (const split of ['test', 'train', 'valid']) {
      mkdirSync(join(folder, split), { recursive: true });
      writeFileSync(join(folder, split, 'a.png'), await photo(40, 30));
      const images = [{ id: 1, file_name: 'a.png', width: 40, height: 30 }];
      const object = { id: 1, image_id: 1, category_id: 1, bbox: [4, 5, 10, 10], area: 100, iscrowd: 0 };
      const annotations = outlinedSplits.includes(split) ? [object] : [];
      const text = JSON.stringify({ images, annotations, categories: [{ id: 1, name: 'balloon' }] });
      writeFileSync(join(folder, split, '_annotations.coco.json'), text);
    }
    return folder;
  }
  const request = { name: 'a', from: 'quick', steps: 20, batchSize: 1 };

  test('learns from the pictures that were counted, and from no others', async () => {
    const studio = await start(await exported('test', 'train', 'valid'));
    const { status, json } = await studio.post('/api/runs', request);
    expect(status).toBe(200);
    // One picture, so an epoch is a step: measured every 25.
    expect((json as { command: string }).command).toMatch(/ --split train --preset quick .* --evaluate-every 25 /);
  });

  test('is refused where only pictures to measure on are outlined', async () => {
    const studio = await start(await exported('test', 'valid'));
    const { status, json } = await studio.post('/api/runs', request);
    expect([status, json.code]).toEqual([400, 'DATASET_INVALID']);
    expect(json.message).toContain("no picture in 'train' has an outlined object");
  });
});

describe('photographs', () => {
  test('come in under names that are safe, decoded once, and stay as they are', async () => {
    const folder = newFolder();
    const studio = await start(folder);
    const bytes = await photo(40, 30);
    const names = ['cat.png', 'CAT.PNG', '../../up.png', 'a\u202Eb\n.png', 'con.png', 'no ending', 'x'.repeat(300)];
    for (const name of names) expect([name, (await studio.upload(name, bytes)).status]).toEqual([name, 200]);
    const files = readdirSync(join(folder, 'images'));
    expect(files).toHaveLength(names.length);
    expect(files.toSorted().slice(0, 2)).toEqual(['CAT-2.PNG', '_con.png']);
    expect(readFileSync(join(folder, 'images', 'cat.png')).equals(bytes)).toBe(true);
    expect(readdirSync(join(folder, '..'))).toEqual(['data']);
    expect((await studio.dataset()).pictures.map(({ width, height }) => [width, height])).toEqual(
      names.map(() => [40, 30]),
    );
  });

  test('are turned upright, so that one pixel seen is one pixel counted', async () => {
    const folder = newFolder();
    const studio = await start(folder);
    const lying = await sharp(await photo(40, 30))
      .jpeg()
      .withMetadata({ orientation: 6 })
      .toBuffer();
    const { json: picture } = await studio.upload('phone.jpg', lying);
    expect([picture.width, picture.height]).toEqual([30, 40]);
    const { orientation, width } = await sharp(join(folder, 'images', 'phone.jpg')).metadata();
    expect([orientation ?? 1, width]).toEqual([1, 30]);
  });

  test.each([
    ['text', Buffer.from('hello'), 400, 'IMAGE_CORRUPT'],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 400, 'IMAGE_CORRUPT'],
    ['nothing', Buffer.alloc(0), 400, 'INVALID_ARGUMENT'],
  ])('%s is refused, and nothing is left', async (_, bytes, status, code) => {
    const folder = newFolder();
    const studio = await start(folder);
    const answer = await studio.upload('a.png', bytes);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(readdirSync(join(folder, 'images'))).toEqual([]);
    expect((await studio.dataset()).pictures).toEqual([]);
  });

  test('that lie in the folder are taken up, those that cannot be with a reason', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.png'), await photo(40, 30));
    writeFileSync(join(folder, 'b.jpg'), 'no picture');
    const { pictures, notes } = await (await start(folder)).dataset();
    expect(pictures.map(({ file }) => file)).toEqual(['a.png']);
    expect(notes).toEqual([expect.stringMatching(/'b\.jpg' was left out: .*found a text,/)]);
    expect(readdirSync(folder)).toContain('a.png');
  });

  test('taken out are moved away with what was known of them', async () => {
    const folder = newFolder();
    const studio = await start(folder);
    const { picture } = await begun(studio);
    await studio.delete(`/api/pictures/${picture.key}`);
    expect((await studio.dataset()).pictures).toEqual([]);
    expect(readdirSync(join(folder, 'removed')).toSorted()).toEqual(['a.png', 'a.png.json']);
    const record = JSON.parse(readFileSync(join(folder, 'removed', 'a.png.json'), 'utf8'));
    expect(record.annotations).toHaveLength(1);
  });
});

describe('outlines', () => {
  test('are on the disk as COCO when the answer comes, and training reads them', async () => {
    const folder = newFolder();
    const studio = await start(folder);
    const { picture } = await begun(studio);
    expect(picture.objects).toMatchObject([{ id: 1, area: 100, box: [4, 5, 14, 15], polygons: [square(4, 5, 10)] }]);
    const dataset = await openDataset(folder, { split: 'train' });
    expect(dataset.classes.classes.map(({ name }) => name)).toEqual(['balloon']);
    expect(dataset.annotations(0)).toHaveLength(1);
  });

  test('outlive a studio that is killed, and the same edit twice is one edit', async () => {
    const folder = newFolder();
    const first = await start(folder);
    const { picture, classId } = await begun(first);
    const objects = [...picture.objects.map(plain), outlined(classId, square(20, 5, 8))];
    await first.put(`/api/pictures/${picture.key}/objects`, { revision: picture.revision, objects });
    await first.close();
    const second = await start(folder);
    // The answer got lost: the page sends its edit again, with the revision that it was made from.
    const again = await second.put(`/api/pictures/${picture.key}/objects`, { revision: picture.revision, objects });
    expect([again.status, again.json.objects.length]).toEqual([200, 2]);
  });

  test('of somebody else are not overwritten', async () => {
    const folder = newFolder();
    const studio = await start(folder);
    const { picture, classId } = await begun(studio);
    const file = join(folder, 'annotations', 'instances_train.json');
    const document = JSON.parse(readFileSync(file, 'utf8'));
    document.annotations[0].note = 'from another program';
    writeFileSync(file, JSON.stringify(document));
    const objects = [outlined(classId, square(1, 1, 5))];
    const path = `/api/pictures/${picture.key}/objects`;
    const refused = await studio.put(path, { revision: picture.revision, objects });
    expect([refused.status, refused.json.code]).toEqual([409, 'CONFLICT']);
    const { revision } = refused.json.picture;
    expect((await studio.put(path, { revision, objects })).status).toBe(200);
  });

  test('that are not touched keep all that their record says', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'annotations'), { recursive: true });
    mkdirSync(join(folder, 'images'));
    writeFileSync(join(folder, 'images', 'a.png'), await photo(20, 16));
    const rle = { size: [16, 20], counts: [5, 3, 7, 4, 301] };
    const annotations = [
      { id: 7, image_id: 3, category_id: 2, bbox: [0, 2, 2, 6], area: 7, iscrowd: 1, segmentation: rle, mark: 'keep' },
      { id: 9, image_id: 3, category_id: 2, bbox: [1, 1, 4, 4], area: 16, iscrowd: 0, keypoints: [1, 1, 2] },
    ];
    const images = [{ id: 3, file_name: 'a.png', width: 20, height: 16, license: 4 }];
    const categories = [{ id: 2, name: 'cat', supercategory: 'animal' }];
    const file = join(folder, 'annotations', 'instances_train.json');
    writeFileSync(file, JSON.stringify({ licenses: [{ id: 4 }], images, annotations, categories }));
    const studio = await start(folder);
    const [picture] = (await studio.dataset()).pictures as [StudioPicture];
    expect(picture.objects.map(({ editable }) => editable)).toEqual([false, true]);
    const objects = [...picture.objects.map(plain), outlined(2, square(10, 2, 5))];
    const { status } = await studio.put(`/api/pictures/${picture.key}/objects`, {
      revision: picture.revision,
      objects,
    });
    const written = JSON.parse(readFileSync(file, 'utf8'));
    expect(status).toBe(200);
    expect(written.annotations.slice(0, 2)).toEqual(annotations);
    expect(written.annotations[2]).toMatchObject({ id: 10, image_id: 3, area: 25, iscrowd: 0 });
    expect([written.licenses, written.images, written.categories]).toEqual([[{ id: 4 }], images, categories]);
  });

  test.each([
    ['no area', [[3, 3, 3, 3, 3, 3]], 400, 'POLYGON_INVALID'],
    ['two points', [[1, 1, 2, 2]], 400, 'POLYGON_INVALID'],
    ['text', [['a', 1, 2, 2, 3, 3]], 400, 'FST_ERR_VALIDATION'],
    ['outside', [[50, 50, 60, 50, 60, 60]], 400, 'POLYGON_INVALID'],
  ])('%s is refused, and what was there stays', async (_, polygons, status, code) => {
    const studio = await start();
    const { picture, classId } = await begun(studio);
    const objects = [{ classId, polygons, box: [0, 0, 0, 0] }];
    const answer = await studio.put(`/api/pictures/${picture.key}/objects`, { revision: picture.revision, objects });
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect((await studio.dataset()).pictures[0]!.objects).toHaveLength(1);
  });

  test('beyond the picture end at its border', async () => {
    const studio = await start();
    const { picture, classId } = await begun(studio);
    const objects = [outlined(classId, [-5, -5, 20, -5, 20, 20, -5, 20])];
    const { json } = await studio.put(`/api/pictures/${picture.key}/objects`, { revision: picture.revision, objects });
    expect(json.objects[0].box).toEqual([0, 0, 20, 20]);
  });
});

describe('classes', () => {
  test('are added, renamed, and removed when nothing is of them', async () => {
    const studio = await start();
    const { classId } = await begun(studio);
    const { json } = await studio.post('/api/classes', { name: '  red \n car ' });
    expect(json).toEqual({ id: 2, name: 'red car' });
    expect((await studio.post('/api/classes', { name: 'Balloon' })).json.code).toBe('DUPLICATE_ID');
    expect((await studio.post('/api/classes', { name: ' ' })).json.code).toBe('INVALID_ARGUMENT');
    expect((await studio.put(`/api/classes/${classId}`, { name: 'ball' })).status).toBe(200);
    expect((await studio.delete(`/api/classes/${classId}`)).json.code).toBe('INVALID_ARGUMENT');
    expect((await studio.delete('/api/classes/2')).status).toBe(200);
    expect((await studio.dataset()).classes).toEqual([{ id: classId, name: 'ball' }]);
  });
});

describe('pictures to measure on', () => {
  test('go to a split of their own and come back with their objects', async () => {
    const folder = newFolder();
    const studio = await start(folder);
    const { picture } = await begun(studio);
    await studio.upload('b.png', await photo(41, 30));
    const { json: moved } = await studio.put(`/api/pictures/${picture.key}/split`, { split: 'val' });
    expect([moved.split, moved.objects.length]).toEqual(['val', 1]);
    expect((await openDataset(folder, { split: 'val' })).annotations(0)).toHaveLength(1);
    expect((await openDataset(folder, { split: 'train' })).length).toBe(1);
    await studio.close();
    const again = await start(folder);
    const { json: back } = await again.put(`/api/pictures/${moved.key}/split`, { split: 'train' });
    expect([back.split, back.objects.length]).toEqual(['train', 1]);
    expect(readdirSync(join(folder, 'annotations'))).toEqual(['instances_train.json']);
  });
});

test('the doctor speaks of pictures by their keys', async () => {
  const folder = newFolder();
  const studio = await start(folder);
  const { picture } = await begun(studio);
  const { json: twin } = await studio.upload('twin.png', await photo(40, 30));
  const { json: problems } = await studio.get('/api/problems');
  // Which of two twins the doctor names depends on which was decoded first.
  const one = expect.stringMatching(`^(${picture.key}|${twin.key})$`);
  expect(problems).toEqual([expect.objectContaining({ kind: 'duplicate-image', picture: one })]);
  rmSync(join(folder, 'images', 'a.png'));
  const { json: more } = await studio.get('/api/problems');
  expect(more).toContainEqual(expect.objectContaining({ kind: 'image-missing', picture: picture.key }));
});

test('the archive holds the dataset', async () => {
  const studio = await start();
  await begun(studio);
  const { bytes, headers } = await studio.get('/api/export/dataset.zip');
  expect(headers['content-disposition']).toBe('attachment; filename="dataset.zip"');
  for (const name of ['annotations/instances_train.json', 'images/a.png']) expect(bytes.includes(name)).toBe(true);
  expect(bytes.includes(await photo(40, 30))).toBe(true); // stored as it is
});

describe('who may ask', () => {
  const own = 'http://127.0.0.1:80';
  test.each([
    ['a name that only leads here', { host: 'evil.example' }, 403],
    ['another page', { origin: 'https://evil.example' }, 403],
    ['another port of this machine', { origin: 'http://127.0.0.1:9999' }, 403],
    ['a frame of another page', { 'sec-fetch-site': 'cross-site' }, 403],
    ['nobody with a cookie', { cookie: '' }, 401],
    ['a wrong cookie', { cookie: 'studio=1' }, 401],
  ])('%s is refused, for reading and for changing', async (_, headers: Record<string, string>, status) => {
    const studio = await start();
    for (const method of ['GET', 'POST'] as const) {
      const url = method === 'GET' ? '/api/dataset' : '/api/classes';
      const payload = method === 'GET' ? undefined : { name: 'x' };
      const answer = await studio.app.inject({
        method,
        url,
        ...(payload && { payload }),
        headers: { host: '127.0.0.1:80', ...(method === 'POST' && { origin: own }), cookie: studio.cookie, ...headers },
      });
      expect([method, answer.statusCode]).toEqual([method, status]);
    }
    expect((await studio.dataset()).classes).toEqual([]);
  });

  test('a change without an origin is refused, a wrong token brings no cookie', async () => {
    const studio = await start();
    const headers = { host: 'localhost:80', cookie: studio.cookie };
    const answer = await studio.app.inject({ method: 'POST', url: '/api/classes', payload: { name: 'x' }, headers });
    expect(answer.statusCode).toBe(403);
    const session = await studio.app.inject({
      method: 'POST',
      url: '/api/session',
      payload: { token: 'x' },
      headers: { host: '127.0.0.1:80', origin: own },
    });
    expect([session.statusCode, session.headers['set-cookie']]).toEqual([401, undefined]);
  });

  test('pictures are those of the dataset, runs those of the folder', async () => {
    const studio = await start();
    await begun(studio);
    const asked = [
      '/api/pictures/train:99/image',
      '/api/pictures/..%2f..:1/image',
      '/api/runs/..%2fdata',
      '/api/runs/x',
    ];
    const answers: Called[] = [];
    for (const url of asked) answers.push(await studio.get(url));
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 400, 404]);
  });

  test('the page may load from here alone', async () => {
    const studio = await start();
    const page = await studio.app.inject({ url: '/', headers: { host: '127.0.0.1:80' } });
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
    expect(page.body).not.toMatch(/https?:\/\/|<script>|style="/);
  });
});

describe('a folder that is not ours to change', () => {
  test('another format names the command that converts', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'train'), { recursive: true });
    writeFileSync(
      join(folder, 'train', 'via_region_data.json'),
      '{"a.png1":{"filename":"a.png","size":1,"regions":[]}}',
    );
    await expect(openStudio(folder)).rejects.toThrow(/DATASET_INVALID|convert-data/);
  });

  test.each([
    ['a dangling annotation', { annotations: [{ id: 1, image_id: 9, category_id: 1 }] }],
    ['an id twice', { images: [0, 1].map(() => ({ id: 1, file_name: 'a.png', width: 1, height: 1 })) }],
    ['no size', { images: [{ id: 1, file_name: 'a.png' }] }],
    ['a name that is none', { categories: [{ id: 1, name: 3 }] }],
    ['a list that is none', { images: {} }],
  ])('%s is told, not changed', async (_, part) => {
    const folder = newFolder();
    mkdirSync(join(folder, 'annotations'), { recursive: true });
    const file = join(folder, 'annotations', 'instances_train.json');
    const text = JSON.stringify({ images: [], annotations: [], categories: [], ...part });
    writeFileSync(file, text);
    await expect(openStudio(folder)).rejects.toMatchObject({ code: 'DATASET_INVALID' });
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('two studios do not share one', async () => {
    const folder = newFolder();
    await start(folder);
    await expect(openStudio(folder)).rejects.toMatchObject({ code: 'LOCKED' });
  });
});

/** As the page sends an object back. */
function plain({ id, classId, polygons, box }: StudioDataset['pictures'][number]['objects'][number]): StudioObject {
  return { id, classId, polygons, box };
}
