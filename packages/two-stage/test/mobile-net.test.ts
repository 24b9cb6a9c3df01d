import { readFileSync } from 'node:fs';
import { loadBackbone, loadStateDict, memoryEntry, memorySource, storedShape } from '@rcnn/checkpoint';
import { trainableParameters, valueAndGradients, withoutInitialising } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { readImages } from '@rcnn/detector';
import { above, hashedUnits, hashedWeights, relativeToMaximum, shareOfBoxesFound, useFastEngine } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { architectureOf } from '../src/from-checkpoint.ts';
import { architecture, type FasterRCNN, type RecipeOptions } from '../src/index.ts';

interface Answers {
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly pyramid: readonly {
    readonly shape: readonly [number, number, number, number];
    readonly maximum: number;
    /** Every `size / 24`-th value in the order of `[N, C, H, W]`. */
    readonly values: readonly number[];
  }[];
  readonly count: number;
  /** Of the best of them. */
  readonly boxes: readonly number[];
  readonly scores: readonly number[];
  readonly labels: readonly number[];
}

/** torchvision 0.29.2: `tools/reference/mobilenet_detectors.py`. */
const fixture = JSON.parse(
  readFileSync(new URL('fixtures/mobilenet-detectors.json', import.meta.url), 'utf8'),
) as Answers;

beforeAll(useFastEngine);

const OF_FIXTURE: RecipeOptions = { numClasses: 5, boxScoreThresh: 0, rpnScoreThresh: 0 };

const make = (name: string, options: RecipeOptions = {}): FasterRCNN =>
  withoutInitialising(() => architecture(name)({ ...OF_FIXTURE, ...options }));

describe('Faster R-CNN on MobileNetV3 large, as torchvision has it', () => {
  test.each(['fasterrcnn_mobilenet_v3_large_fpn', 'fasterrcnn_mobilenet_v3_large_320_fpn'])('names of %s', (name) => {
    const model = make(name);
    const ours = [...model.namedParameters()].map(([key, { shape, layout }]) => [key, storedShape(shape, layout)]);
    expect(Object.fromEntries(ours)).toEqual(fixture.tensors);
    model.dispose();
  });

  test('the pyramid and the boxes', async () => {
    const model = make('fasterrcnn_mobilenet_v3_large_320_fpn');
    await loadStateDict(model, hashedWeights(model, 'dev/'));
    for (const [name, parameter] of model.namedParameters()) {
      // As the fixture's script does it: else every score is 1, and which of two boxes is kept is up to their order.
      if (!/fpn\.inner_blocks\.\d\.0\.weight$/.test(name)) continue;
      const smaller = tf.div(parameter.value, 128);
      parameter.assign(smaller);
      smaller.dispose();
    }
    const picture = tf.tensor3d(Float32Array.from(hashedUnits('image', 96 * 128 * 3)), [96, 128, 3]);
    const batch = model.transform.forward(await readImages('test', [picture]));
    const errors: Record<string, number> = {};
    for (const [i, map] of model.backbone.forward(batch.images).entries()) {
      const { shape, maximum, values: expected } = fixture.pyramid[i]!;
      const [n, c, h, w] = shape;
      expect(map.shape).toEqual([n, h, w, c]);
      const channelsFirst = tf.tidy(() => tf.transpose(map, [0, 3, 1, 2]).dataSync<'float32'>());
      const step = Math.floor(channelsFirst.length / 24);
      const ours = expected.map((_, k) => channelsFirst[k * step]!);
      errors[`level ${i}`] = relativeToMaximum(ours, expected, maximum);
      map.dispose();
    }
    expect(above(errors, 1e-4)).toEqual({});
    const [found] = await model.detect([picture]);
    expect(found).toHaveLength(fixture.count);
    const best = found!.slice(0, fixture.scores.length);
    const boxes = Float32Array.from(best.flatMap(({ box }) => [...box]));
    for (const [i, score] of fixture.scores.entries()) expect(best[i]!.score).toBeCloseTo(score, 4);
    expect(best.map(({ label }) => label)).toEqual(fixture.labels);
    expect(shareOfBoxesFound(boxes, Float32Array.from(fixture.boxes), 0.02)).toBe(1);
    tf.dispose([batch.images, picture]);
    model.dispose();
  });
});

