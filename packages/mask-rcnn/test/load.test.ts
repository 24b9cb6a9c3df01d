import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { COCO_CLASSES, stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { decodeImage } from '@rcnn/coco-data/node';
import { isRcnnError, Random } from '@rcnn/core';
import { exportOnnx } from '@rcnn/onnx';
import '@rcnn/tfjs-backend-onnxruntime';
import { maskRcnnSmall } from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { load, type MaskPhotoDetector, type Photo, type PhotoDetector } from '../src/index.ts';
import { type DetectorNamed, type loadDetector, weightsFile } from '../src/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'rcnn-load-'));
const file = join(folder, 'small.safetensors');
const photo = join(folder, 'photo.png');
const exported = join(folder, 'small.onnx');
/** All that random weights find, of few proposals. */
const small = { scoreThreshold: 0.05, options: { minSize: 32, maxSize: 64, proposals: 20 } };
let detector: PhotoDetector;
let server: Server;
let address: string;

/** Weights whose random scores are about a third for each of three classes. */
async function saveSmall(path: string, numClasses: number, named: boolean, source = 'a test'): Promise<void> {
  const model = maskRcnnSmall({ numClasses, random: new Random(3) });
  const classes = [{ label: 1, categoryId: 18, name: 'dog' }];
  const settings = { source, numClasses, architecture: 'maskrcnn_small' };
  const weights = (await stateDict(model)).values();
  await saveCheckpoint(path, { weights, ...(named && { profile: torchvisionProfile({ ...settings, classes }) }) });
  model.dispose();
}

/** A picture with something to see, of 64 rows and 96 columns. */
function pixels(channels: 3 | 4): Uint8Array {
  const random = new Random(5);
  const data = new Uint8Array(64 * 96 * channels);
  for (let i = 0; i < data.length; i++) data[i] = channels === 4 && i % 4 === 3 ? 255 : random.integer(256);
  return data;
}

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
  await saveSmall(file, 3, true);
  const input = { raw: { width: 96, height: 64, channels: 4 as const } };
  writeFileSync(photo, await sharp(pixels(4), input).png().toBuffer());
  server = createServer((request, response) => {
    const path = { '/photo.png': photo, '/small.safetensors': file, '/small.onnx': exported }[request.url ?? ''];
    if (path === undefined) response.writeHead(404).end();
    else response.end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  detector = await load(file, small);
});

afterAll(() => {
  detector.dispose();
  server.close();
  rmSync(folder, { recursive: true });
});

/** What was found, to compare. */
async function found(what: Photo, by = detector): Promise<string> {
  return JSON.stringify((await by(what)).map(({ label, score, box, mask }) => [label, score, box, mask?.rle().counts]));
}

async function refusal(work: () => Promise<unknown>): Promise<string> {
  const error = await work().then(
    () => 'no error',
    (reason: unknown) => reason,
  );
  return isRcnnError(error) ? error.code : String(error);
}

describe('an exported model', () => {
  beforeAll(async () => {
    const bytes = await exportOnnx(detector.model, {
      profile: torchvisionProfile({
        source: 'a test',
        numClasses: 3,
        architecture: 'maskrcnn_small',
        classes: [{ label: 1, categoryId: 18, name: 'dog' }],
      }),
    });
    writeFileSync(exported, bytes);
  });

  test('is loaded by its path, its address and its bytes, and finds the same', async () => {
    const expected = await detector(photo);
    const bytes = readFileSync(exported);
    for (const what of [exported, pathToFileURL(exported), bytes, new Blob([bytes])]) {
      const own = await load(what, { scoreThreshold: small.scoreThreshold });
      const objects = await own(photo);
      expect(objects.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
      for (const [i, { score }] of objects.entries()) expect(Math.abs(score - expected[i]!.score)).toBeLessThan(1e-4);
      own.dispose();
    }
  });

  test('is fetched from its address, with the digest that stands behind it, and not without a network', async () => {
    const digest = createHash('sha256').update(readFileSync(exported)).digest('hex');
    const own = await load(`${address}/small.onnx#sha256=${digest}`, { scoreThreshold: small.scoreThreshold });
    expect(await own(photo)).toBeDefined();
    own.dispose();
    expect(await refusal(() => load(`${address}/small.onnx#sha256=${'0'.repeat(64)}`))).toBe('DIGEST_MISMATCH');
    expect(await refusal(() => load(`${address}/small.onnx`, { offline: true }))).toBe('OFFLINE');
    expect(await refusal(() => load(`${address}/missing.onnx`))).toBe('DOWNLOAD_FAILED');
  });

  test('is not every file that begins with its first byte: the length of a safetensors header may', async () => {
    const length = Number(readFileSync(file).readBigUInt64LE());
    const other = join(folder, 'first-byte-8.safetensors');
    await saveSmall(other, 3, true, 'a test'.padEnd(6 + ((8 - (length % 256) + 256) % 256), '.'));
    const bytes = readFileSync(other);
    expect(bytes[0]).toBe(8);
    const own = await load(bytes, small);
    expect(own.architecture).toBe('maskrcnn_small');
    own.dispose();
  });

  test('has its architecture fixed, and says what it is', async () => {
    expect(await refusal(() => load(exported, { arch: 'maskrcnn_small' }))).toBe('INVALID_ARGUMENT');
    const own = await load(exported);
    expect([own.architecture, own.classes[0]!.name]).toEqual(['maskrcnn_small', 'dog']);
    own.dispose();
  });
});

test('objects have names, scores, boxes in pixels of the picture, and masks', async () => {
  const objects = await detector(photo);
  expect(objects.length).toBeGreaterThan(0);
  for (const { score, box, mask, classId, label } of objects) {
    expect(score).toBeGreaterThanOrEqual(0.05);
    expect(label).toBe(classId === 1 ? 'dog' : 'class 2');
    expect(box[2]).toBeLessThanOrEqual(96);
    expect(box[3]).toBeLessThanOrEqual(64);
    expect(mask?.size).toEqual([64, 96]);
  }
  const highest = objects[0]!.score;
  expect(await detector(photo, { scoreThreshold: highest })).toHaveLength(1);
  expect(await (await loaded(file, { options: small.options }))(photo)).toEqual([]); // a third is below the usual threshold
});

const opened: PhotoDetector[] = [];
afterAll(() => opened.forEach((each) => each.dispose()));
async function loaded(...args: Parameters<typeof load>): Promise<PhotoDetector> {
  const it = await load(...args);
  opened.push(it);
  return it;
}

test('a picture is the same in every form', async () => {
  const expected = await found(photo);
  const bytes = readFileSync(photo);
  const rgba = pixels(4);
  const image = await decodeImage(bytes);
  const canvas = { width: 96, height: 64, getContext: () => ({ getImageData: () => imageData }) };
  const imageData = { data: new Uint8ClampedArray(rgba), width: 96, height: 64 };
  const tensor = tf.div(tf.tensor3d(image.data as Uint8Array, [64, 96, 3], 'int32'), 255) as tf.Tensor3D;
  const forms: Record<string, Photo> = {
    'a file URL': pathToFileURL(photo),
    'a file URL as text': pathToFileURL(photo).href,
    'an address': `${address}/photo.png`,
    'a URL': new URL(`${address}/photo.png`),
    'a data URL': `data:image/png;base64,${bytes.toString('base64')}`,
    'a buffer': bytes,
    'an array buffer': new Uint8Array(bytes).buffer,
    'a blob': new Blob([new Uint8Array(bytes)]),
    pixels: image,
    'image data': imageData,
    'a canvas': canvas,
  };
  for (const [name, form] of Object.entries(forms)) expect([name, await found(form)]).toEqual([name, expected]);
  const parts = (objects: Awaited<ReturnType<PhotoDetector>>) => objects.map(({ label, mask }) => [label, mask?.rle()]);
  expect(parts(await detector(tensor))).toEqual(parts(await detector(image))); // 1/255 is rounded elsewhere
  tensor.dispose();
});

test('photographs are turned as their orientation says', async () => {
  const turned = await sharp(photo).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const upright = await decodeImage(turned, { orientation: 'apply' });
  expect([upright.height, upright.width]).toEqual([96, 64]);
  expect(await found(turned)).toBe(await found(upright));
  const path = join(folder, 'turned.jpg');
  writeFileSync(path, turned);
  expect(await found(path)).toBe(await found(upright));
});

test('weights come from an address, a run folder, a file URL and bytes', async () => {
  const expected = await found(photo);
  const run = join(folder, 'run');
  mkdirSync(join(run, 'checkpoints'), { recursive: true });
  writeFileSync(join(run, 'checkpoints/last.safetensors'), readFileSync(file));
  const cache = join(folder, 'cache');
  const forms = [
    `${address}/small.safetensors`,
    run,
    pathToFileURL(file),
    readFileSync(file),
    new Blob([new Uint8Array(readFileSync(file))]),
  ];
  for (const form of forms) {
    expect(await found(photo, await loaded(form, { cache, ...small }))).toBe(expected);
  }
  expect(weightsFile('maskrcnn_resnet50_fpn')).toBe('maskrcnn_resnet50_fpn');
});

test('progress is one number that grows from 0 to 1', async () => {
  const shares: number[] = [];
  const cache = join(folder, 'cold');
  await loaded(`${address}/small.safetensors`, { cache, onProgress: (share) => shares.push(share) });
  expect(shares[0]).toBe(0);
  expect(shares.at(-1)).toBe(1);
  expect(shares.length).toBeGreaterThan(3);
  expect(shares).toEqual([...new Set(shares)].toSorted((a, b) => a - b));
});

test("a file of 91 classes that names none has COCO's names", async () => {
  const plain = join(folder, 'plain.safetensors');
  await saveSmall(plain, 91, false);
  const it = await loaded(plain, { arch: 'maskrcnn_small' });
  expect(it.classes).toEqual(COCO_CLASSES);
  expect(detector.classes).toHaveLength(1); // the file's own names stay
});

test('it says what it is, keeps the engine that is in use, and leaves nothing', async () => {
  const before = tf.memory().numTensors;
  const it = await load(file, small);
  expect([it.architecture, it.engine, it.model.spec.numClasses]).toEqual(['maskrcnn_small', 'onnxruntime', 3]);
  await it(photo);
  it.dispose();
  it.dispose();
  expect(tf.memory().numTensors).toBe(before);
  expect(await refusal(() => it(photo))).toBe('DISPOSED');
});

describe('what cannot be used is refused with a code', () => {
  const photos: [string, unknown, string][] = [
    ['no file', 'missing.jpg', 'FILE_MISSING'],
    ['a folder', folder, 'FILE_REFUSED'],
    ['no image', new Uint8Array([1, 2, 3]), 'IMAGE_CORRUPT'],
    ['no bytes', new Uint8Array(0), 'IMAGE_CORRUPT'],
    ['a number', 7, 'INVALID_ARGUMENT'],
    ['null', null, 'INVALID_ARGUMENT'],
    ['nothing', undefined, 'INVALID_ARGUMENT'],
    ['an object', { a: 1 }, 'INVALID_ARGUMENT'],
    ['too few pixels', { data: new Uint8ClampedArray(7), width: 2, height: 2 }, 'IMAGE_INVALID'],
    ['pixels of floats', { data: new Float32Array(16), width: 2, height: 2 }, 'IMAGE_INVALID'],
    ['an address without a server', 'http://127.0.0.1:9/photo.jpg', 'DOWNLOAD_FAILED'],
    ['an address of a scheme that is not fetched', new URL('ftp://host/photo.jpg'), 'DOWNLOAD_FAILED'],
  ];
  test.each(photos)('%s as a photo', async (_, what, code) => {
    expect(await refusal(() => detector(what as Photo))).toBe(code);
  });

  test('a page that is not there', async () => {
    expect(await refusal(() => detector(`${address}/none.jpg`))).toBe('DOWNLOAD_FAILED');
  });

  const weights: [string, unknown, string][] = [
    ['no file', 'missing.pth', 'FILE_MISSING'],
    ['no name', 'maskrcnn_resnet5', 'INVALID_ARGUMENT'],
    ['an empty text', '', 'INVALID_ARGUMENT'],
    ['a number', 7, 'INVALID_ARGUMENT'],
    ['nothing', undefined, 'INVALID_ARGUMENT'],
    ['a folder without a run', folder, 'FILE_MISSING'],
    ['a picture', photo, 'FILE_MALFORMED'],
    ['no bytes', new Uint8Array(0), 'FILE_TRUNCATED'],
  ];
  test.each(weights)('%s as weights', async (_, what, code) => {
    const before = tf.memory().numTensors;
    expect(await refusal(() => load(what as string))).toBe(code);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('thresholds that are no shares, or below what the model looks for', async () => {
    expect(await refusal(() => load(file, { scoreThreshold: 2 }))).toBe('INVALID_ARGUMENT');
    expect(await refusal(() => load(file, { engine: 'abacus' as 'cpu' }))).toBe('ENGINE_UNKNOWN');
    expect(await refusal(() => detector(photo, { scoreThreshold: Number.NaN }))).toBe('INVALID_ARGUMENT');
    expect(await refusal(() => detector(photo, { scoreThreshold: 0.01 }))).toBe('INVALID_ARGUMENT');
    expect(await refusal(() => detector(photo, { maskThreshold: -1 }))).toBe('INVALID_ARGUMENT');
    const low = await loaded(file, { ...small, scoreThreshold: 0.01 });
    expect((await low(photo)).length).toBeGreaterThan(0);
  });
});

test('a published name alone tells of masks: a path may hold anything', () => {
  const named = () => load('maskrcnn_resnet50_fpn_v2.COCO_V1');
  const path = () => load('maskrcnn_resnet50_fpn.pth');
  expectTypeOf<ReturnType<typeof named>>().resolves.toEqualTypeOf<MaskPhotoDetector>();
  expectTypeOf<ReturnType<typeof path>>().resolves.toEqualTypeOf<PhotoDetector>();
  expectTypeOf<DetectorNamed<'maskrcnn_resnet50_fpn'>['model']>().not.toEqualTypeOf<DetectorNamed<string>['model']>();
  expectTypeOf<DetectorNamed<'maskrcnn_x.pth'>>().toEqualTypeOf<DetectorNamed<string>>();
  expectTypeOf<Awaited<ReturnType<typeof loadDetector<'maskrcnn_best'>>>>().toEqualTypeOf<DetectorNamed<string>>();
});
