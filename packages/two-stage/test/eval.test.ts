import { loadStateDict } from '@rcnn/checkpoint';
import { type Detection, type PixelImage, type Pyramid, withoutInitialising } from '@rcnn/core';
import { type ImageBatch, readImages } from '@rcnn/detector';
import {
  above,
  Fixture,
  fixtureImage,
  hashedWeights,
  relativeToMaximum,
  sampleChannelsFirst,
  shareOfBoxesFound,
  useFastEngine,
} from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pyramidRoIAlign } from '../src/faster-rcnn.ts';
import {
  type FasterRCNN,
  fasterRcnnResnet50Fpn,
  maskRcnnResnet50Fpn,
  maskRcnnResnet50FpnV2,
  type Recipe,
} from '../src/index.ts';

const cases: readonly (readonly [string, Recipe, readonly ('a' | 'b')[]])[] = [
  ['eval_maskrcnn_resnet50_fpn', maskRcnnResnet50Fpn, ['a', 'b']],
  ['eval_maskrcnn_resnet50_fpn_v2', maskRcnnResnet50FpnV2, ['a', 'b']],
  ['eval_fasterrcnn_resnet50_fpn', fasterRcnnResnet50Fpn, ['a']],
];
const options = { minSize: 256, maxSize: 352, rpnPostNmsTopNTest: 200, boxDetectionsPerImg: 20 };
const levels = ['0', '1', '2', '3', 'pool'];

beforeAll(useFastEngine);

