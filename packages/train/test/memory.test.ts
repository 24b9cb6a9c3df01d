import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { isRcnnError, Random } from '@rcnn/core';
import { architecture } from 'mask-rcnn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PartialConfig, type TrainEvent, train } from '../src/index.ts';
import { availableMemory, batchSizeOf, estimateMemory, requireMemory } from '../src/run/memory.ts';
import { ready } from './engine.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

beforeAll(() => ready);

/** Measured in MiB on Linux, 2 cores, onnxruntime, from scratch: `npm run bench -- memory`. */
const MEASURED: readonly [string, readonly [number, number], number, { rois?: number; slots?: number }, number][] = [
  ['maskrcnn_small', [96, 128], 2, { rois: 32, slots: 2 }, 726],
  ['maskrcnn_small', [256, 384], 4, { rois: 32, slots: 2 }, 1190],
  ['maskrcnn_small', [512, 768], 4, { rois: 32 }, 2736],
  ['maskrcnn_resnet18_fpn', [320, 480], 2, {}, 2313],
  ['maskrcnn_resnet50_fpn', [320, 480], 1, {}, 2508],
  ['maskrcnn_resnet50_fpn', [480, 640], 2, {}, 3718],
  ['maskrcnn_resnet50_fpn_v2', [320, 480], 1, {}, 3079],
  ['maskrcnn_resnet50_fpn', [800, 1333], 2, {}, 8889],
  ['maskrcnn_resnet18_fpn', [800, 1333], 2, {}, 5529],
  ['fasterrcnn_resnet50_fpn', [480, 640], 1, { rois: 128 }, 2896],
];

test.each(MEASURED)('%s, %j, %d images: near what was measured, and not below it', (arch, size, batch, more, peak) => {
  const model = architecture(arch)({ numClasses: 5, norm: 'batch', trainableStages: 5, random: new Random(1) });
  const { rois = 512, slots = 1 } = more;
  const imageSize = batchSizeOf([size], { minSize: size[0], maxSize: size[1] });
  const estimate = estimateMemory(model.namedParameters(), { batchSize: batch, imageSize, roisPerImage: rois, slots });
  model.dispose();
  expect(estimate / MiB / peak).toBeGreaterThan(0.95);
  expect(estimate / MiB / peak).toBeLessThan(1.35);
});

test('what is frozen at the bottom keeps no outputs', () => {
  const size = { batchSize: 2, imageSize: [800, 1344], roisPerImage: 512, slots: 1 } as const;
  const of = (trainableStages: number): number => {
    const model = architecture('maskrcnn_resnet50_fpn')({ numClasses: 91, trainableStages, random: new Random(1) });
    const estimate = estimateMemory(model.namedParameters(), size);
    model.dispose();
    return estimate;
  };
  expect(of(3)).toBeLessThan(0.8 * of(5));
});

test('the padded size is that of the largest images of one orientation', () => {
  const limits = { minSize: 800, maxSize: 1333 };
  expect(batchSizeOf([[480, 640]], limits)).toEqual([800, 1088]);
  expect(batchSizeOf([[480, 640], [100, 1000], [640, 480]], limits)).toEqual([800, 1344]); // biome-ignore format: sizes
});

describe('what does not fit', () => {
  // A stand-in that can be worked out by hand: a GiB for each image of 100 x 100, and one for the process.
  const estimate = ({ batchSize, minSize, maxSize }: { batchSize: number; minSize: number; maxSize: number }) =>
    GiB * (1 + (batchSize * minSize * maxSize) / 100 ** 2);
  const hintOf = (now: Parameters<typeof estimate>[0], available: number): string => {
    try {
      requireMemory(now, estimate, available * GiB);
    } catch (error) {
      if (isRcnnError(error, 'OUT_OF_MEMORY')) return `${error.found} / ${error.expected} / ${error.hint}`;
      throw error;
    }
    return 'fits';
  };

  test.each([
    [{ batchSize: 1, minSize: 100, maxSize: 100 }, 2, /^fits$/],
    [{ batchSize: 8, minSize: 100, maxSize: 100 }, 4, /4\.0 GiB available .* about 9\.0 GiB .*fits: --batch-size 2\. /],
    [{ batchSize: 1, minSize: 300, maxSize: 400 }, 4, /fits: --min-size 128 --max-size 192\. .*--memory ignore/],
    [{ batchSize: 4, minSize: 300, maxSize: 400 }, 4, /fits: --batch-size 1 --min-size 128 --max-size 192\./],
    [{ batchSize: 4, minSize: 300, maxSize: 400 }, 0.5, /No smaller batch or image fits; take a smaller architecture/],
  ])('%j in %d GiB', (now, available, expected) => expect(hintOf(now, available)).toMatch(expected));
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
    const all = { data: join(folder, 'data'), out: join(folder, 'runs'), engine: 'onnxruntime', workers: 0, ...config };
    const error = await train(all, { onEvent }).then(() => undefined, (thrown: unknown) => thrown); // biome-ignore format: one line
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
      hint: expect.stringMatching(/--batch-size|--min-size|smaller architecture/) as string,
    });
    expect(notes.some((text) => /^Memory: about \d/.test(text))).toBe(true);
    expect(readdirSync(folder)).toEqual(['data']);
  });

  test('this machine has some memory to begin with', () => expect(availableMemory()).toBeGreaterThan(64 * MiB));
});
