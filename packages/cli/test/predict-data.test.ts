import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { writeShapes } from '@rcnn/coco-data/node';
import { Random, useEngine } from '@rcnn/core';
import { maskRcnnSmall } from 'mask-rcnn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Call, call as program } from './support/program.ts';

// Prediction on datasets of several kinds, and what evaluation makes of it. The model has drawn weights: what it finds is
// nonsense, but it is found under the right names.
const root = mkdtempSync(join(tmpdir(), 'cli-predict-data-'));
const at = (name: string): string => join(root, name);
const home = process.cwd();
const IDS = [7, 42, 90, 1003];
const NAMES = ['circle', 'square', 'triangle', 'star'];

interface Coco {
  images: { id: number | string; file_name: string; width: number; height: number }[];
  annotations: { id: number; image_id: number | string; category_id: number; bbox: number[] }[];
  categories: { id: number; name: string }[];
}

interface Result {
  image_id: number | string;
  category_id: number;
  category_name: string;
  file_name: string;
}

beforeAll(async () => {
  await useEngine('onnxruntime');
  await writeShapes(at('plain'), { splits: { train: 3, val: 3 }, size: [48, 64], tiny: 0 });
  const ids = new Map([1, 2, 3, 4].map((id, i) => [id, IDS[i]!]));
  const file = at('plain/annotations/instances_val.json');
  for (const split of ['train', 'val']) {
    const path = at(`plain/annotations/instances_${split}.json`);
    const coco = JSON.parse(readFileSync(path, 'utf8')) as Coco;
    for (const category of coco.categories) category.id = ids.get(category.id)!;
    for (const annotation of coco.annotations) annotation.category_id = ids.get(annotation.category_id)!;
    writeFileSync(path, JSON.stringify(coco));
  }
  const coco = JSON.parse(readFileSync(file, 'utf8')) as Coco;
  writeText(coco);
  writeVoc(coco);
  const model = maskRcnnSmall({ numClasses: 5, random: new Random(3) });
  const profile = torchvisionProfile({
    source: 'a test',
    architecture: 'maskrcnn_small',
    numClasses: 5,
    classes: NAMES.map((name, i) => ({ label: i + 1, name, categoryId: IDS[i]! })),
    input: { resize: { rule: 'torchvision', minSize: 48, maxSize: 64 } },
  });
  mkdirSync(at('runs/mine/checkpoints'), { recursive: true });
  await saveCheckpoint(at('runs/mine/checkpoints/best.safetensors'), {
    weights: (await stateDict(model)).values(),
    profile,
  });
  model.dispose();
  process.chdir(root); // where the newest run is found
});
afterAll(() => {
  process.chdir(home);
  rmSync(root, { recursive: true, force: true });
});

/** The same pictures under text ids, in folders. */
function writeText({ images, annotations, categories }: Coco): void {
  const name = (id: number | string): string => `img_${String(id).padStart(4, '0')}`;
  mkdirSync(at('text/pictures/cam'), { recursive: true });
  for (const { file_name } of images)
    writeFileSync(at(`text/pictures/cam/${file_name}`), readFileSync(at(`plain/val/${file_name}`)));
  const coco = {
    images: images.map((image) => ({ ...image, id: name(image.id), file_name: `cam/${image.file_name}` })),
    annotations: annotations.map((annotation) => ({ ...annotation, image_id: name(annotation.image_id) })),
    categories,
  };
  writeFileSync(at('text/truth.json'), JSON.stringify(coco));
}

