import { readFileSync } from 'node:fs';
import { loadStateDict } from '@rcnn/checkpoint';
import type { ParameterOwner } from '@rcnn/core';
import { hashedUnits, hashedWeights, relativeToMaximum, useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { ResNet, type ResNetOptions, withoutInitialising } from '../src/index.ts';

interface Stage {
  /** `[N, C, H, W]` */
  readonly shape: readonly [number, number, number, number];
  readonly mean: number;
  readonly maximum: number;
  /** Every `size / 24`-th value in the order of `[N, C, H, W]`. */
  readonly values: readonly number[];
}

const fixture = JSON.parse(readFileSync(new URL('fixtures/resnet-bodies.json', import.meta.url), 'utf8')) as Record<
  string,
  readonly Stage[]
>;

const networks: Record<string, ResNetOptions> = {
  basic: { block: 'basic' },
  bottleneck: { block: 'bottleneck' },
  resnext: { block: 'bottleneck', groups: 32, widthPerGroup: 4 },
  wide: { block: 'bottleneck', widthPerGroup: 128 },
};

beforeAll(useFastEngine);

// torchvision 0.29.1, one block in each stage, two images of 45 x 61.
test.each(Object.entries(networks))('every stage of a %s ResNet', async (name, options) => {
  const network = withoutInitialising(
    () => new ResNet({ ...options, blocks: [1, 1, 1, 1], outputStages: [0, 1, 2, 3, 4] }),
  );
  const named: ParameterOwner = { namedParameters: () => network.namedParameters('body.'), dispose: () => {} };
  await loadStateDict(named, hashedWeights(named, 'dev/'));
  const maps = network.forward(testImages());
  for (const [i, { shape, mean, maximum, values }] of fixture[name]!.entries()) {
    const map = maps[i]!;
    const [count, channels, height, width] = shape;
    expect(map.shape).toEqual([count, height, width, channels]);
    const channelsFirst = tf.tidy(() => tf.transpose(map, [0, 3, 1, 2]).dataSync<'float32'>());
    const step = Math.floor(channelsFirst.length / 24);
    const ours = values.map((_, k) => channelsFirst[k * step]!);
    expect(relativeToMaximum(ours, values, maximum)).toBeLessThan(1e-5);
    expect(Math.abs(channelsFirst.reduce((sum, v) => sum + v, 0) / map.size - mean) / maximum).toBeLessThan(1e-5);
  }
  tf.dispose([...maps]);
  network.dispose();
});

/** The fixture's images, channels last. */
function testImages(): tf.Tensor4D {
  return tf.tidy(() => {
    const values = Float32Array.from(hashedUnits('image', 2 * 3 * 45 * 61), (u) => 4 * u - 2);
    return tf.transpose(tf.tensor4d(values, [2, 3, 45, 61]), [0, 2, 3, 1]);
  });
}
