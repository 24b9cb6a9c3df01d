import { memoryEntry, memorySource, stateDict } from '@rcnn/checkpoint';
import { constant, GroupNorm, Random } from '@rcnn/core';
import { expectGradients, expectNoLeak } from '@rcnn/core/testing';
import { describeDetector } from '@rcnn/detector/testing';
import { useFastEngine } from '@rcnn/fixtures';
import { AnchorGenerator } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  fromFormerNames,
  giouLoss,
  RetinaNet,
  RetinaNetHead,
  type RetinaNetRecipeOptions,
  retinaNetClassesOf,
  retinaNetRecipeOf,
  retinaNetResnetFpn,
  retinaNetSmall,
} from '../src/index.ts';
import { selectObjects } from '../src/select-objects.ts';

beforeAll(useFastEngine);

/** Narrow, so that the contract is done in seconds; finds a few objects with its first weights. */
const tiny = (): RetinaNetRecipeOptions => ({
  numClasses: 3,
  planes: [8, 8, 16, 16],
  stemChannels: 8,
  fpnChannels: 32,
  headDepth: 1,
  minSize: 64,
  maxSize: 96,
  scoreThresh: 0.005,
  detectionsPerImg: 3,
  random: new Random(3),
});

const runner = { describe, test };
describeDetector('RetinaNet', () => retinaNetSmall(tiny()), runner);
describeDetector('RetinaNet, version 2', () => retinaNetSmall({ ...tiny(), version: 2 }), runner);

test.each(Array.from({ length: 20 }, (_, seed) => seed))('gradients of the loss by overlap, seed %i', (seed) => {
  const random = new Random(seed);
  const count = 1 + random.integer(4);
  const boxes = (): Float32Array =>
    Float32Array.from(
      Array.from({ length: count }).flatMap(() => {
        const [x, y] = [random.uniform(0, 20), random.uniform(0, 20)];
        return [x, y, x + random.uniform(2, 20), y + random.uniform(2, 20)];
      }),
    );
  const [anchors, truth] = [boxes(), boxes()];
  const deltas = Float32Array.from({ length: count * 4 }, () => 0.4 * random.normal());
  expectGradients(
    (values) => giouLoss(values as tf.Tensor2D, anchors, truth),
    (values) =>
      Array.from({ length: count }, (_, r) => {
        const [low, high] = [0, 1].map((c) => {
          const side = anchors[4 * r + c + 2]! - anchors[4 * r + c]!;
          const center = anchors[4 * r + c]! + side / 2 + values[4 * r + c]! * side;
          const half = (Math.exp(values[4 * r + c + 2]!) * side) / 2;
          return [center - half, center + half] as const;
        }) as [readonly [number, number], readonly [number, number]];
        const box = [low[0], high[0], low[1], high[1]];
        const gt = truth.subarray(4 * r, 4 * r + 4);
        const area = (b: ArrayLike<number>): number => (b[2]! - b[0]!) * (b[3]! - b[1]!);
        const span = (c: number): number => Math.max(0, Math.min(box[c + 2]!, gt[c + 2]!) - Math.max(box[c]!, gt[c]!));
        const both = span(0) * span(1);
        const either = area(box) + area(gt) - both;
        const hull = (c: number): number => Math.max(box[c + 2]!, gt[c + 2]!) - Math.min(box[c]!, gt[c]!);
        const around = hull(0) * hull(1);
        return 1 - (both / (either + 1e-7) - (around - either) / (around + 1e-7));
      }),
    [{ shape: [count, 4], values: deltas }],
    { absolute: 1e-3, relative: 1e-3 },
  );
});

test('no anchor of an object: an empty loss by overlap', async () => {
  await expectNoLeak(() => {
    const none = tf.zeros([0, 4]) as tf.Tensor2D;
    const loss = giouLoss(none, new Float32Array(), new Float32Array());
    expect(loss.shape).toEqual([0]);
    tf.dispose([none, loss]);
  });
});