/** The same pictures as Pascal VOC, whose classes have no ids. */
function writeVoc({ images, annotations, categories }: Coco): void {
  for (const folder of ['JPEGImages', 'Annotations', 'ImageSets/Main'])
    mkdirSync(at(`voc/${folder}`), { recursive: true });
  const stems = images.map((image) => image.file_name.replace('.png', ''));
  writeFileSync(at('voc/ImageSets/Main/val.txt'), `${stems.join('\n')}\n`);
  for (const [i, { id, file_name, width, height }] of images.entries()) {
    writeFileSync(at(`voc/JPEGImages/${file_name}`), readFileSync(at(`plain/val/${file_name}`)));
    const objects = annotations
      .filter(({ image_id }) => image_id === id)
      .map(({ category_id, bbox: [x = 0, y = 0, w = 0, h = 0] }) => {
        const name = categories.find((category) => category.id === category_id)!.name;
        const box = `<xmin>${x + 1}</xmin><ymin>${y + 1}</ymin><xmax>${x + w}</xmax><ymax>${y + h}</ymax>`;
        return `<object><name>${name}</name><bndbox>${box}</bndbox></object>`;
      });
    const size = `<size><width>${width}</width><height>${height}</height><depth>3</depth></size>`;
    const xml = `<annotation><filename>${file_name}</filename>${size}${objects.join('')}</annotation>`;
    writeFileSync(at(`voc/Annotations/${stems[i]}.xml`), xml);
  }
}

const predict = (...args: string[]): Promise<Call> => program('predict', ...args, '--engine', 'onnxruntime');
const readResults = (file: string): Result[] => JSON.parse(readFileSync(at(file), 'utf8')) as Result[];

describe('predict, then evaluate', () => {
  test.each([
    ['plain', ['--data', 'plain'], 'plain', (id: unknown) => typeof id === 'number'],
    [
      'text ids in one file',
      ['--gt', 'text/truth.json', '--images', 'text/pictures'],
      'text/truth.json',
      (id: unknown) => /^img_\d{4}$/.test(String(id)),
    ],
    ['VOC', ['--data', 'voc', '--split', 'val'], 'voc', (id: unknown) => id !== undefined],
  ] as const)('%s', async (name, args, truth, isId) => {
    const file = `${name.replaceAll(' ', '-')}.json`;
    const { code, err } = await predict(...args, '--results', file, '--no-save', '--detections', '9');
    expect([code, err.match(/^error .*/gm)]).toEqual([0, null]);
    const results = readResults(file);
    expect(results.length).toBeGreaterThan(5);
    expect(results.every(({ image_id }) => isId(image_id))).toBe(true);
    for (const { category_id, category_name } of results) expect(category_name).toBe(NAMES[IDS.indexOf(category_id)]);
    const evaluated = await program('evaluate', '--gt', truth, '--dt', file, '--iou', 'bbox');
    expect(evaluated.err).not.toMatch(/^error /m);
    expect(evaluated.code).toBe(0);
    expect(evaluated.out).toContain('Average Precision');
  });

  test('files that are named get the ids of the data, wherever they lie', async () => {
    const files = readdirSync(at('text/pictures/cam')).map((name) => `text/pictures/cam/${name}`);
    const truth = ['--gt', 'text/truth.json', '--images', 'text/pictures'];
    const all = await predict(...files, 'runs', ...truth, '--results', 'x.json', '--no-save');
    expect(all.code).toBe(1); // runs holds no image
    expect(new Set(readResults('x.json').map(({ image_id }) => image_id)).size).toBe(3);
    expect(readResults('x.json')[0]!.file_name).toMatch(/^cam\//);
    const other = await predict('plain/train/000000.png', files[0]!, ...truth, '--results', 'y.json', '--no-save');
    expect(other.err).toMatch(/^error UNKNOWN_ID: .*000000\.png: the data have no such image/m);
    expect(other.code).toBe(1);
  });
});

test('val takes the sizes and limits that predict takes, and finds the same with them', async () => {
  const sized = ['--min-size', '96', '--max-size', '128', '--detections', '9'];
  const found = await predict('--data', 'plain', ...sized, '--results', 'sized.json', '--no-save');
  const measured = await program('val', 'plain', ...sized, '--results', 'measured.json', '--no-losses');
  const usual = await program('val', 'plain', '--detections', '9', '--results', 'usual.json', '--no-losses');
  expect([found.code, measured.code, usual.code]).toEqual([0, 0, 0]);
  const boxes = (file: string): unknown[] =>
    readResults(file).map((result) => [result.image_id, result.category_id, (result as { bbox?: number[] }).bbox]);
  expect(boxes('measured.json')).toHaveLength(27);
  expect(boxes('measured.json')).toEqual(boxes('sized.json'));
  expect(boxes('usual.json')).not.toEqual(boxes('sized.json'));
});

test('data with other numbers for the same names get results under their own', async () => {
  const truth = JSON.parse(readFileSync(at('plain/annotations/instances_val.json'), 'utf8')) as {
    annotations: { category_id: number }[];
    categories: { id: number; name: string }[];
  };
  const other = (id: number): number => 500 - IDS.indexOf(id);
  for (const annotation of truth.annotations) annotation.category_id = other(annotation.category_id);
  for (const category of truth.categories) category.id = other(category.id);
  writeFileSync(at('other.json'), JSON.stringify(truth));
  const args = ['--gt', 'other.json', '--images', 'plain/val', '--results', 'other-found.json', '--no-save'];
  expect((await predict(...args, '--detections', '9')).code).toBe(0);
  const results = readResults('other-found.json');
  expect(results.length).toBeGreaterThan(5);
  for (const { category_id, category_name } of results) expect(category_name).toBe(NAMES[500 - category_id]);
  const evaluated = await program('evaluate', '--gt', 'other.json', '--dt', 'other-found.json', '--iou', 'bbox');
  expect([evaluated.code, evaluated.err.match(/^error .*/gm)]).toEqual([0, null]);
  // A class that the data do not have may be any of theirs by its number: refused as before.
  truth.categories[0]!.name = 'something else';
  writeFileSync(at('unknown.json'), JSON.stringify(truth));
  const refused = await predict('--gt', 'unknown.json', '--images', 'plain/val', '--no-save');
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('error LABEL_OUT_OF_RANGE')]);
});

