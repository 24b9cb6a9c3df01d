import { adviseSizes, objectSizes, type SizeAdvice, type SizedImage } from '@rcnn/coco-data';
import { statNames } from '@rcnn/coco-eval';
import { BatchNorm, FrozenBatchNorm, type Norm } from '@rcnn/core';
import { localGroups, SharedNorms } from '@rcnn/distributed';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PartialConfig } from '../src/config/options.ts';
import { resolveConfig } from '../src/config/resolve.ts';
import type { MetricsLine } from '../src/files/metrics.ts';
import { nextSteps, type RunFacts } from '../src/report/next-steps.ts';
import { normWarnings } from '../src/run/norm-warnings.ts';
import { type RecipeFacts, recipeWarnings } from '../src/run/recipe-warnings.ts';
import { ready } from './engine.ts';

/** Images of one size, each with so many squares. */
function images(
  count: number,
  side: number,
  { size = [480, 640], objects = 3 }: { size?: SizedImage['size']; objects?: number } = {},
): SizedImage[] {
  const boxes = Array.from({ length: objects }, (): SizedImage['boxes'][number] => [0, 0, side, side]);
  return Array.from({ length: count }, () => ({ size, boxes }));
}

const advice = (set: readonly SizedImage[]): SizeAdvice => adviseSizes(objectSizes(set)!);

describe('image size, anchors and limits by the sizes of the objects', () => {
  test('large objects: the smallest images and the usual anchors', () => {
    const { minSize, anchorSizes, detections, options } = advice(images(20, 200));
    expect({ minSize, anchorSizes, detections }).toEqual({
      minSize: 256,
      anchorSizes: undefined,
      detections: undefined,
    });
    expect(options).toBe('--model.min-size 256 --model.max-size 448');
  });

  test('small objects: images large enough for 16 pixels, and anchors that reach down to them', () => {
    const { minSize, anchorSizes, options } = advice(images(20, 16, { size: [512, 512] }));
    expect(minSize).toBe(512); // 16 of 512 pixels
    expect(anchorSizes).toEqual([16, 32, 64, 128, 256]);
    expect(options).toContain('--model.anchor-sizes 16,32,64,128,256');
  });

  test('images are not enlarged more than twice; the anchors go further down instead', () => {
    const { minSize, anchorSizes, because } = advice(images(20, 6, { size: [256, 256] }));
    expect(minSize).toBe(512);
    expect(anchorSizes).toEqual([16, 32, 64, 128, 256]); // 12 pixels: three quarters of 16
    expect(because.join(' ')).toMatch(/below 12 pixels/);
  });

  test('objects of a few pixels are said to need tiles', () => {
    const { anchorSizes, because } = advice(images(20, 3, { size: [256, 256] }));
    expect(anchorSizes![0]).toBe(8);
    expect(because.join(' ')).toMatch(/tiles/);
  });

  test('objects of all sizes: anchors are spread from the smallest to the largest', () => {
    const set = [...images(20, 8, { size: [640, 640] }), ...images(20, 600, { size: [640, 640] })];
    const { minSize, anchorSizes } = advice(set);
    expect(minSize).toBe(1024);
    expect(anchorSizes![0]).toBe(16);
    expect(anchorSizes!.at(-1)).toBeGreaterThanOrEqual(512);
    expect([...anchorSizes!].sort((a, b) => a - b)).toEqual(anchorSizes);
  });

  test('more objects than the usual limit raise it', () => {
    expect(advice(images(2, 100, { objects: 100 })).detections).toBeUndefined();
    expect(advice(images(2, 100, { objects: 101 })).detections).toBe(150);
    expect(advice(images(2, 100, { objects: 101 })).options).toContain('--model.detections 150');
  });

  test('panoramas keep their shape', () => {
    expect(advice(images(2, 200, { size: [400, 1600] })).maxSize).toBe(1024);
  });
});

function warned(config: PartialConfig, more: Partial<RecipeFacts> = {}): string[] {
  return recipeWarnings({
    config: resolveConfig({ data: 'photos', weights: 'maskrcnn_resnet50_fpn', ...config }),
    totalSteps: 1000,
    processes: 1,
    images: images(600, 100),
    weights: 44_000_000,
    sides: { minSize: 480, maxSize: 640 },
    known: { anchorSizes: {} },
    ...more,
  });
}

