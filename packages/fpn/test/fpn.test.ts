import '@tensorflow/tfjs-backend-cpu';
import { BatchNorm, type Pyramid, seedLayers, trainableParameters, valueAndGradients } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { FPN, type FPNOptions, p6p7Extra, poolExtra } from '../src/index.ts';

const inputs = [
  { channels: 2, stride: 4 },
  { channels: 3, stride: 8 },
  { channels: 5, stride: 16 },
];

/** Maps of an image of 52 x 36 pixels: odd sizes, so that no level is exactly twice the next. */
function maps(fill = 1): Pyramid {
  return [tf.fill([1, 13, 9, 2], fill), tf.fill([1, 7, 5, 3], fill), tf.fill([1, 4, 3, 5], fill)] as unknown as Pyramid;
}

const shapes = (pyramid: Pyramid): number[][] => pyramid.map(({ shape }) => [...shape]);

/** Sets every filter to a constant, so that the answer can be worked out by hand. */
function setAll(fpn: FPN, value: number): void {
  for (const parameter of fpn.namedParameters().values()) parameter.assign(tf.fill([...parameter.shape], value));
}

beforeEach(() => seedLayers(1));

describe('the pyramid', () => {
  test('keeps the sizes and gives every level the same channels', () => {
    const fpn = new FPN(inputs, { outChannels: 6 });
    expect(shapes(fpn.forward(maps()))).toEqual([
      [1, 13, 9, 6],
      [1, 7, 5, 6],
      [1, 4, 3, 6],
    ]);
    expect(fpn.outputs).toEqual([
      { channels: 6, stride: 4 },
      { channels: 6, stride: 8 },
      { channels: 6, stride: 16 },
    ]);
  });

  test('adds the coarse levels to the fine ones, by hand', () => {
    const fpn = new FPN(inputs, { outChannels: 1 });
    setAll(fpn, 1);
    // Laterals with all ones: channels + bias = 3, 4, 6; merged from the top: 6, 10, 13. The 3x3 sums 9 cells + 1.
    const [p2, p3, p4] = fpn.forward(maps()) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    expectClose(tf.slice(p4, [0, 1, 1, 0], [1, 1, 1, 1]), [[[[6 * 9 + 1]]]]);
    expectClose(tf.slice(p3, [0, 3, 2, 0], [1, 1, 1, 1]), [[[[10 * 9 + 1]]]]);
    expectClose(tf.slice(p2, [0, 6, 4, 0], [1, 1, 1, 1]), [[[[13 * 9 + 1]]]]);
    expectClose(tf.slice(p2, [0, 0, 0, 0], [1, 1, 1, 1]), [[[[13 * 4 + 1]]]]); // a corner sees 4 cells
  });

  test('upsampling picks floor(target * coarse / fine), also when the fine size is odd', () => {
    const fpn = new FPN([inputs[0]!, inputs[1]!], { outChannels: 1 });
    for (const [name, parameter] of fpn.namedParameters()) {
      const identity = name.startsWith('layer_blocks') && name.endsWith('weight'); // 3x3 that copies its centre
      const value = identity ? tf.pad(tf.ones([1, 1, 1, 1]), [[1, 1], [1, 1], [0, 0], [0, 0]]) : undefined; // biome-ignore format: axes
      const coarse = name === 'inner_blocks.1.0.weight' ? tf.ones([1, 1, 3, 1]) : undefined;
      parameter.assign(value ?? coarse ?? tf.zeros([...parameter.shape]));
    }
    const rows = tf.reshape(tf.range(0, 7), [1, 7, 1, 1]);
    const ramp = tf.div(tf.tile(rows, [1, 1, 5, 3]), 3);
    const [p2] = fpn.forward([tf.zeros([1, 13, 9, 2]), ramp as tf.Tensor4D]) as [tf.Tensor4D, tf.Tensor4D];
    const column = tf.reshape(tf.slice(p2, [0, 0, 0, 0], [1, 13, 1, 1]), [13]);
    expectClose(column, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]);
  });
});

test('upsampling may be bilinear with half-pixel centers, and the outputs positive', () => {
  const fpn = new FPN([inputs[0]!, inputs[1]!], { outChannels: 1, topDown: 'bilinear', activation: 'relu' });
  for (const [name, parameter] of fpn.namedParameters()) {
    const identity = name.startsWith('layer_blocks') && name.endsWith('weight'); // 3x3 that copies its centre
    const value = identity ? tf.pad(tf.ones([1, 1, 1, 1]), [[1, 1], [1, 1], [0, 0], [0, 0]]) : undefined; // biome-ignore format: axes
    const coarse = name === 'inner_blocks.1.0.weight' ? tf.ones([1, 1, 3, 1]) : undefined;
    parameter.assign(value ?? coarse ?? tf.zeros([...parameter.shape]));
  }
  const ramp = tf.reshape(tf.tensor1d([-1, 0, 1]), [1, 3, 1, 1]);
  const coarse = tf.div(tf.tile(ramp, [1, 1, 1, 3]), 3) as tf.Tensor4D;
  const [fine] = fpn.forward([tf.zeros([1, 5, 1, 2]), coarse]) as [tf.Tensor4D, tf.Tensor4D];
  // Centers of five cells in three: (i + 0.5) * 0.6 - 0.5 = -0.2, 0.4, 1, 1.6, 2.2; then ReLU.
  expectClose(tf.reshape(fine, [5]), [0, 0, 0, 0.6, 1]);
});