describe('without options', () => {
  test('the newest run is taken, and said', async () => {
    const { code, out, err } = await predict('plain/val/000003.png');
    expect(code).toBe(0);
    expect(err).toMatch(/^weights: runs.mine \(the newest run here/m);
    expect(out).toMatch(/^(nothing found|(\d+ \w+(, )?)+)\n$/);
    expect(readdirSync(at('runs/predict'))).toEqual(['000003.png']);
  });

  test('val measures the newest run too', async () => {
    const { code, out, err } = await program('val', 'plain', '--no-losses', '--engine', 'onnxruntime');
    expect([code, err]).toEqual([0, expect.stringMatching(/^weights: runs.mine \(the newest run here/m)]);
    expect(out).toContain('Average Precision');
  });

  test('without a run and a network it is said what to do', async () => {
    mkdirSync(at('elsewhere'));
    process.chdir(at('elsewhere'));
    process.env['XDG_CACHE_HOME'] = at('elsewhere');
    try {
      const { code, err } = await predict('../plain/val/000003.png', '--offline');
      expect(code).toBe(1);
      expect(err).toMatch(/^weights: maskrcnn_resnet50_fpn \(published weights/m);
      expect(err).toMatch(/^error OFFLINE: .*no weights are named, no run is here.*--weights/m);
    } finally {
      process.chdir(root);
      delete process.env['XDG_CACHE_HOME'];
    }
  });

  test('without images it is said what to write', async () => {
    expect(await predict()).toMatchObject({ code: 2, err: expect.stringContaining('mask-rcnn predict photo.jpg') });
  });
});

test('predict and visualize see one photo alike', async () => {
  const results = await predict('plain/val/000003.png', '--json', '--no-save', '--weights', 'runs/mine');
  expect(results.out.trim().split('\n').length).toBeGreaterThan(1);
  const args = ['plain/val/000003.png', '--weights', 'runs/mine', '--out', 'drawn', '--engine', 'onnxruntime'];
  expect((await program('visualize', ...args)).code).toBe(0);
  expect(readdirSync(at('drawn'))).toEqual(['000003.png']);
});