// torchvision 0.29.1's answers, made by the script that the folder of fixtures names. Tolerances: features 1e-4 of the
// map's largest value; boxes 0.05 pixels and scores 1e-3 of detections that are matched as sets.
describe.each(cases)('%s', (file, recipe, names) => {
  let fixture: Fixture;
  let model: FasterRCNN;
  let images: PixelImage[];
  let batch: ImageBatch;
  let features: Pyramid;
  let detections: Detection[][];

  beforeAll(async () => {
    fixture = await Fixture.read(new URL(`fixtures/${file}.safetensors`, import.meta.url));
    images = await Promise.all(names.map(fixtureImage));
    model = withoutInitialising(() => recipe(options));
    await loadStateDict(model, hashedWeights(model, fixture.salt));
    batch = model.transform.forward(await readImages('test', images));
    features = model.backbone.forward(batch.images);
    detections = await model.detect(images);
  });

  afterAll(() => {
    tf.dispose([batch.images, [...features]]);
    model.dispose();
  });

  test('the batch: sizes, padding and pixels', async () => {
    const [count, channels, height, width] = fixture.integers('batch.shape');
    expect(batch.images.shape).toEqual([count, height, width, channels]);
    expect(batch.placements.flatMap(({ size }) => [...size])).toEqual([...fixture.integers('batch.sizes')]);
    const pixels = sampleChannelsFirst(await batch.images.data(), batch.images.shape, { step: 16 });
    expect(relativeToMaximum(pixels, fixture.floats('batch.sample'))).toBeLessThan(1e-5);
  });

  test('the pyramid, level by level', async () => {
    for (const [i, level] of levels.entries()) {
      const map = features[i]!;
      const [count, channels, height, width] = fixture.integers(`features.${level}.shape`);
      expect(map.shape).toEqual([count, height, width, channels]);
      const [mean, deviation, maximum] = fixture.floats(`features.${level}.stats`) as unknown as [number, number, number]; // biome-ignore format: one list
      const values = await map.data();
      const step = Math.max(1, Math.floor(map.shape[2] / 12));
      const sample = sampleChannelsFirst(values, map.shape, { step, skip: 16 });
      expect(relativeToMaximum(sample, fixture.floats(`features.${level}.sample`), maximum)).toBeLessThan(1e-4);
      const ours = tf.tidy(() => {
        const { mean, variance } = tf.moments(map);
        return [
          ...mean.dataSync(),
          ...tf.sqrt(tf.mul(variance, map.size / (map.size - 1))).dataSync(),
          ...tf.max(tf.abs(map)).dataSync(),
        ];
      });
      expect(Math.abs(ours[0]! - mean) / maximum).toBeLessThan(1e-4);
      expect(Math.abs(ours[1]! - deviation) / maximum).toBeLessThan(1e-4);
      expect(Math.abs(ours[2]! - maximum) / maximum).toBeLessThan(1e-4);
    }
  });

  test('the outputs of the RPN, and its proposals', async () => {
    const outputs = model.rpn.forward(features);
    const errors: Record<string, number> = {};
    for (const i of [2, 3, 4]) {
      for (const [map, name] of [
        [outputs.logits[i]!, `rpn.objectness.${i}`],
        [outputs.deltas[i]!, `rpn.deltas.${i}`],
      ] as const) {
        const values = sampleChannelsFirst(await map.data(), map.shape);
        errors[name] = relativeToMaximum(values, fixture.floats(name));
      }
    }
    expect(above(errors, 1e-4)).toEqual({});
    const proposals = await model.rpn.propose(
      outputs,
      batch.placements.map(({ size }) => size),
      batch.paddedSize,
      'test',
    );
    for (const [i, { boxes }] of proposals.entries()) {
      const expected = fixture.floats(`proposals.${i}`);
      expect(boxes.length).toBe(expected.length);
      expect(shareOfBoxesFound(boxes, expected, 0.05)).toBeGreaterThanOrEqual(0.99);
    }
    tf.dispose([outputs.logits, outputs.deltas] as tf.TensorContainer);
  });

  test('the first pooled regions', async () => {
    const boxes = names.map((_, i) => fixture.floats(`proposals.${i}`).slice(0, 20 * 4));
    const pooled = pyramidRoIAlign(model.backbone.outputs, 7).forward(features, boxes);
    const values = sampleChannelsFirst(await pooled.data(), pooled.shape, { skip: 32 });
    expect(relativeToMaximum(values, fixture.floats('box_roi_pool.first20.sample'))).toBeLessThan(1e-4);
    pooled.dispose();
  });

  test('the detections: boxes, scores, labels', () => {
    for (const [i, found] of detections.entries()) {
      const pairs = matched(found, fixture, i);
      expect(pairs.length / fixture.floats(`detections.${i}.scores`).length).toBeGreaterThanOrEqual(0.99);
      expect(found.length).toBe(fixture.floats(`detections.${i}.scores`).length);
    }
  });

  test('the masks: area, soft sum and pixels', () => {
    for (const [i, found] of detections.entries()) {
      if (!fixture.has(`detections.${i}.mask_areas`)) {
        expect(found.every(({ mask }) => mask === undefined)).toBe(true);
        continue;
      }
      const { bitmaps } = fixture.bitmaps(`detections.${i}.masks`);
      for (const [detection, k] of matched(found, fixture, i)) {
        const bitmap = detection.mask!.bitmap();
        const area = bitmap.reduce((sum, bit) => sum + bit, 0);
        const expectedArea = fixture.integers(`detections.${i}.mask_areas`)[k]!;
        expect(Math.abs(area - expectedArea)).toBeLessThanOrEqual(1 + expectedArea * 1e-3);
        const soft = detection.mask!.soft().reduce((sum, value) => sum + value, 0);
        const expectedSoft = fixture.floats(`detections.${i}.mask_soft_sums`)[k]!;
        expect(Math.abs(soft / expectedSoft - 1)).toBeLessThan(1e-3);
        const expected = bitmaps[k];
        if (expected === undefined) continue;
        const different = bitmap.reduce((sum, bit, p) => sum + (bit === expected[p] ? 0 : 1), 0);
        expect(different).toBeLessThanOrEqual(1 + expectedArea * 1e-3);
      }
    }
  });
});

/** Pairs of a detection and its row in the fixture: same class, every side within 0.05 pixels, scores within 1e-3. */
function matched(found: readonly Detection[], fixture: Fixture, image: number): [Detection, number][] {
  const boxes = fixture.floats(`detections.${image}.boxes`);
  const scores = fixture.floats(`detections.${image}.scores`);
  const labels = fixture.integers(`detections.${image}.labels`);
  const free = new Set(scores.keys());
  return found.flatMap((detection): [Detection, number][] => {
    for (const k of free) {
      if (labels[k] !== detection.label || Math.abs(scores[k]! - detection.score) > 1e-3) continue;
      if (detection.box.some((side, c) => Math.abs(side - boxes[k * 4 + c]!) > 0.05)) continue;
      free.delete(k);
      return [[detection, k]];
    }
    return [];
  });
}
