import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import {
  BatchNorm,
  Conv2d,
  ConvNorm,
  ConvTranspose2d,
  convolution,
  FrozenBatchNorm,
  GroupNorm,
  Linear,
  maxPool2d,
  type Norm,
  Random,
  valueAndGradients,
} from '../src/index.ts';
import { expectClose, expectNoLeak } from '../src/testing.ts';

const random = new Random(11);
const draw = (shape: number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
  );

/** Convolution from its definition, in double precision. */
function slowConvolution(x: tf.Tensor4D, w: tf.Tensor4D, stride: number, padding: number, groups: number): number[] {
  const [n, h, width, c] = x.shape;
  const [kh, kw, ci, o] = w.shape;
  const X = x.dataSync();
  const W = w.dataSync();
  const oh = Math.floor((h + 2 * padding - kh) / stride) + 1;
  const ow = Math.floor((width + 2 * padding - kw) / stride) + 1;
  const out: number[] = [];
  for (let b = 0; b < n; b++)
    for (let y = 0; y < oh; y++)
      for (let z = 0; z < ow; z++)
        for (let k = 0; k < o; k++) {
          const group = Math.floor(k / (o / groups));
          let sum = 0;
          for (let i = 0; i < kh; i++)
            for (let j = 0; j < kw; j++)
              for (let q = 0; q < ci; q++) {
                const yy = y * stride + i - padding;
                const zz = z * stride + j - padding;
                if (yy < 0 || zz < 0 || yy >= h || zz >= width) continue;
                sum += X[((b * h + yy) * width + zz) * c + group * ci + q]! * W[((i * kw + j) * ci + q) * o + k]!;
              }
          out.push(sum);
        }
  return out;
}

describe('convolution', () => {
  test.each([
    { k: 3, stride: 1, padding: 1, groups: 1 },
    { k: 3, stride: 2, padding: 1, groups: 1 },
    { k: 7, stride: 2, padding: 3, groups: 1 },
    { k: 1, stride: 2, padding: 0, groups: 1 },
    { k: 3, stride: 1, padding: 0, groups: 1 },
    { k: 3, stride: 2, padding: 1, groups: 2 },
    { k: 3, stride: 2, padding: 1, groups: 4, out: 8 },
    { k: 5, stride: 1, padding: 2, groups: 4, out: 4 },
    { k: 3, stride: 1, padding: 0, groups: 4, out: 4 },
  ])('kernel $k, stride $stride, padding $padding, groups $groups', ({ k, stride, padding, groups, out = 6 }) => {
    const x = draw([2, 8, 9, 4]) as tf.Tensor4D;
    const w = draw([k, k, 4 / groups, out]) as tf.Tensor4D;
    const y = convolution(x, w, { stride, padding, groups });
    expectClose(y.dataSync(), slowConvolution(x, w, stride, padding, groups), { absolute: 2e-5 });
    const fused = convolution(x, w, { stride, padding, groups, bias: tf.ones([out]), activation: 'relu' });
    expectClose(fused, tf.relu(tf.add(y, 1)));
  });

  test.each([1, 2])('dilation 2, stride %i: the gradients are those of the finite differences', async (stride) => {
    const conv = new Conv2d(2, 3, { kernelSize: 3, dilation: 2, stride, random });
    const x = draw([1, 7, 6, 2]) as tf.Tensor4D;
    const loss = (): tf.Tensor => tf.sum(tf.square(conv.forward(x)));
    const { loss: value, gradients } = await valueAndGradients(() => ({ loss: loss() }), conv.namedParameters());
    expectClose(value, loss(), { relative: 1e-5 }); // recorded and plain take different roads
    const gradient = gradients.get('weight')!.dataSync();
    const values = conv.weight.value.dataSync().slice();
    for (const at of [0, 13, 31, 53]) {
      const at2 = [-1, 1].map((sign) => {
        const moved = values.slice();
        moved[at]! += sign * 1e-2;
        conv.weight.assign(tf.tensor(moved, [3, 3, 2, 3]));
        return loss().dataSync()[0]!;
      });
      expectClose(gradient[at]!, (at2[1]! - at2[0]!) / 2e-2, { relative: 5e-3, absolute: 5e-3 });
    }
  });

  test('stride 2 pads both sides: not what `same` does', () => {
    const x = tf.reshape(tf.range(0, 16), [1, 4, 4, 1]) as tf.Tensor4D;
    const ones = tf.ones([3, 3, 1, 1]) as tf.Tensor4D;
    expectClose(convolution(x, ones, { stride: 2 }).dataSync(), [10, 24, 51, 90]);
  });
});

test('a transposed convolution is the adjoint of the convolution with the same numbers', () => {
  const layer = new ConvTranspose2d(3, 2, { kernelSize: 4, stride: 2, padding: 1, random, bias: false });
  const x = draw([1, 5, 4, 3]) as tf.Tensor4D;
  const y = draw([1, 10, 8, 2]) as tf.Tensor4D;
  const up = layer.forward(x);
  expect(up.shape).toEqual([1, 10, 8, 2]);
  const filter = layer.weight.value as tf.Tensor4D; // [kh, kw, O, I]: as a convolution, from O to I
  const down = convolution(y, filter, { stride: 2, padding: 1 });
  const left = tf.sum(tf.mul(up, y)).dataSync()[0]!;
  expectClose(left, tf.sum(tf.mul(x, down)).dataSync()[0]!, { relative: 1e-4 });
  expect(layer.forward(tf.zeros([0, 5, 4, 3])).shape).toEqual([0, 10, 8, 2]);
});