test.each([
  ['fasterrcnn_mobilenet_v3_large_fpn', 'fasterrcnn_mobilenet_v3_large_fpn'],
  ['fasterrcnn_mobilenet_v3_large_320_fpn', 'fasterrcnn_mobilenet_v3_large_fpn'], // the same tensors
  ['maskrcnn_mobilenet_v3_large_fpn', 'maskrcnn_mobilenet_v3_large_fpn'],
  ['maskrcnn_mobilenet_v3_large_320_fpn', 'maskrcnn_mobilenet_v3_large_320_fpn'],
])('a file of %s is told by its tensors', (name, expected) => {
  const model = make(name);
  const entries = [...model.namedParameters()].map(([key, { shape, layout }]) => {
    const stored = storedShape(shape, layout);
    return memoryEntry(key, 'uint8', stored, new Uint8Array(stored.reduce((a, b) => a * b, 1)));
  });
  expect(architectureOf(memorySource(entries, 'test'))).toBe(expected);
  model.dispose();
});

test('masks on a pyramid of strides 4 to 64, learning from nothing', async () => {
  const small = {
    numClasses: 3,
    fpnChannels: 16,
    boxFeatures: 32,
    minSize: 96,
    maxSize: 128,
    boxBatchSizePerImage: 16,
  };
  const model = architecture('maskrcnn_mobilenet_v3_large_320_fpn')({ ...small, norm: 'batch', trainableStages: 6 });
  expect((model as FasterRCNN).backbone.outputs.map(({ stride }) => stride)).toEqual([4, 8, 16, 32, 64]);
  const picture = tf.randomUniform<tf.Rank.R3>([96, 128, 3], 0, 1, 'float32', 1);
  const bitmap = new Uint8Array(96 * 128);
  for (let row = 20; row < 70; row++) bitmap.fill(1, row * 128 + 30, row * 128 + 90);
  const target = {
    boxes: Float32Array.of(30, 20, 90, 70),
    labels: Int32Array.of(1),
    masks: [Mask.fromBitmap(bitmap, [96, 128])],
  };
  const step = async (): Promise<number> => {
    const { loss, gradients } = await valueAndGradients(
      async () => ({ loss: tf.addN(Object.values(await model.losses([picture], [target]))) }),
      trainableParameters(model),
    );
    expect([...gradients.keys()].some((key) => key.startsWith('backbone.body.0.0.'))).toBe(true);
    const value = (await loss.data())[0]!;
    tf.dispose([loss, ...gradients.values()]);
    return value;
  };
  expect(await step()).toBeGreaterThan(0);
  await expectNoLeak(step);
  picture.dispose();
  model.dispose();
});

test('a classifier gives the body its weights', async () => {
  const model = make('maskrcnn_mobilenet_v3_large_320_fpn', { fpnChannels: 8, boxFeatures: 8 });
  const values = new Map<string, number>();
  const entries = [...model.namedParameters('')].flatMap(([name, { shape, layout }], i) => {
    if (!name.startsWith('backbone.body.')) return [];
    const stored = storedShape(shape, layout);
    const own = name.slice('backbone.body.'.length);
    values.set(name, i);
    const numbers = new Float32Array(stored.reduce((a, b) => a * b, 1)).fill(i);
    return [memoryEntry(`features.${own}`, 'float32', stored, numbers)];
  });
  const head = memoryEntry('classifier.3.weight', 'float32', [2, 2], new Float32Array(4));
  const { loaded } = await loadBackbone(model, memorySource([...entries, head], 'mobilenet_v3_large.pth'));
  expect(loaded).toHaveLength(entries.length);
  for (const [name, value] of values) {
    const first = tf.tidy(() => tf.max(model.namedParameters().get(name)!.value).dataSync()[0]);
    expect([name, first]).toEqual([name, value]);
  }
  model.dispose();
});
