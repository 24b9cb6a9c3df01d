import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLoader, usableSamples } from '../src/index.ts';
import { convertDataset, inspectDataset, openDataset, openOptionsOf, writeShapes } from '../src/node/index.ts';

const root = mkdtempSync(join(tmpdir(), 'coco-data-settings-'));
const file = join(root, 'annotations/instances_train.json');
beforeAll(async () => {
  await writeShapes(root, { splits: { train: 6 }, size: [48, 64], objects: [2, 2], tiny: 0 });
  const json = JSON.parse(readFileSync(file, 'utf8')) as {
    images: { id: number }[];
    annotations: { image_id: number; bbox: number[] }[];
  };
  // Image 0 without objects; image 1 with faulty objects alone.
  const [empty, faulty] = json.images.map(({ id }) => id);
  json.annotations = json.annotations.filter(({ image_id }) => image_id !== empty);
  for (const annotation of json.annotations) if (annotation.image_id === faulty) annotation.bbox[2] = 0;
  writeFileSync(file, JSON.stringify(json));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const open = (settings: Parameters<typeof openOptionsOf>[0]) => openDataset(root, openOptionsOf(settings));

describe('keepEmpty', () => {
  test('training takes images without objects as negatives when asked, and never one whose objects were dropped', async () => {
    const dataset = await open({ badSamples: 'skip' });
    expect(dataset.length).toBe(6);
    expect(dataset.trainable().length).toBe(4);
    const kept = dataset.trainable({ keepEmpty: true });
    expect(kept.length).toBe(5);
    expect(kept.images[0]).toBe(dataset.images[0]);
    const batches = createLoader(kept, { batchSize: 5, shuffle: false });
    for await (const { targets } of batches)
      expect(targets.map(({ labels }) => labels.length)).toEqual([0, 2, 2, 2, 2]);
  });

  test('false leaves them out of everything', async () => {
    expect((await open({ badSamples: 'skip', keepEmpty: false })).length).toBe(4);
    const options = openOptionsOf({ badSamples: 'skip', keepEmpty: false });
    expect((await convertDataset(root, join(root, 'copy'), options))[0]).toMatchObject({ images: 4 });
    const { report } = await inspectDataset(root, options);
    expect(report.splits[0]).toMatchObject({ images: 4, emptyImages: 0 });
  });
});

describe('badSamples and maxSkipRate', () => {
  const all = (length: number): number[] => Array.from({ length }, (_, i) => i);

  test('one bad image is always allowed, more than the share is not', async () => {
    const dataset = await open({ badSamples: 'skip' });
    const skipped: unknown[] = [];
    const take = async (maxSkipRate?: number): Promise<number> => {
      let count = 0;
      const options = { badSamples: 'skip', maxSkipRate, onSkip: (sample: unknown) => skipped.push(sample) } as const;
      for await (const { pixels } of usableSamples(dataset, all(6), options)) count += pixels.width > 0 ? 1 : 0;
      return count;
    };
    rmSync(join(root, 'train/000002.png'));
    expect(await take()).toBe(5);
    expect(skipped).toEqual([expect.objectContaining({ index: 2, message: expect.stringContaining('000002.png') })]);
    await expect(take(0)).rejects.toThrow('too many samples cannot be loaded: 1 of 6');
    rmSync(join(root, 'train/000003.png'));
    await expect(take()).rejects.toThrow(/2 of 6.*raise maxSkipRate \(--max-skip-rate\)/);
    expect(await take(0.5)).toBe(4);
    await expect(async () => {
      for await (const _ of usableSamples(dataset, all(6))) continue;
    }).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
  });
});

test('maxSkipRate counts each image once, also those that the annotations still name', async () => {
  const folder = mkdtempSync(join(root, 'paths-'));
  const images = Array.from({ length: 12 }, (_, i) => ({ id: i + 1, file_name: i < 3 ? `../${i}.png` : `${i}.png`, width: 64, height: 48 })); // biome-ignore format: one line
  const coco = { images, annotations: [], categories: [{ id: 1, name: 'dot' }] };
  writeFileSync(join(folder, 'a.json'), JSON.stringify(coco));
  const opened = (maxSkipRate: number) => openDataset(join(folder, 'a.json'), openOptionsOf({ badSamples: 'skip', maxSkipRate, images: folder })); // biome-ignore format: one line
  await expect(opened(0.2)).rejects.toThrow('too many images cannot be used: 3 of 12');
  expect((await opened(0.25)).length).toBe(9);
});

describe('maxSkipRate where a format is read by looking at every picture', () => {
  const annotated = (file: string): object => {
    const triangle = { name: 'polygon', all_points_x: [2, 20, 20], all_points_y: [2, 2, 20] };
    return { filename: file, size: 1, regions: [{ shape_attributes: triangle, region_attributes: {} }] };
  };

  /** VIA, with three of so many pictures not there. */
  async function part(pictures: number): Promise<(settings: Parameters<typeof openOptionsOf>[0]) => Promise<number>> {
    const folder = mkdtempSync(join(root, 'via-'));
    const files = Array.from({ length: pictures }, (_, i) => `${i}.png`);
    writeFileSync(join(folder, 'via_region_data.json'), JSON.stringify(Object.fromEntries(files.map((f) => [f, annotated(f)])))); // biome-ignore format: one line
    for (const name of files.slice(3)) copyFileSync(join(root, 'train/000004.png'), join(folder, name));
    return async (settings) => (await openDataset(folder, openOptionsOf({ badSamples: 'skip', ...settings }))).length;
  }

  test('more than the share is refused when it is opened, with count and a way on', async () => {
    const length = await part(12);
    await expect(length({})).rejects.toMatchObject({
      code: 'DATASET_INVALID',
      message: expect.stringContaining('too many images cannot be used: 3 of 12') as string,
      expected: 'at most 10 %',
      hint: expect.stringContaining('--max-skip-rate') as string,
    });
    expect(await length({ maxSkipRate: 0.25 })).toBe(9);
  });

  test('less than that is left out', async () => {
    const length = await part(30);
    expect(await length({})).toBe(27);
    await expect(length({ maxSkipRate: 0 })).rejects.toMatchObject({ code: 'DATASET_INVALID' });
  });
});

test('a split that is not there is an error to every function', async () => {
  const options = openOptionsOf({ split: 'test', badSamples: 'skip' });
  for (const work of [
    () => openDataset(root, options),
    () => inspectDataset(root, options),
    () => convertDataset(root, join(root, 'none'), options),
  ]) {
    await expect(work()).rejects.toMatchObject({ code: 'FILE_MISSING', expected: 'train' });
  }
});
