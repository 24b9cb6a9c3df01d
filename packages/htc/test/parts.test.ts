import { BELOW_THRESHOLD } from '@rcnn/boxes';
import { Random } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { useFastEngine } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { BestBoxMatcher, HTCHeads, IGNORED, labelsOfMasks, SemanticBranch, semanticLoss } from '../src/index.ts';
import { meanOfFours } from '../src/mean-of-fours.ts';
import { maskStages, smallHeads } from './support.ts';

beforeAll(useFastEngine);

describe('the matcher of a stage', () => {
  const gt = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 8);

  test('a proposal goes to what it overlaps most, if that is enough', () => {
    const boxes = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 7, 0, 0, 10, 3, 5, 5, 5, 5);
    expect([...new BestBoxMatcher(0.5).matchBoxes(gt, boxes)]).toEqual([0, 1, BELOW_THRESHOLD, BELOW_THRESHOLD]);
  });

  test('the best proposal of an object is its own, even where it overlaps another one more; the later object has it', () => {
    const only = Float32Array.of(0, 0, 10, 10); // 1 with the first object, .8 with the second
    expect([...new BestBoxMatcher(0.5).matchBoxes(gt, only)]).toEqual([1]);
    expect([...new BestBoxMatcher(0.9).matchBoxes(gt, only)]).toEqual([0]); // .8 is not enough there
  });

  test('an overlap of exactly the threshold, in float32; no objects, no proposals', () => {
    const ofTen = Float32Array.of(0, 0, 10, 7);
    expect([...new BestBoxMatcher(0.7).matchBoxes(gt.subarray(0, 4), ofTen)]).toEqual([0]);
    expect([...new BestBoxMatcher(0.5).matchBoxes(new Float32Array(), ofTen)]).toEqual([BELOW_THRESHOLD]);
    expect(new BestBoxMatcher(0.5).matchBoxes(gt, new Float32Array())).toHaveLength(0);
  });
});

describe('semantic labels out of masks', () => {
  const grid = { cells: [3, 4], stride: 8, imageSize: [16, 25] } as const;

  test('labels of objects, the smaller one before the larger, nothing outside of the image', () => {
    const masks = [Mask.fromBox([8, 8, 4, 4], [16, 25]), Mask.fromBox([0, 0, 25, 9], [16, 25])];
    const target = { boxes: new Float32Array(8), labels: Int32Array.of(2, 5), masks };
    expect([...labelsOfMasks(target, grid, 0)!]).toEqual([5, 5, 5, 5, 5, 2, 5, 5, IGNORED, IGNORED, IGNORED, IGNORED]);
  });

  test('no objects: background', () => {
    const target = { boxes: new Float32Array(), labels: new Int32Array() };
    const labels = [...labelsOfMasks(target, grid, 0)!];
    expect(labels).toEqual([0, 0, 0, 0, 0, 0, 0, 0, IGNORED, IGNORED, IGNORED, IGNORED]);
  });

  test('ignored cells count in the divisor alone; all ignored is 0 with a gradient of 0', () => {
    const logits = tf.tensor4d([0, 0, 0, 0], [1, 1, 2, 2]);
    expect(semanticLoss(logits, Int32Array.of(1, IGNORED)).dataSync()[0]).toBeCloseTo(Math.log(2) / 2, 6);
    const none = Int32Array.of(IGNORED, IGNORED);
    const { value, grad } = tf.valueAndGrad((x) => semanticLoss(x as tf.Tensor4D, none))(logits);
    expect([value, grad].flatMap((part) => [...part.dataSync()]).every((part) => part === 0)).toBe(true);
  });
});

test('means of four cells are those of an average pool, and so are their gradients; no regions, no means', () => {
  const random = new Random(3);
  const values = (length: number) => Float32Array.from({ length }, () => random.uniform(-1, 1));
  const x = tf.tensor4d(values(2 * 6 * 6 * 5), [2, 6, 6, 5]);
  const dy = tf.tensor4d(values(2 * 3 * 3 * 5), [2, 3, 3, 5]);
  const ours = tf.valueAndGrad((map) => meanOfFours(map as tf.Tensor4D))(x, dy);
  const pool = tf.valueAndGrad((map) => tf.avgPool(map as tf.Tensor4D, 2, 2, 'valid'))(x, dy);
  expect(ours.value.shape).toEqual([2, 3, 3, 5]);
  expect(ours.grad.shape).toEqual(x.shape);
  for (const part of ['value', 'grad'] as const) {
    const wanted = pool[part].dataSync();
    for (const [at, found] of ours[part].dataSync().entries()) expect(found).toBeCloseTo(wanted[at]!, 6);
  }
  expect(meanOfFours(tf.zeros([0, 14, 14, 5])).shape).toEqual([0, 7, 7, 5]);
});

