import '@rcnn/tfjs-backend-onnxruntime';
import { pairwiseIoU } from '@rcnn/boxes';
import { Random } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { focalLoss } from '../src/focal-loss.ts';
import { drawShapes, SIDE } from '../src/shapes.ts';
import { train } from '../src/train.ts';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

test('the blocks learn to find shapes, and leave no tensor behind', async () => {
  const before = tf.memory().numTensors;
  const losses: number[] = [];
  const detector = await train({ steps: 60, seed: 1, onStep: (_, loss) => losses.push(loss) });
  const mean = (part: number[]): number => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  expect(mean(losses.slice(-10))).toBeLessThan(0.5 * mean(losses.slice(0, 10)));

  const random = new Random(99);
  let objects = 0;
  let found = 0;
  for (let i = 0; i < 12; i++) {
    const { pixels, target } = drawShapes(random);
    const image = tf.tensor4d(pixels, [1, SIDE, SIDE, 3]);
    const detections = await detector.detect(image);
    image.dispose();
    const iou = pairwiseIoU(target.boxes, Float32Array.from(detections.flatMap(({ box }) => box)));
    objects += target.labels.length;
    found += target.labels.filter((_, gt) => detections.some((_, d) => iou[gt * detections.length + d]! > 0.5)).length;
  }
  expect(found / objects).toBeGreaterThan(0.5);
  detector.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('the focal loss weighs the wrong, and agrees with its formula', () => {
  const logits = tf.tensor1d([2, 2]);
  const [right, wrong] = focalLoss(logits, tf.tensor1d([1, 0])).dataSync() as unknown as [number, number];
  const p = 1 / (1 + Math.exp(-2));
  expect(right).toBeCloseTo(-0.25 * (1 - p) ** 2 * Math.log(p), 6);
  expect(wrong).toBeCloseTo(-0.75 * p ** 2 * Math.log(1 - p), 5);
});