describe('what cannot work is said before the run', () => {
  test('a recipe that can is left alone', () => {
    for (const preset of ['torchvision', 'few']) expect(warned({ preset })).toEqual([]);
    expect(warned({ preset: 'quick', weights: 'none' }, { weights: 6_000_000, images: images(160, 30) })).toEqual([]);
  });

  test('8 pictures and random weights', () => {
    const [text, ...rest] = warned({ weights: 'none' }, { images: images(8, 100) });
    expect(rest).toEqual([]);
    expect(text).toMatch(/^8 images cannot teach 44 million random weights.*--weights-backbone/);
    expect(warned({ weights: 'none', weightsBackbone: 'resnet50' }, { images: images(8, 100) })).toEqual([]);
    expect(warned({}, { images: images(8, 100) })).toEqual([]);
    const small = { weights: 6_000_000 };
    expect(warned({ weights: 'none' }, { ...small, images: images(19, 100) })[0]).toMatch(/^19 images.*6\.0 million/);
    expect(warned({ weights: 'none' }, { ...small, images: images(20, 100) })).toEqual([]);
  });

  test('40 steps', () => {
    expect(warned({}, { totalSteps: 40 })).toEqual([expect.stringMatching(/^40 steps are over.*--steps 300/)]);
    expect(warned({}, { totalSteps: 41 })).toEqual([]);
    const body = { weights: 'none', weightsBackbone: 'resnet50' } as const;
    expect(warned(body, { totalSteps: 100 })).toEqual([expect.stringMatching(/^100 steps .*new heads/)]);
    expect(warned(body, { totalSteps: 101 })).toEqual([]);
  });

  test('a warm-up that the training does not outlast', () => {
    const [text] = warned({ warmupSteps: 1001 });
    expect(text).toMatch(/warm-up of 1001 steps does not end.*--warmup-steps 100/);
    expect(warned({ preset: 'balloon' })).toEqual([]); // ends with the run, on purpose
  });

  test('a learning rate for another batch', () => {
    expect(warned({ learningRate: 0.02 })).toEqual([
      expect.stringMatching(/0\.02 belongs to about 16 images a step, and this recipe has 2: it will diverge.*0\.0025/),
    ]);
    expect(warned({ learningRate: 0.02, batchSize: 2, accumulate: 8 })).toEqual([]);
    expect(warned({ learningRate: 1e-6 })).toEqual([expect.stringMatching(/hardly anything/)]);
    expect(warned({ learningRate: 0.01, batchSize: 2 })).toEqual([]);
    expect(warned({ optimizer: 'adamw', learningRate: 0.02 })).toEqual([expect.stringMatching(/AdamW/)]);
    expect(warned({ optimizer: 'adamw', learningRate: 1e-3 })).toEqual([]);
  });

  test('sizes to learn from that are not the ones to predict on', () => {
    const sides = { minSize: 800, maxSize: 1333, trainingSizes: [320, 384] };
    const [text] = warned({ augment: 'hflip' }, { sides });
    expect(text).toMatch(/^Images of 384 pixels.*800.*'hflip'.*--augment ssdlite, or --model\.min-size 384\./);
    expect(warned({ augment: 'ssdlite' }, { sides })).toEqual([]);
    expect(warned({ augment: 'hflip' }, { sides: { ...sides, trainingSizes: [640, 672] } })).toEqual([]);
  });

  test('more objects in a picture than the model gives back', () => {
    const crowded = [...images(5, 100), ...images(2, 100, { objects: 140 })];
    const text = warned({}, { images: crowded })[0];
    expect(text).toMatch(/^2 images of 7 have more objects \(up to 140\).*100.*--model\.detections 200/);
    expect(warned({ model: { detections: 140 } }, { images: crowded })).toEqual([]);
  });

  test('objects that the resizing makes smaller than the smallest anchor', () => {
    const set = images(50, 30, { size: [960, 1280] }); // 15 pixels at half the size
    expect(warned({}, { images: set })[0]).toMatch(
      /^150 of 150 objects .* half of the smallest anchor \(32 pixels\).*--model\.anchor-sizes/,
    );
    expect(warned({}, { images: set, sides: { minSize: 960, maxSize: 1280 } })).toEqual([]);
    expect(warned({ model: { anchorSizes: [16, 32, 64, 128, 256] } }, { images: set })).toEqual([]);
    expect(warned({}, { images: set, known: {} })).toEqual([]);
    expect(warned({}, { images: set, sides: undefined })).toEqual([]);
    const few = [...images(19, 100, { size: [960, 1280] }), ...images(1, 30, { size: [960, 1280] })];
    expect(warned({}, { images: few })).toEqual([]); // one in twenty
  });
});

const steps = (losses: readonly number[]): MetricsLine[] =>
  losses.map((loss, i) => ({ kind: 'step', step: i + 1, epoch: 0, loss }));
