import { readFileSync } from 'node:fs';
import { loadStateDict, storedShape } from '@rcnn/checkpoint';
import {
  type ParameterOwner,
  trainableParameters,
  useEngine,
  valueAndGradients,
  withoutInitialising,
} from '@rcnn/core';
import { above, hashedUnits, hashedWeights, relativeToMaximum } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { MobileNet, type MobileNetName, mobileNetNameOf } from '../src/index.ts';

interface Block {
  /** `[N, C, H, W]` */
  readonly shape: readonly [number, number, number, number];
  readonly mean: number;
  readonly maximum: number;
  /** Every `size / 24`-th value in the order of `[N, C, H, W]`. */
  readonly values: readonly number[];
}

interface Answers {
  readonly blocks: readonly Block[];
  /** Norm by parameter, for the mean square of the last map. */
  readonly gradients: Readonly<Record<string, number>>;
  /** Shapes in PyTorch's layout at full width. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

/** torchvision 0.29.2 at half width, two images of 69 x 101: `tools/reference/mobilenet_bodies.py`. */
const fixture = JSON.parse(readFileSync(new URL('fixtures/bodies.json', import.meta.url), 'utf8')) as Readonly<
  Record<MobileNetName, Answers>
>;

beforeAll(() => useEngine('onnxruntime'));

describe.each(Object.entries(fixture) as [MobileNetName, Answers][])('%s', (name, { blocks, gradients, tensors }) => {
  test('parameters have torchvision’s names and shapes', () => {
    const network = withoutInitialising(() => new MobileNet({ name }));
    const ours = [...network.namedParameters()].map(([key, { shape, layout }]) => [key, storedShape(shape, layout)]);
    expect(Object.fromEntries(ours)).toEqual(tensors);
    network.dispose();
    expect(mobileNetNameOf((key) => tensors[key])).toBe(name);
  });

  test('every block and every gradient is torchvision’s', async () => {
    const outputBlocks = blocks.map((_, i) => i);
    const network = withoutInitialising(() => new MobileNet({ name, width: 0.5, outputBlocks }));
    const named: ParameterOwner = { namedParameters: () => network.namedParameters('body.'), dispose: () => {} };
    await loadStateDict(named, hashedWeights(named, 'dev/'));
    const images = testImages();
    const wrong: Record<string, number> = {};
    for (const [i, map] of network.forward(images).entries()) {
      const { shape, mean, maximum, values } = blocks[i]!;
      const [count, channels, height, width] = shape;
      expect(map.shape).toEqual([count, height, width, channels]);
      const channelsFirst = tf.tidy(() => tf.transpose(map, [0, 3, 1, 2]).dataSync<'float32'>());
      const step = Math.floor(channelsFirst.length / 24);
      const ours = values.map((_, k) => channelsFirst[k * step]!);
      const meanError = Math.abs(channelsFirst.reduce((sum, v) => sum + v, 0) / map.size - mean) / maximum;
      wrong[`block ${i}`] = Math.max(relativeToMaximum(ours, values, maximum), meanError);
      map.dispose();
    }
    expect(above(wrong, 1e-4)).toEqual({});

    // torchvision learns its norms' scale and shift, too; frozen ones do not. Norms of gradients within 1e-2, as in all
    // fixtures of networks here: where an activation has corners, rounding decides for some units which side they are on.
    const parameters = trainableParameters(network);
    const { loss, gradients: found } = await valueAndGradients(
      () => ({ loss: tf.tidy(() => tf.mean(tf.square(network.forward(images, 'train').at(-1)!))) }),
      parameters,
    );
    const off: Record<string, number> = {};
    for (const key of parameters.keys()) {
      const norm = tf.tidy(() => tf.norm(found.get(key)!).dataSync()[0]!);
      off[key] = Math.abs(norm - gradients[key]!) / gradients[key]!;
    }
    expect(Object.keys(off).length).toBeGreaterThan(50);
    expect(above(off, 1e-2)).toEqual({});
    tf.dispose([images, loss, ...found.values()]);
    network.dispose();
  });
});

/** The fixture's images, channels last. */
function testImages(): tf.Tensor4D {
  return tf.tidy(() => {
    const values = Float32Array.from(hashedUnits('image', 2 * 3 * 69 * 101), (u) => 4 * u - 2);
    return tf.transpose(tf.tensor4d(values, [2, 3, 69, 101]), [0, 2, 3, 1]);
  });
}
