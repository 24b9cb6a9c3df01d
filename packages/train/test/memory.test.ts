import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { isRcnnError, withoutInitialising } from '@rcnn/core';
import { architectures as all } from '@rcnn/models';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PartialConfig, type TrainEvent, train } from '../src/index.ts';
import { availableMemory, batchSizeOf, type MemoryOptions, requireMemory, withManyShapes } from '../src/run/memory.ts';
import { ready } from './engine.ts';

/** Without first weights: how many there are is all that counts here, and drawing them would take most of the time. */
const architectures = all.map((one) => ({
  ...one,
  build: (...args: Parameters<typeof one.build>) => withoutInitialising(() => one.build(...args)),
}));

const MiB = 2 ** 20;
const GiB = 2 ** 30;

beforeAll(() => ready);

test('the padded size is that of the largest images of one orientation', () => {
  const limits = { minSize: 800, maxSize: 1333 };
  expect(batchSizeOf([[480, 640]], limits)).toEqual([800, 1088]);
  expect(batchSizeOf([[480, 640], [100, 1000], [640, 480]], limits)).toEqual([800, 1344]); // biome-ignore format: sizes
});

test('batches of many shapes take three tenths more, and never more than the engine keeps', () => {
  expect(withManyShapes(4 * GiB)).toBe(5.2 * GiB);
  expect(withManyShapes(100 * GiB)).toBe(102 * GiB);
});

describe('what does not fit', () => {
  // A stand-in that can be worked out by hand: a GiB for each image of 100 x 100, and one for the process.
  const estimate = ({ batchSize, limits = { minSize: 100, maxSize: 100 } }: MemoryOptions): number =>
    GiB * (1 + (batchSize * limits.minSize * limits.maxSize) / 100 ** 2);
  const hintOf = (batchSize: number, [minSize, maxSize]: readonly number[], available: number): string => {
    const limits = minSize === undefined || maxSize === undefined ? undefined : { minSize, maxSize };
    try {
      requireMemory({ batchSize, limits }, estimate, available * GiB);
    } catch (error) {
      if (isRcnnError(error, 'OUT_OF_MEMORY')) return `${error.found} / ${error.expected} / ${error.hint}`;
      throw error;
    }
    return 'fits';
  };

  test.each([
    [1, [100, 100], 2, /^fits$/],
    [8, [100, 100], 4, /4\.0 GiB available .* about 9\.0 GiB .*fits: --batch-size 2\. /],
    [1, [300, 400], 4, /fits: --model\.min-size 128 --model\.max-size 192\. .*--memory ignore/],
    [4, [300, 400], 4, /fits: --batch-size 1 --model\.min-size 128 --model\.max-size 192\./],
    [4, [300, 400], 0.5, /No smaller batch or image fits; take a smaller architecture/],
    [8, [], 4, /fits: --batch-size 2\. /],
    [8, [], 1, /No smaller batch or image fits/],
  ])('%d images of %j in %d GiB', (batchSize, size, available, expected) =>
    expect(hintOf(batchSize, size, available)).toMatch(expected),
  );
});

describe('before the first step', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memory-'));
    await writeShapes(join(folder, 'data'), { splits: { train: 2 }, size: [32, 48] });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const start = async (config: PartialConfig): Promise<{ error: unknown; notes: string[] }> => {
    const notes: string[] = [];
    const onEvent = (event: TrainEvent): void => void (event.kind === 'note' && notes.push(event.text));
    const whole = {
      data: join(folder, 'data'),
      out: join(folder, 'runs'),
      engine: 'onnxruntime',
      workers: 0,
      ...config,
    };
    const error = await train(whole, { architectures, onEvent }).then(() => undefined, (thrown: unknown) => thrown); // biome-ignore format: one line
    return { error, notes };
  };

  const OVERSIZE = [1, 64, 4096, 2 ** 20].flatMap((batchSize) =>
    [
      { arch: 'maskrcnn_small', side: 2 ** 20 },
      { arch: 'maskrcnn_small', side: 2 ** 17 },
      { arch: 'fasterrcnn_resnet18_fpn', side: 2 ** 18 },
      { arch: 'maskrcnn_resnet50_fpn', side: 2 ** 17 },
      { arch: 'maskrcnn_resnet101_fpn', side: 2 ** 30 },
    ].map(({ arch, side }) => ({ arch, batchSize, minSize: side, maxSize: 2 * side })),
  );

  test.each(OVERSIZE)('$arch, $batchSize images of $minSize pixels: refused, nothing is made', async (config) => {
    const { error, notes } = await start(config);
    expect(error).toMatchObject({
      code: 'OUT_OF_MEMORY',
      hint: expect.stringMatching(/--batch-size|--model\.min-size|smaller architecture/) as string,
    });
    expect(notes.some((text) => /^Memory: about \d/.test(text))).toBe(true);
    expect(readdirSync(folder)).toEqual(['data']);
  });

  test('parts of images may be twice as long as wide, and one may stand beside one that lies', async () => {
    const needed = async (augment: 'hflip' | 'ssdlite'): Promise<number> => {
      const { error } = await start({ arch: 'maskrcnn_small', minSize: 2 ** 17, maxSize: 2 ** 20, augment });
      return Number.parseFloat(/about ([\d.]+)/.exec((error as { expected: string }).expected)![1]!);
    };
    const [whole, parts] = [await needed('hflip'), await needed('ssdlite')];
    expect(parts / whole).toBeGreaterThan(2.5); // images of 3:2: four squares instead of one and a half
    expect(parts / whole).toBeLessThan(2.8);
  });

  test('images of several shapes take what the engine keeps of them besides', async () => {
    const mixed = join(folder, 'mixed');
    const square = join(folder, 'square');
    cpSync(join(folder, 'data'), mixed, { recursive: true });
    await writeShapes(square, { splits: { train: 1 }, size: [32, 32] });
    cpSync(join(square, 'train', '000000.png'), join(mixed, 'train', '000001.png'));
    const file = join(mixed, 'annotations', 'instances_train.json');
    const { images, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as { images: { width: number }[] };
    writeFileSync(file, JSON.stringify({ ...rest, images: [images[0], { ...images[1], width: 32 }] }));
    const needed = async (data: string): Promise<number> => {
      const { error } = await start({ data, arch: 'maskrcnn_small', minSize: 2 ** 17, maxSize: 2 ** 20 });
      return Number.parseFloat(/about ([\d.]+)/.exec((error as { expected: string }).expected)![1]!);
    };
    expect((await needed(mixed)) - (await needed(join(folder, 'data')))).toBeCloseTo(2, 0);
    for (const copy of [mixed, square]) rmSync(copy, { recursive: true });
  });

  test('a training size of its own is what the hint makes smaller', async () => {
    const side = 2 ** 14;
    const big = { arch: 'maskrcnn_small', batchSize: 1, maxSize: 2 * side };
    const hintOf = async (config: PartialConfig): Promise<string> =>
      ((await start({ ...big, ...config })).error as { hint: string }).hint;
    expect(await hintOf({ model: { minSize: 64, trainMinSize: side } })).toMatch(/fits: --model\.train-min-size \d/);
    expect(await hintOf({ minSize: side })).toMatch(/fits: --model\.min-size \d/);
  });

  test('this machine has some memory to begin with', () => expect(availableMemory()).toBeGreaterThan(64 * MiB));
});