const SHAPES = [
  { semantic: true, flow: true, classes: 3 },
  { semantic: false, flow: false, classes: 3 },
] as const;

test.each(SHAPES)('no regions and no objects: losses that are finite, and nothing found (%o)', async (shape) => {
  const heads = smallHeads(shape);
  const maps = [8, 4, 2, 1, 1].map((side) => tf.zeros([1, side, side, 16]) as tf.Tensor4D);
  const sizes = [[32, 32]] as const;
  const nothing = { boxes: new Float32Array(), labels: new Int32Array(), masks: [] };
  const learn = (boxes: Float32Array) => heads.losses(maps, [boxes], [nothing], { sizes, random: new Random(1) });
  const values = async (boxes: Float32Array): Promise<Record<string, number>> => {
    const losses = await learn(boxes);
    const read = Object.entries(losses).map(([name, loss]) => [name, loss.dataSync()[0]!] as const);
    tf.dispose({ ...losses });
    return Object.fromEntries(read);
  };
  const empty = await values(new Float32Array());
  expect(Object.keys(empty)).toHaveLength(shape.semantic ? 10 : 9);
  expect(Object.values(empty)).toEqual(Object.values(empty).map(() => 0)); // its seven places have no labels of masks
  const background = await values(Float32Array.of(2, 2, 20, 20));
  expect(Object.values(background).every(Number.isFinite)).toBe(true);
  expect(background['loss_mask_stage0']).toBe(0);
  expect(background['loss_cls_stage2']).toBeGreaterThan(0);
  const none = { boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() };
  const [found] = await heads.detect(maps, [none], sizes);
  expect([found!.labels.length, found!.masks]).toEqual([0, []]);
  await expectNoLeak(() => heads.detect(maps, [none], sizes));
  tf.dispose(maps);
  heads.dispose();
});

test('a part that throws leaves nothing behind', async () => {
  const heads = smallHeads({ semantic: true, flow: true, classes: 3 });
  const maps = [8, 4, 2, 1, 1].map((side) => tf.zeros([1, side, side, 16]) as tf.Tensor4D);
  const target = { boxes: Float32Array.of(2, 2, 20, 20), labels: Int32Array.of(1) }; // it has no mask
  const learn = () => heads.losses(maps, [new Float32Array()], [target], { sizes: [[32, 32]] });
  await expect(learn()).rejects.toMatchObject({ code: 'TARGET_INVALID' });
  await expectNoLeak(() => learn().catch(() => {}));
  await expect(heads.detect(maps.slice(0, 2), [], [[32, 32]])).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  tf.dispose(maps);
  heads.dispose();
});

test('stages, thresholds, factors and weights must belong together', () => {
  const heads = smallHeads({ semantic: true, flow: true, classes: 3 });
  expect(heads.spec).toMatchObject({ numClasses: 3, learnsFrom: ['masks'], finds: ['boxes', 'masks'] });
  const pool = { forward: () => tf.zeros([0, 7, 7, 16]) as tf.Tensor4D };
  const masks = maskStages(true);
  expect(() => new HTCHeads({ boxPool: pool, boxes: [], maskPool: pool, masks })).toThrow('each stage needs');
  for (const { head, predictor, flow } of masks) for (const part of [head, predictor, flow]) part?.dispose();
  heads.dispose();
});

test('a semantic branch needs all its levels', () => {
  const branch = new SemanticBranch({ inChannels: 4, numClasses: 3, random: new Random(1) });
  const maps = [tf.zeros([1, 4, 4, 4]) as tf.Tensor4D];
  expect(() => branch.forward(maps)).toThrow('too few levels');
  tf.dispose(maps);
  branch.dispose();
});
