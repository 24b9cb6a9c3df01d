import '@tensorflow/tfjs-backend-cpu';
import { Random, trainableParameters, withoutInitialising } from '@rcnn/core';
import { expectGradients } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { hardSwish, MobileNet, type MobileNetName, type MobileNetOptions } from '../src/index.ts';

const made = <T>(options: MobileNetOptions, look: (network: MobileNet) => T): T => {
  const network = withoutInitialising(() => new MobileNet(options));
  const found = look(network);
  network.dispose();
  return found;
};

test.each([
  ['mobilenet_v2', [24, 32, 96, 1280]],
  ['mobilenet_v3_large', [24, 40, 112, 960]],
  ['mobilenet_v3_small', [16, 24, 48, 576]],
] as const)('%s hands out the last block of each stride', (name, channels) => {
  const expected = channels.map((count, i) => ({ stride: 4 * 2 ** i, channels: count }));
  expect(made({ name }, ({ outputs }) => outputs)).toEqual(expected);
});

test.each([
  ['mobilenet_v2', 6, 0],
  ['mobilenet_v2', 3, 7],
  ['mobilenet_v3_large', 3, 7],
  ['mobilenet_v3_large', 1, 16],
  ['mobilenet_v3_small', 5, 1],
] as const)(
  '%s: %i stages learn from block %i on, as in torchvision',
  (name: MobileNetName, trainableStages, first) => {
    const names = made({ name, trainableStages }, (network) => [...trainableParameters(network).keys()]);
    expect(names[0]?.split('.')[0]).toBe(`${first}`);
  },
);

test('nothing learns with 0 stages; what lies above the last output is not made', () => {
  expect(made({ trainableStages: 0 }, (network) => trainableParameters(network).size)).toBe(0);
  const names = made({ outputBlocks: [6] }, (network) => [...network.namedParameters().keys()]);
  expect(names.at(-1)).toMatch(/^6\./);
});

test.each([
  [{ name: 'mobilenet_v4' as 'mobilenet_v2' }, 'name'],
  [{ width: 0 }, 'width'],
  [{ norm: 'none' as 'batch' }, 'norm'],
  [{ outputBlocks: [] }, 'outputBlocks'],
  [{ outputBlocks: [17] }, 'outputBlocks'],
  [{ outputBlocks: [3, 3] }, 'outputBlocks'],
  [{ trainableStages: 7 }, 'trainableStages'],
])('%o is refused', (options, place) => {
  expect(() => new MobileNet(options)).toThrow(`MobileNet (${place})`);
});

test('images that are not RGB are refused', () => {
  made({ width: 0.25 }, (network) => {
    expect(() => network.forward(tf.zeros([1, 8, 8, 1]))).toThrow('not a batch of RGB images; found [1,8,8,1]');
  });
});

test('hard swish and its gradient', () => {
  const random = new Random(5);
  const values = Float32Array.from({ length: 60 }, () => 3 * random.normal());
  const slowly = (x: Float64Array): Float64Array => x.map((v) => v * Math.min(Math.max(v / 6 + 0.5, 0), 1));
  expectGradients(hardSwish, slowly, [{ shape: [3, 20], values }]);
});
