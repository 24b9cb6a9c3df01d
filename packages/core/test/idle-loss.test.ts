import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { Conv2d, idleLoss, setTrainable, useEngine } from '../src/index.ts';

beforeAll(() => useEngine('cpu'));

test('a part that learns nothing in a batch has a loss of 0, and zeros as gradients', () => {
  const layer = new Conv2d(2, 3, { kernelSize: 1 });
  const variables = [...layer.namedParameters().values()].map(({ variable }) => variable);
  const { value, grads } = tf.variableGrads(() => idleLoss(layer), variables);
  expect(value.dataSync()).toEqual(Float32Array.of(0));
  expect(Object.values(grads).map(({ shape }) => shape)).toEqual(variables.map(({ shape }) => shape));
  for (const gradient of Object.values(grads)) expect([...gradient.dataSync()].every((one) => one === 0)).toBe(true);
  const before = tf.memory().numTensors;
  idleLoss(layer).dispose();
  expect(tf.memory().numTensors).toBe(before);
  setTrainable(layer, false);
  expect(idleLoss(layer).dataSync()).toEqual(Float32Array.of(0));
});