describe('extra levels', () => {
  test('the pool keeps every second cell of P5', () => {
    const fpn = new FPN(inputs, { outChannels: 2, extra: poolExtra });
    const found = fpn.forward(maps());
    expect(found[3]!.shape).toEqual([1, 2, 2, 2]); // ceil(4 / 2), ceil(3 / 2)
    expect(fpn.outputs[3]).toEqual({ channels: 2, stride: 32 });
    expectClose(tf.slice(found[3]!, [0, 1, 1, 0], [1, 1, 1, 2]), tf.slice(found[2]!, [0, 2, 2, 0], [1, 1, 1, 2]));
  });

  test.each(['output', 'input'] as const)('P6 and P7 from the %s', (from) => {
    const fpn = new FPN(inputs, { outChannels: 2, extra: p6p7Extra(from) });
    expect(shapes(fpn.forward(maps())).slice(3)).toEqual([
      [1, 2, 2, 2],
      [1, 1, 1, 2],
    ]);
    expect(fpn.outputs.slice(3).map(({ stride }) => stride)).toEqual([32, 64]);
    const p6 = fpn.namedParameters().get('extra_blocks.p6.weight')!;
    expect(p6.shape).toEqual([3, 3, from === 'input' ? 5 : 2, 2]);
  });
});

test('P7 is made from P6 as it is, if so asked', () => {
  const fpn = (relu: boolean): FPN => new FPN(inputs, { outChannels: 2, extra: p6p7Extra('output', { relu }) });
  for (const relu of [true, false]) {
    const pyramid = fpn(relu);
    for (const [name, parameter] of pyramid.namedParameters()) {
      const value = name === 'extra_blocks.p6.bias' ? -1 : name === 'extra_blocks.p7.weight' ? 1 : 0;
      parameter.assign(tf.fill([...parameter.shape], value));
    }
    const p7 = pyramid.forward(maps()).at(-1)!; // one cell that sees two by two of P6, two channels each
    expectClose(p7, tf.fill([1, 1, 1, 2], relu ? 0 : -8));
  }
});

describe('parameters', () => {
  test('are named as in torchvision, plain and with norms', () => {
    expect([...new FPN(inputs.slice(0, 1)).namedParameters().keys()]).toEqual([
      'inner_blocks.0.0.weight',
      'inner_blocks.0.0.bias',
      'layer_blocks.0.0.weight',
      'layer_blocks.0.0.bias',
    ]);
    const norm: FPNOptions['norm'] = (channels) => new BatchNorm(channels);
    const names = [...new FPN(inputs.slice(0, 1), { norm }).namedParameters().keys()];
    expect(names.slice(0, 5)).toEqual([
      'inner_blocks.0.0.weight',
      'inner_blocks.0.1.weight',
      'inner_blocks.0.1.bias',
      'inner_blocks.0.1.running_mean',
      'inner_blocks.0.1.running_var',
    ]);
  });

  test('start uniform within sqrt(3 / fan-in), biases at 0', () => {
    const parameters = new FPN(inputs, { outChannels: 16 }).namedParameters();
    for (const [i, { channels }] of inputs.entries()) {
      const bound = Math.sqrt(3 / channels);
      const values = parameters.get(`inner_blocks.${i}.0.weight`)!.value.dataSync();
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(bound * 0.8);
      expectClose(parameters.get(`inner_blocks.${i}.0.bias`)!.value, tf.zeros([16]));
    }
  });

  test('all get a gradient, extra levels included', async () => {
    const fpn = new FPN(inputs, { outChannels: 3, extra: p6p7Extra() });
    const parameters = trainableParameters(fpn);
    const { gradients } = await valueAndGradients(
      () => ({ loss: tf.addN(fpn.forward(maps(), 'train').map((map) => tf.sum(tf.square(map)))) }),
      parameters,
    );
    expect([...gradients.keys()].sort()).toEqual([...parameters.keys()].sort());
  });
});

test('a pass keeps nothing but its maps', async () => {
  const fpn = new FPN(inputs, { outChannels: 2, extra: poolExtra });
  const features = maps();
  await expectNoLeak(() => tf.dispose([...fpn.forward(features)]));
});

test('the wrong pyramid is refused with its level', () => {
  const fpn = new FPN(inputs);
  const wrong = [tf.zeros([1, 4, 5, 8]), ...maps().slice(1)] as unknown as Pyramid;
  expect(() => fpn.forward(wrong)).toThrow(
    'FPN.forward (level 0, stride 4): wrong shape; found [1,4,5,8], expected 2 channels. ' +
      'Was this FPN built from this backbone’s outputs?',
  );
  expect(() => fpn.forward(maps().slice(1))).toThrow('wrong number of levels');
});
