import '@tensorflow/tfjs-backend-cpu';
import { trainableParameters, withoutInitialising } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { VGG, type VGGOptions } from '../src/index.ts';

const names = (options: VGGOptions): string[] => {
  const vgg = withoutInitialising(() => new VGG(options));
  const found = [...vgg.namedParameters().keys()].filter((name) => name.endsWith('.weight'));
  vgg.dispose();
  return found.map((name) => name.replace('.weight', ''));
};

test('places are those of torchvision’s list of layers', () => {
  const at = (...places: number[]): string[] => places.map((place) => `features.${place}`);
  expect(names({})).toEqual(at(0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28));
  expect(names({ depth: 11 })).toEqual(at(0, 3, 6, 8, 11, 13, 16, 18));
  // In vgg11_bn a norm follows each convolution.
  expect(names({ depth: 11, norm: 'batch' })).toEqual(at(0, 1, 4, 5, 8, 9, 11, 12, 15, 16, 18, 19, 22, 23, 25, 26));
  expect(names({ outputStages: [2] })).toEqual(at(0, 2, 5, 7));
});

test('the paper trains from the third stage on', () => {
  const vgg = withoutInitialising(() => new VGG({ trainableStages: 3 }));
  const first = [...trainableParameters(vgg).keys()][0];
  expect(first).toBe('features.10.weight');
  vgg.dispose();
});

test.each([
  [{ depth: 12 as 11 }, 'depth'],
  [{ channels: [4, 4, 4, 4] }, 'channels'],
  [{ outputStages: [] }, 'outputStages'],
  [{ outputStages: [6] }, 'outputStages'],
  [{ trainableStages: 6 }, 'trainableStages'],
])('%o is refused', (options, place) => {
  expect(() => new VGG(options)).toThrow(`VGG (${place})`);
});

test('images that are not RGB are refused', () => {
  const vgg = withoutInitialising(() => new VGG({ channels: [2, 2, 2, 2, 2] }));
  expect(() => vgg.forward(tf.zeros([1, 8, 8, 1]))).toThrow('not a batch of RGB images; found [1,8,8,1]');
});
