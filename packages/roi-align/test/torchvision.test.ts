import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import { drawn, expectClose } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, test } from 'vitest';
import { MultiScaleRoIAlign, maskTargets, roiAlign, roiPool } from '../src/index.ts';

interface Answers {
  rois: number[];
  maps: [n: number, h: number, w: number];
  scale: number;
  align: {
    channels: number;
    size: [number, number];
    ratio: number;
    aligned: boolean;
    output: number[];
    gradient: number[];
  }[];
  pool: { output: number[]; gradient: number[] };
  multi: { boxes: number[][]; output: number[]; levels: number[] };
  masks: { boxes: number[]; matched: number[]; targets: number[] };
}

/** Made by `tools/reference/blocks.py`. */
const answers = JSON.parse(readFileSync(new URL('fixtures/torchvision.json', import.meta.url), 'utf8')) as Answers;
const rois = Float32Array.from(answers.rois);
const tolerance = { absolute: 2e-6, relative: 2e-6 };

/** A map of drawn numbers, and what reaches its gradient when the output's is drawn too. */
function forwardAndBackward(
  channels: number,
  size: readonly [number, number],
  op: (features: tf.Tensor4D) => tf.Tensor4D,
): { output: tf.Tensor; gradient: tf.Tensor } {
  const [n, h, w] = answers.maps;
  const features = tf.tensor4d(drawn('roi/features', n * h * w * channels), [n, h, w, channels]);
  const count = rois.length / 5;
  const dy = tf.tensor4d(drawn('roi/dy', count * size[0] * size[1] * channels), [count, ...size, channels]);
  const gradient = tf.grad((x) => op(x as tf.Tensor4D))(features, dy);
  return { output: op(features), gradient };
}

const cases = answers.align.map(
  (answer) =>
    [
      `${answer.size} x ${answer.channels}, ratio ${answer.ratio}, ${answer.aligned ? 'aligned' : 'not aligned'}`,
      answer,
    ] as const,
);

describe.each(cases)('RoIAlign %s', (_, { channels, size, ratio, aligned, output, gradient }) => {
  const options = { outputSize: size, spatialScale: answers.scale, samplingRatio: ratio, aligned };
  const ours = forwardAndBackward(channels, size, (features) => roiAlign(features, rois, options));
  afterAll(() => tf.dispose(ours));

  test('reads every RoI, those at borders and outside too', () =>
    expectClose(ours.output.dataSync(), output, tolerance));
  test('gradient', () => expectClose(ours.gradient.dataSync(), gradient, { absolute: 1e-5, relative: 1e-5 }));
});

test('RoIPool and its gradient', () => {
  const ours = forwardAndBackward(3, [2, 3], (features) =>
    roiPool(features, rois, { outputSize: [2, 3], spatialScale: answers.scale }),
  );
  expect(ours.output.dataSync()).toEqual(Float32Array.from(answers.pool.output));
  expectClose(ours.gradient.dataSync(), answers.pool.gradient, tolerance);
  tf.dispose(ours);
});

test('a pyramid of two images: levels and values', () => {
  const pyramid = [4, 8, 16, 32].map((stride, i) => {
    const [h, w] = [608 / stride, 480 / stride];
    return tf.tensor4d(drawn(`multi/P${i}`, 2 * h * w * 3), [2, h, w, 3]);
  });
  const boxes = answers.multi.boxes.map((ofImage) => Float32Array.from(ofImage));
  const align = new MultiScaleRoIAlign({ outputSize: 5 });
  expect(boxes.flatMap((ofImage) => [...align.levels(ofImage)])).toEqual(answers.multi.levels);
  const output = align.forward(pyramid, boxes);
  expect(output.shape).toEqual([40, 5, 5, 3]);
  expectClose(output.dataSync(), answers.multi.output, tolerance);
  tf.dispose([output, ...pyramid]);
});

test('mask targets', () => {
  const bits = drawn('masks', 3 * 40 * 33).map((value) => (value > Math.fround(0.2) ? 1 : 0));
  for (let y = 0; y < 40; y++) {
    for (let x = 0; x < 33; x++) bits[(40 + y) * 33 + x] = y >= 8 && y < 30 && x >= 5 && x < 20 ? 1 : 0;
  }
  const masks = [0, 1, 2].map((i) => ({
    size: [40, 33] as const,
    bitmap: () => Uint8Array.from(bits.subarray(i * 40 * 33, (i + 1) * 40 * 33)),
    runLengths: () => expect.unreachable() as never,
  }));
  const { boxes, matched, targets } = answers.masks;
  expectClose(maskTargets(masks, Float32Array.from(boxes), matched), targets, tolerance);
});
