import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import {
  Conv2d,
  countParameters,
  isRcnnError,
  kaimingNormal,
  kaimingUniform,
  Module,
  Parameter,
  Random,
  RcnnError,
  setTrainable,
  trainableParameters,
} from '../src/index.ts';
import { expectClose, expectNoLeak } from '../src/testing.ts';

test('tf.grad works after a plain import of core', () => {
  const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.square(x)));
  expectClose(gradient(tf.tensor1d([1, 2, 3])), tf.tensor1d([2, 4, 6]));
});

test('an error says where, what, what instead and what to try', () => {
  const error = new RcnnError('SHAPE_MISMATCH', {
    where: 'FPN.forward',
    place: 'level 0',
    problem: 'wrong number of channels',
    found: '[1,4,5,8]',
    expected: '4 channels',
    hint: "Was this FPN built from this backbone's outputs?",
  });
  expect(error.message).toBe(
    "FPN.forward (level 0): wrong number of channels; found [1,4,5,8], expected 4 channels. Was this FPN built from this backbone's outputs?",
  );
  expect(isRcnnError(error, 'SHAPE_MISMATCH')).toBe(true);
  expect(isRcnnError(error, 'DISPOSED')).toBe(false);
  expect(isRcnnError(new Error('other'))).toBe(false);
});

describe('the module tree', () => {
  class Block extends Module {
    constructor() {
      super();
      this.register('conv1', new Conv2d(2, 3, { kernelSize: 1, bias: false }));
      this.register('0.conv2', new Conv2d(3, 1, { kernelSize: 3 }));
      this.register('running_mean', new Parameter(tf.zeros([3]), { learnable: false }));
    }
  }

  test('names parameters like a state dict, in order', () => {
    const block = new Block();
    expect([...block.namedParameters('body.').keys()]).toEqual([
      'body.conv1.weight',
      'body.0.conv2.weight',
      'body.0.conv2.bias',
      'body.running_mean',
    ]);
    expect(countParameters(block)).toBe(6 + 27 + 1);
    setTrainable(block, false, /^conv1/);
    setTrainable(block, true, /running/); // a statistic cannot be trained
    expect([...trainableParameters(block).keys()]).toEqual(['0.conv2.weight', '0.conv2.bias']);
  });

  test('a name can be used once', () => {
    class Twice extends Module {
      constructor() {
        super();
        this.register('a', new Parameter(tf.zeros([1])));
        this.register('a', new Parameter(tf.zeros([1])));
      }
    }
    expect(() => new Twice()).toThrow("the name 'a' is taken");
  });

  test('assigning checks the shape; disposing frees everything', async () => {
    const block = new Block();
    expect(() =>
      block
        .namedParameters()
        .get('conv1.weight')!
        .assign(tf.zeros([3])),
    ).toThrow(/found \[3\]/);
    block.dispose();
    await expectNoLeak(() => new Block().dispose());
  });
});

describe('initialisers', () => {
  const fans = { fanIn: 100, fanOut: 400 };
  const spread = (values: Float32Array): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

  test('have the deviations of their papers', () => {
    expect(spread(kaimingNormal('fanOut')(40_000, fans, new Random(1)))).toBeCloseTo(Math.sqrt(2 / 400), 2);
    const drawn = kaimingUniform(1)(40_000, fans, new Random(2));
    const bound = Math.sqrt(3 / 100);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(bound);
    expect(spread(drawn)).toBeCloseTo(bound / Math.sqrt(3), 2);
  });

  test('are fixed by the seed', () => {
    const once = kaimingNormal()(10, fans, new Random(7));
    expect(kaimingNormal()(10, fans, new Random(7))).toEqual(once);
    expect(kaimingNormal()(10, fans, new Random(8))).not.toEqual(once);
  });
});

describe('random streams', () => {
  test('continue from a saved state, through JSON', () => {
    const random = new Random(42);
    random.normal();
    const state = JSON.parse(JSON.stringify(random.state)) as typeof random.state;
    const rest = [random.normal(), random.uniform(), random.integer(1000), random.bits()];
    const again = new Random(state);
    expect([again.normal(), again.uniform(), again.integer(1000), again.bits()]).toEqual(rest);
  });

  test('forks are independent of each other and of the order of drawing', () => {
    const root = new Random(1);
    const a = root.fork('augment', 3).uniform();
    root.fork('other').uniform();
    expect(root.fork('augment', 3).uniform()).toBe(a);
    expect(root.fork('augment', '3').uniform()).not.toBe(a);
  });

  test('integers are even, shuffles are permutations', () => {
    const random = new Random(9);
    const counts = new Array<number>(5).fill(0);
    for (let i = 0; i < 50_000; i++) counts[random.integer(5)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    const shuffled = random.shuffle([...Array(100).keys()]);
    expect(shuffled).not.toEqual([...Array(100).keys()]);
    expect(shuffled.toSorted((x, y) => x - y)).toEqual([...Array(100).keys()]);
  });
});

test('expectClose notices what differs, and expectNoLeak what stays', async () => {
  expect(() => expectClose([1, 2], [1, 2.1])).toThrow('worst at index 1');
  expect(() => expectClose(tf.zeros([2, 3]), tf.zeros([3, 2]))).toThrow('shape [2,3], expected [3,2]');
  expect(() => expectClose([Number.NaN], [1])).toThrow('1 of 1');
  expectClose([Number.NaN], [Number.NaN]);
  await expect(expectNoLeak(() => tf.zeros([1]))).rejects.toThrow('3 tensors gained');
});

test('a parameter that was disposed says so', () => {
  const parameter = new Parameter(tf.zeros([3]));
  parameter.dispose();
  parameter.dispose();
  expect(() => parameter.value).toThrowError(expect.objectContaining({ code: 'DISPOSED' }));
});