const epochs = (values: readonly number[]): MetricsLine[] =>
  values.map((value, i) => ({ kind: 'epoch', step: (i + 1) * 100, epoch: i, 'segm/AP': value, 'bbox/AP': 0.9 }));
const falling = steps(Array.from({ length: 100 }, (_, i) => 3 / (1 + i / 10)));

function evaluation(stats: Readonly<Record<string, number>>): RunFacts['evaluation'] {
  const values = statNames('segm').map((name) => stats[name] ?? -1);
  return {
    epoch: 0,
    images: 5,
    losses: {},
    seconds: 1,
    results: { segm: { stats: values, summary: '', classes: [] } },
  };
}

const next = (facts: Partial<RunFacts>): string[] =>
  nextSteps({
    metrics: falling,
    evaluation: evaluation({ AP: 0.5, APs: 0.4, APl: 0.5 }),
    rates: { precision: 0.8, recall: 0.8 },
    folder: 'runs/a',
    ...facts,
  });

describe('what the report says to change next', () => {
  test('nothing where nothing stands out, and silence before anything was measured', () => {
    expect(next({ metrics: [...falling, ...epochs([0.3, 0.5, 0.5])] })).toEqual([
      expect.stringMatching(/^Nothing stands out/),
    ]);
    expect(next({ evaluation: undefined, rates: undefined })).toEqual([]);
  });

  test('a loss that does not fall', () => {
    expect(next({ metrics: steps(new Array<number>(100).fill(2)) })[0]).toMatch(/loss has not fallen \(2\.00.*2\.00/);
    expect(next({ metrics: falling.slice(0, 20) })[0]).toMatch(/^20 steps are too few.*--resume runs\/a/);
  });

  test('nothing found, still rising, past its best', () => {
    expect(next({ metrics: [...falling, ...epochs([0, 0.001])] })[0]).toMatch(/^No masks are found yet/);
    expect(next({ metrics: [...falling, ...epochs([0.1, 0.3, 0.5])] })[0]).toMatch(
      /still rising.*0\.300, then 0\.500.*--steps 150/,
    );
    expect(next({ metrics: [...falling, ...epochs([0.5, 0.4, 0.3, 0.3])] })[0]).toMatch(
      /best at step 100 \(0\.500\).*--augment/,
    );
  });

  test('small objects far behind', () => {
    const text = next({ evaluation: evaluation({ AP: 0.4, APs: 0.1, APm: 0.6 }) })[0];
    expect(text).toMatch(/AP 0\.100 and 0\.600.*mask-rcnn doctor/);
    expect(text).toMatch(/mask-rcnn val DATA --weights runs\/a --min-size 1200 .*--augment ssdlite/);
    expect(next({ evaluation: evaluation({ AP: 0.4, APm: 0.6 }) })[0]).toMatch(/^Nothing/); // there are none
    const middle = next({ evaluation: evaluation({ AP: 0.4, APm: 0.1, APl: 0.7 }) })[0];
    expect(middle).toMatch(/^Objects of middle size .*AP 0\.100 and 0\.700/);
    expect(next({ evaluation: evaluation({ AP: 0.4, APs: 0.6, APm: 0.6, APl: 0.7 }) })[0]).toMatch(/^Nothing/);
  });

  test('much missed, or much that is wrong', () => {
    expect(next({ rates: { precision: 0.9, recall: 0.4 } })[0]).toMatch(/only 40 % of the objects are found/);
    expect(next({ rates: { precision: 0.3, recall: 0.8 } })[0]).toMatch(
      /only 30 % of the detections are right.*--keep-empty/,
    );
  });
});

describe('synchronised norms that were asked for', () => {
  beforeAll(() => ready);

  const warningsOf = (make: (norms: SharedNorms) => Norm, syncBatchNorm = true): string[] => {
    const norms = new SharedNorms(localGroups(2)[0]!);
    const norm = make(norms);
    return normWarnings({ syncBatchNorm, arch: 'mine' }, norm.namedParameters('bn1.'), norms);
  };

  test('nothing is said where they are there, nor where nobody asked', () => {
    expect(warningsOf((norms) => norms.make(4))).toEqual([]);
    expect(warningsOf(() => new BatchNorm(4), false)).toEqual([]);
  });

  test('frozen norms are said to have no use for it', () => {
    expect(warningsOf(() => new FrozenBatchNorm(4)).join()).toMatch(
      /changes nothing: no batch norm of this model learns/,
    );
  });

  test('those that an architecture makes itself are counted', () => {
    expect(warningsOf(() => new BatchNorm(4)).join()).toMatch(
      /^1 of 1 batch norms that learn are not synchronised: mine/,
    );
  });
});
