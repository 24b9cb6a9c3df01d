import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expect, test } from 'vitest';
import {
  addRelu,
  Conv2d,
  FrozenBatchNorm,
  Linear,
  Module,
  Parameter,
  Random,
  valueAndGradients,
} from '../src/index.ts';
import { expectClose, expectNoLeak } from '../src/testing.ts';

/** Three layers: a convolution with ReLU, a residual convolution, a dense layer. */
class ThreeLayers extends Module {
  readonly first: Conv2d;
  readonly second: Conv2d;
  readonly last: Linear;

  constructor() {
    super();
    const random = new Random(3);
    this.first = this.register('first', new Conv2d(2, 4, { kernelSize: 3, activation: 'relu', random }));
    this.second = this.register('second', new Conv2d(4, 4, { kernelSize: 3, random }));
    this.last = this.register('last', new Linear(4, 3, { random }));
  }

  loss(x: tf.Tensor4D): tf.Scalar {
    return tf.tidy(() => {
      const y = this.first.forward(x);
      const z = addRelu(this.second.forward(y), y);
      const scores = this.last.forward(tf.mean(z, [1, 2]) as tf.Tensor2D);
      return tf.mean(tf.square(tf.logSoftmax(scores))) as tf.Scalar;
    });
  }
}

const input = (): tf.Tensor4D => {
  const random = new Random(5);
  return tf.tensor4d(
    Float32Array.from({ length: 2 * 5 * 7 * 2 }, () => random.normal()),
    [2, 5, 7, 2],
  );
};

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test('gradients through the awaiting tape are those of tf.variableGrads, bit for bit', async () => {
  const net = new ThreeLayers();
  const x = input();
  const parameters = net.namedParameters();
  const expected = tf.variableGrads(
    () => net.loss(x),
    [...parameters.values()].map((p) => p.variable),
  );
  const actual = await valueAndGradients(async () => {
    await pause();
    const loss = net.loss(x);
    await pause();
    return { loss };
  }, parameters);
  expect(actual.loss.dataSync()).toEqual(expected.value.dataSync());
  expect(actual.gradients.size).toBe(6);
  for (const [name, parameter] of parameters) {
    const mine = actual.gradients.get(name)!.dataSync();
    expect(mine.some((value) => value !== 0)).toBe(true);
    expect(mine).toEqual(expected.grads[parameter.variable.name]!.dataSync());
  }
});

test('a thousand steps gain no tensor, every third of them throwing', async () => {
  const net = new ThreeLayers();
  const x = input();
  const parameters = net.namedParameters();
  let step = 0;
  await expectNoLeak(async () => {
    const throws = ++step % 3 === 0;
    const run = valueAndGradients(async () => {
      const loss = net.loss(x);
      await Promise.resolve();
      if (throws) throw new Error('in the middle');
      return { loss, extra: { twice: tf.mul(loss, 2) } };
    }, parameters);
    if (throws) {
      await expect(run).rejects.toThrow('in the middle');
      return;
    }
    const { loss, gradients, extra } = await run;
    tf.dispose([loss, extra.twice, ...gradients.values()]);
  }, 1000);
});

test('a tape inside a tape is refused, and the outer one goes on', async () => {
  const net = new ThreeLayers();
  const x = input();
  const parameters = net.namedParameters();
  const { gradients } = await valueAndGradients(async () => {
    await expect(valueAndGradients(() => ({ loss: net.loss(x) }), parameters)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    return { loss: net.loss(x) };
  }, parameters);
  expect(gradients.size).toBe(6);
});

test('gradients that call methods of tensors: addN and cast', async () => {
  const parameter = new Parameter(tf.tensor1d([1, 2]));
  const { loss, gradients } = await valueAndGradients(
    () => ({
      loss: tf.sum(tf.addN([parameter.value, tf.cast(parameter.value, 'float32'), tf.square(parameter.value)])),
    }),
    new Map([['w', parameter]]),
  );
  expectClose(gradients.get('w')!, [4, 6]);
  tf.dispose([loss, ...gradients.values()]);
  parameter.dispose();
});

test('a gradient that is handed back for several inputs, or as it came, is freed by each alone', async () => {
  /** `a + b`, whose gradient hands back one tensor of its own for both, or what it got. */
  const sum = (own: boolean) =>
    tf.customGrad((...args: unknown[]) => {
      const [a, b] = args as [tf.Tensor, tf.Tensor];
      const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
        const d = own ? tf.mul(dy, 1) : dy;
        return [d, d];
      };
      return { value: tf.add(a, b), gradFunc };
    });
  for (const own of [true, false]) {
    const [x, y] = [new Parameter(tf.tensor1d([1, 2])), new Parameter(tf.tensor1d([3, 4]))];
    await expectNoLeak(async () => {
      const { loss, gradients } = await valueAndGradients(
        async () => ({
          loss: tf.tidy(() => tf.sum(tf.mul(sum(own)(sum(own)(x.value, y.value), x.value), [5, 7])) as tf.Scalar),
        }),
        new Map([
          ['x', x],
          ['y', y],
        ]),
      );
      expectClose(gradients.get('x')!, [10, 14]);
      expectClose(gradients.get('y')!, [5, 7]);
      tf.dispose([loss, ...gradients.values()]);
    });
    x.dispose();
    y.dispose();
  }
});

test('parameters that the loss does not use have no gradient', async () => {
  const norm = new FrozenBatchNorm(3);
  const scale = new Linear(1, 1);
  const parameters = new Map<string, Parameter>([...scale.namedParameters(), ['unused', norm.weight]]);
  const { gradients } = await valueAndGradients(
    () => ({ loss: tf.sum(scale.forward(tf.tensor2d([[2]]))) }),
    parameters,
  );
  expect([...gradients.keys()]).toEqual(['weight', 'bias']);
  expect(gradients.get('weight')!.dataSync()[0]).toBe(2);
});
