import '@tensorflow/tfjs-backend-cpu';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { alignBackward, alignForward } from '../src/align-in-js.ts';
import { alignBackwardInWasm, alignForwardInWasm } from '../src/align-in-wasm.ts';
import { alignOnDevice } from '../src/align-on-device.ts';
import { alignRoIs } from '../src/align-rois.ts';
import { roiAlign } from '../src/index.ts';
import type { RandomCase } from './random-case.ts';
import { randomCase } from './random-case.ts';
import { reference } from './reference.ts';

const tolerance = { absolute: 2e-6, relative: 2e-6 };

/** Runs one of the two implementations on arrays. */
function run(
  [forward, backward]: [
    typeof alignForward | typeof alignForwardInWasm,
    typeof alignBackward | typeof alignBackwardInWasm,
  ],
  { maps, values, rois, shape, gradient }: RandomCase,
): { output: Float32Array; gradients: Float32Array[] } {
  const output = new Float32Array(gradient.length);
  const gradients = values.map((map) => new Float32Array(map.length));
  forward(values, maps, rois, shape, output);
  backward(gradient, maps, rois, shape, gradients);
  return { output, gradients };
}

describe.each(Array.from({ length: 24 }, (_, seed) => seed))('against float64, seed %i', (seed) => {
  const example = randomCase(seed);
  const truth = reference(example);

  test.each([
    ['the SIMD kernel', alignForwardInWasm, alignBackwardInWasm],
    ['plain JavaScript', alignForward, alignBackward],
  ] as const)('%s', (_, forward, backward) => {
    const { output, gradients } = run([forward, backward], example);
    expectClose(output, truth.output, tolerance);
    gradients.forEach((gradient, level) => {
      expectClose(gradient, truth.gradients[level]!, { absolute: 1e-5, relative: 1e-5 });
    });
  });

  test('plain tfjs ops', () => {
    const { maps, values, rois, shape, gradient } = example;
    const features = maps.shapes.map(({ height, width }, i) =>
      tf.tensor4d(values[i]!, [maps.images, height, width, maps.channels]),
    );
    const { value, gradFunc } = alignOnDevice(features, maps, rois, shape);
    expectClose(value.dataSync(), truth.output, tolerance);
    const dy = tf.tensor4d(gradient, value.shape);
    const gradients = gradFunc(dy);
    gradients.forEach((ours, level) => {
      expectClose(ours.dataSync(), truth.gradients[level]!, { absolute: 1e-5, relative: 1e-5 });
      expect(ours.shape).toEqual(features[level]!.shape);
    });
    tf.dispose([features, value, dy, gradients]);
  });

  test('as an operation with a gradient', () => {
    const { maps, values, rois, shape, gradient } = example;
    const features = maps.shapes.map(({ height, width }, i) =>
      tf.tensor4d(values[i]!, [maps.images, height, width, maps.channels]),
    );
    const scales = maps.shapes.map(({ scale }) => scale);
    const op = (...features: tf.Tensor[]): tf.Tensor4D => alignRoIs(features as tf.Tensor4D[], scales, rois, shape);
    const dy = tf.tensor4d(gradient, [rois.count, shape.height, shape.width, maps.channels]);
    const { value, grads } = tf.valueAndGrads(op)(features, dy);
    expectClose(value.dataSync(), truth.output, tolerance);
    grads.forEach((ours, level) => {
      expectClose(ours.dataSync(), truth.gradients[level]!, { absolute: 1e-5, relative: 1e-5 });
    });
    tf.dispose([value, grads, features, dy]);
  });
});

test('the kernel runs here, so the tests above mean something', () => {
  const { maps, values, rois, shape, gradient } = randomCase(0);
  expect(alignForwardInWasm(values, maps, rois, shape, new Float32Array(gradient.length))).toBe(true);
});

test('many RoIs over the same cells: the map is kept whole, and gives the same', () => {
  const example = randomCase(1);
  const { rois } = example;
  const times = 300;
  const again = <T extends Float32Array | Int32Array>(values: T): T => {
    const repeated = new (values.constructor as new (size: number) => T)(values.length * times);
    for (let i = 0; i < times; i++) repeated.set(values, i * values.length);
    return repeated;
  };
  const crowded = {
    ...example,
    gradient: again(example.gradient),
    rois: {
      count: rois.count * times,
      boxes: again(rois.boxes),
      images: again(rois.images),
      levels: again(rois.levels),
    },
  };
  const { output } = run([alignForwardInWasm, alignBackwardInWasm], crowded);
  expectClose(output, reference(crowded).output, tolerance);
});

test('a map of 256 channels after a larger and a smaller one: nothing of one call is left in the next', () => {
  for (const seed of [5, 11, 5, 2]) {
    const example = randomCase(seed);
    const { output, gradients } = run([alignForwardInWasm, alignBackwardInWasm], example);
    const truth = reference(example);
    expectClose(output, truth.output, tolerance);
    for (const [level, gradient] of gradients.entries()) {
      expectClose(gradient, truth.gradients[level]!, { absolute: 1e-5, relative: 1e-5 });
    }
  }
});

test('plain ops leave no tensor behind', async () => {
  const { maps, values, rois, shape } = randomCase(5);
  const features = maps.shapes.map(({ height, width }, i) =>
    tf.tensor4d(values[i]!, [maps.images, height, width, maps.channels]),
  );
  await expectNoLeak(() => {
    const { value, gradFunc } = alignOnDevice(features, maps, rois, shape);
    tf.dispose([value, gradFunc(value)]);
  });
});

test('no tensor is gained, with or without gradients, with or without RoIs', async () => {
  const features = tf.ones<tf.Rank.R4>([2, 5, 6, 8]);
  for (const rois of [Float32Array.of(0, 1, 1, 4, 5, 1, 0, 0, 3, 3), new Float32Array()]) {
    const op = (x: tf.Tensor): tf.Tensor => roiAlign(x as tf.Tensor4D, rois, { outputSize: 3 });
    await expectNoLeak(() => {
      op(features).dispose();
      tf.grad((x) => tf.sum(op(x)))(features).dispose();
    });
  }
});