test('the background is no object, whatever its score; a box may be found as two classes', () => {
  const anchors = [Float32Array.of(0, 0, 10, 10, 20, 20, 30, 30), Float32Array.of(0, 0, 40, 40)];
  const scores = Float32Array.of(0.9, 0.6, 0.7, 0.9, 0.04, 0.3, 0.9, 0.05, 0);
  const {
    boxes,
    labels,
    scores: found,
  } = selectObjects({ scores, deltas: new Float32Array(12) }, anchors, [25, 28], {});
  expect([...labels]).toEqual([2, 1, 2]);
  expect([...found].map((score) => score.toFixed(2))).toEqual(['0.70', '0.60', '0.30']);
  expect([...boxes.subarray(8)]).toEqual([20, 20, 28, 25]); // clipped to the image
});

test('the names that torchvision had before, and has today; classes and version of a file', async () => {
  const model = retinaNetResnetFpn({ body: 'resnet18', fpnChannels: 8, numClasses: 4, random: new Random(1) });
  const today = memorySource([...(await stateDict(model)).values()], 'today');
  const former = [...today.tensors.values()].map((entry) => ({
    ...entry,
    name: entry.name.replace(/(head\.\w+\.conv)\.(\d)\.0/, (_, at: string, i: string) => `${at}.${2 * Number(i)}`),
  }));
  const source = memorySource(former, 'former');
  expect(source.tensors.has('head.regression_head.conv.6.bias')).toBe(true);
  expect([...fromFormerNames(source).tensors.keys()].sort()).toEqual([...today.tensors.keys()].sort());
  expect(fromFormerNames(today)).toBe(today);
  expect([retinaNetRecipeOf(source), retinaNetClassesOf(source)]).toEqual(['retinanet_resnet18_fpn', 4]);
  model.dispose();
  const second = retinaNetResnetFpn({
    body: 'resnet18',
    fpnChannels: 32,
    version: 2,
    numClasses: 4,
    random: new Random(1),
  });
  const names = [...(await stateDict(second)).values()];
  expect(retinaNetRecipeOf(memorySource(names, 'v2'))).toBe('retinanet_resnet18_fpn_v2');
  expect(retinaNetRecipeOf(memorySource([memoryEntry('x', 'float32', [1], new Float32Array(1))], 'x'))).toBeUndefined();
  second.dispose();
});

test('a head for other anchors is refused', () => {
  const { transform, backbone, head } = retinaNetSmall(tiny());
  const anchors = new AnchorGenerator({ sizes: [[8], [16], [32], [64], [128]] });
  expect(() => new RetinaNet({ transform, backbone, anchors, head })).toThrow('made for other anchors');
  backbone.dispose();
  head.dispose();
});

test('a head takes norms and first weights from its options; its last layers begin as published', () => {
  const options = { inChannels: 16, anchorsPerCell: 9, numClasses: 5, random: new Random(1) };
  const norm = (channels: number): GroupNorm => new GroupNorm(channels, { groups: 4 });
  const head = new RetinaNetHead({ ...options, norm, initialiser: constant(0.5) });
  const weights = [...head.namedParameters()].filter(([, { value }]) => value.rank === 4);
  for (const [name, { value }] of weights) {
    const largest = Math.max(...value.dataSync().map(Math.abs));
    if (name.includes('.conv.')) expect([name, largest]).toEqual([name, 0.5]);
    else expect(largest).toBeLessThan(0.06);
  }
  expect(weights).toHaveLength(10);
  expect(head.namedParameters().has('regression_head.conv.3.1.weight')).toBe(true);
  head.dispose();
});

test('the head of the small one begins with weights of its own width, in either branch', () => {
  const model = retinaNetSmall({ numClasses: 5, random: new Random(1) });
  for (const branch of ['classification_head', 'regression_head']) {
    const { value } = model.namedParameters().get(`head.${branch}.conv.1.0.weight`)!;
    const values = value.dataSync<'float32'>();
    const deviation = Math.sqrt(values.reduce((sum, w) => sum + w * w, 0) / values.length);
    expect(deviation / Math.sqrt(2 / (9 * 64))).toBeCloseTo(1, 1);
  }
  model.dispose();
});