test('a dense layer, and no rows at all', () => {
  const layer = new Linear(3, 2, { random });
  const x = draw([4, 3]) as tf.Tensor2D;
  expectClose(layer.forward(x), tf.add(tf.matMul(x, layer.weight.value as tf.Tensor2D), layer.bias!.value));
  expect(layer.forward(tf.zeros([0, 3])).shape).toEqual([0, 2]);
});

describe('norms', () => {
  test('epsilon decides the frozen norm, as in the published figures', () => {
    for (const [epsilon, expected] of [
      [1e-5, 0.99999881],
      [0, 1],
    ] as const) {
      const norm = new FrozenBatchNorm(1, { epsilon });
      norm.runningMean.assign(tf.tensor1d([1]));
      norm.runningVariance.assign(tf.tensor1d([4]));
      expectClose(norm.forward(tf.fill([1, 1, 1, 1], 3)).dataSync(), [expected], { absolute: 1e-7, relative: 0 });
    }
  });

  test('batch norm learns from the batch and follows it', () => {
    const norm = new BatchNorm(2);
    const x = tf.tensor4d([1, 10, 3, 30], [1, 1, 2, 2]);
    // means 2 and 20, variances 1 and 100; unbiased 2 and 200
    expectClose(norm.forward(x, 'train').dataSync(), [-1, -1, 1, 1], { absolute: 1e-5 });
    expectClose(norm.runningMean.value, tf.tensor1d([0.2, 2]));
    expectClose(norm.runningVariance.value, tf.tensor1d([0.9 + 0.2, 0.9 + 20]));
    const before = norm.runningMean.value.dataSync().slice();
    norm.forward(x, 'predict');
    expectClose(norm.runningMean.value, before);
  });

  test('group norm has mean 0 and variance 1 in every group', () => {
    const norm = new GroupNorm(4, { groups: 2 });
    const y = norm.forward(draw([2, 3, 5, 4]) as tf.Tensor4D);
    const groups = tf.reshape(y, [2, 15, 2, 2]);
    expectClose(tf.mean(groups, [1, 3]), tf.zeros([2, 2]), { absolute: 1e-6 });
    expectClose(tf.mean(tf.square(groups), [1, 3]), tf.ones([2, 2]), { absolute: 1e-4 });
  });
});

describe('a folded norm', () => {
  const make = (norm: Norm): { conv: Conv2d; norm: Norm; unit: ConvNorm } => {
    const conv = new Conv2d(3, 4, { kernelSize: 3, bias: false, random });
    for (const p of norm.namedParameters().values()) {
      const values = draw([4]);
      p.assign(tf.add(tf.mul(tf.abs(values), 0.5), 0.5));
    }
    return { conv, norm, unit: new ConvNorm(conv, norm, 'relu') };
  };

  test.each([
    ['frozen', () => new FrozenBatchNorm(4)],
    ['batch', () => new BatchNorm(4)],
  ] as const)('%s: the same numbers and the same gradients', async (_name, create) => {
    const { conv, norm, unit } = make(create());
    const x = draw([1, 6, 5, 3]) as tf.Tensor4D;
    const parameters = new Map([...conv.namedParameters('conv.'), ...norm.namedParameters('norm.')]);
    const learnt = new Map([...parameters].filter(([, p]) => p.learnable));
    expectClose(unit.forward(x), tf.relu(norm.forward(conv.forward(x))), { absolute: 1e-5 });
    const folded = await valueAndGradients(() => ({ loss: tf.sum(tf.square(unit.forward(x))) }), learnt);
    const plain = await valueAndGradients(
      () => ({ loss: tf.sum(tf.square(tf.relu(norm.forward(conv.forward(x))))) }),
      learnt,
    );
    expect(folded.gradients.size).toBe(learnt.size);
    for (const [key, gradient] of plain.gradients) {
      expectClose(folded.gradients.get(key)!, gradient, { absolute: 1e-4, relative: 1e-4 });
    }
  });

  test('follows the weights when they change, and leaks nothing', async () => {
    const { conv, unit } = make(new FrozenBatchNorm(4));
    const x = draw([1, 4, 4, 3]) as tf.Tensor4D;
    const before = unit.forward(x).dataSync().slice();
    const doubled = tf.mul(conv.weight.value, 2);
    conv.weight.assign(doubled);
    expect(unit.forward(x).dataSync()).not.toEqual(before);
    await expectNoLeak(() => unit.forward(x).dispose());
    const { numTensors } = tf.memory();
    unit.dispose();
    expect(tf.memory().numTensors).toBe(numTensors - 2);
  });
});

test('max-pool with padding: the border never wins, even over negative cells', () => {
  const x = tf.tensor4d([-1, -2, -3, -4, -5, -6, -7, -8, -9], [1, 3, 3, 1]);
  expectClose(maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }).dataSync(), [-1, -2, -4, -5]);
});
