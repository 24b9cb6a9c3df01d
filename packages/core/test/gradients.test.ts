import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import {
  addRelu,
  BatchNorm,
  Conv2d,
  ConvTranspose2d,
  convolution,
  GroupNorm,
  linear,
  maxPool2d,
  Random,
  resizeBilinear,
  valueAndGradients,
} from '../src/index.ts';
import { batchNorm } from '../src/ops/batch-norm.ts';
import { groupNorm } from '../src/ops/group-norm.ts';
import { expectClose, expectGradients, expectNoLeak, type GradientInput } from '../src/testing.ts';

const seeds = Array.from({ length: 20 }, (_, seed) => seed);

function draw(random: Random, shape: readonly number[]): GradientInput {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, values: Float32Array.from({ length: size }, () => random.normal()) };
}

const relu = (x: number): number => Math.max(0, x);

interface Shape {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
}

/** Calls `visit` with every output cell, every input cell it sees and the filter cell between them. */
function slide(
  { n, h, w }: Shape,
  { k, stride, padding, dilation = 1 }: { k: number; stride: number; padding: number; dilation?: number },
  visit: (output: number, b: number, y: number, x: number, i: number, j: number) => void,
): number {
  const size = (length: number): number => Math.floor((length + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;
  const [rows, columns] = [size(h), size(w)];
  for (let b = 0; b < n; b++)
    for (let r = 0; r < rows; r++)
      for (let q = 0; q < columns; q++)
        for (let i = 0; i < k; i++)
          for (let j = 0; j < k; j++) {
            const y = r * stride + i * dilation - padding;
            const x = q * stride + j * dilation - padding;
            if (y >= 0 && x >= 0 && y < h && x < w) visit((b * rows + r) * columns + q, b, y, x, i, j);
          }
  return n * rows * columns;
}

test.each(seeds)('convolution with bias and ReLU, seed %i', (seed) => {
  const random = new Random(seed);
  const shape = { n: 1 + random.integer(2), h: 3 + random.integer(4), w: 3 + random.integer(5), c: 2 };
  const k = random.pick([1, 3]);
  const stride = random.pick([1, 2]);
  const dilation = k === 3 && shape.h > 4 && shape.w > 4 ? random.pick([1, 2]) : 1;
  const padding = random.pick([0, (dilation * (k - 1)) / 2]);
  const activation = random.pick(['linear', 'relu', 'relu6'] as const);
  const out = 3;
  const op = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
    convolution(x as tf.Tensor4D, filter as tf.Tensor4D, {
      bias: bias as tf.Tensor1D,
      stride,
      padding,
      dilation,
      activation,
    });
  const reference = (x: Float64Array, filter: Float64Array, bias: Float64Array): Float64Array => {
    const sums: number[] = [];
    const cells = slide(shape, { k, stride, padding, dilation }, (o, b, row, column, i, j) => {
      for (let p = 0; p < out; p++) {
        for (let q = 0; q < shape.c; q++) {
          const at = ((b * shape.h + row) * shape.w + column) * shape.c + q;
          sums[o * out + p] = (sums[o * out + p] ?? 0) + x[at]! * filter[((i * k + j) * shape.c + q) * out + p]!;
        }
      }
    });
    return Float64Array.from({ length: cells * out }, (_, i) => {
      const sum = (sums[i] ?? 0) + bias[i % out]!;
      if (activation === 'linear') return sum;
      return activation === 'relu6' ? Math.min(relu(sum), 6) : relu(sum);
    });
  };
  expectGradients(op, reference, [
    draw(random, [shape.n, shape.h, shape.w, shape.c]),
    draw(random, [k, k, shape.c, out]),
    draw(random, [out]),
  ]);
});

test.each(seeds)('a depthwise convolution with bias and activation, seed %i', (seed) => {
  const random = new Random(seed);
  const shape = { n: 1 + random.integer(2), h: 3 + random.integer(5), w: 3 + random.integer(6), c: 3 };
  const k = random.pick([1, 3, 5]);
  const stride = random.pick([1, 2]);
  const dilation = k === 3 && stride === 1 && shape.h > 4 && shape.w > 4 ? random.pick([1, 2]) : 1;
  const padding = (dilation * (k - 1)) / 2;
  const activation = random.pick(['linear', 'relu', 'relu6'] as const);
  const out = shape.c * random.pick([1, 2]);
  const op = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor): tf.Tensor => {
    const options = { bias: bias as tf.Tensor1D, stride, padding, dilation, activation, groups: shape.c };
    return convolution(x as tf.Tensor4D, filter as tf.Tensor4D, options);
  };
  const reference = (x: Float64Array, filter: Float64Array, bias: Float64Array): Float64Array => {
    const sums: number[] = [];
    const cells = slide(shape, { k, stride, padding, dilation }, (o, b, row, column, i, j) => {
      for (let p = 0; p < out; p++) {
        const at = ((b * shape.h + row) * shape.w + column) * shape.c + Math.floor((p * shape.c) / out);
        sums[o * out + p] = (sums[o * out + p] ?? 0) + x[at]! * filter[(i * k + j) * out + p]!;
      }
    });
    return Float64Array.from({ length: cells * out }, (_, i) => {
      const sum = (sums[i] ?? 0) + bias[i % out]!;
      if (activation === 'linear') return sum;
      return activation === 'relu6' ? Math.min(relu(sum), 6) : relu(sum);
    });
  };
  expectGradients(op, reference, [
    draw(random, [shape.n, shape.h, shape.w, shape.c]),
    draw(random, [k, k, 1, out]),
    { ...draw(random, [out]), values: Float32Array.from({ length: out }, () => 3 * random.normal()) },
  ]);
});

test.each(seeds)('a dense layer with ReLU, seed %i', (seed) => {
  const random = new Random(seed);
  const [rows, from, to] = [1 + random.integer(4), 1 + random.integer(5), 1 + random.integer(4)] as const;
  const reference = (x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array =>
    Float64Array.from({ length: rows * to }, (_, at) => {
      let sum = bias[at % to]!;
      for (let i = 0; i < from; i++) sum += x[Math.floor(at / to) * from + i]! * weight[i * to + (at % to)]!;
      return relu(sum);
    });
  const op = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
    linear(x as tf.Tensor2D, weight as tf.Tensor2D, bias as tf.Tensor1D, 'relu');
  expectGradients(op, reference, [draw(random, [rows, from]), draw(random, [from, to]), draw(random, [to])]);
});

test.each(seeds)('the end of a residual block, seed %i', (seed) => {
  const random = new Random(seed);
  const shape = [1, 2, 3, 1 + random.integer(3)];
  const reference = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => relu(value + b[i]!));
  expectGradients(addRelu, reference, [draw(random, shape), draw(random, shape)]);
});

test.each(seeds)('max-pool with padding, seed %i', (seed) => {
  const random = new Random(seed);
  const shape = { n: 2, h: 3 + random.integer(4), w: 4 + random.integer(4), c: 2 };
  const window = { k: 3, stride: 2, padding: 1 };
  const op = (x: tf.Tensor): tf.Tensor => maxPool2d(x as tf.Tensor4D, { kernelSize: 3, stride: 2, padding: 1 });
  const reference = (x: Float64Array): Float64Array => {
    const best: number[] = [];
    const cells = slide(shape, window, (o, b, row, column) => {
      for (let q = 0; q < shape.c; q++) {
        const value = x[((b * shape.h + row) * shape.w + column) * shape.c + q]!;
        best[o * shape.c + q] = Math.max(best[o * shape.c + q] ?? Number.NEGATIVE_INFINITY, value);
      }
    });
    return Float64Array.from({ length: cells * shape.c }, (_, i) => best[i]!);
  };
  expectGradients(op, reference, [draw(random, [shape.n, shape.h, shape.w, shape.c])]);
});

test.each(seeds)('a transposed convolution, seed %i', async (seed) => {
  const random = new Random(seed);
  const [h, w] = [2 + random.integer(3), 2 + random.integer(4)];
  const [k, padding] = random.pick([
    [2, 0],
    [4, 1],
  ] as const);
  const layer = new ConvTranspose2d(2, 3, { kernelSize: k, stride: 2, padding, random });
  const [rows, columns] = [(h - 1) * 2 + k - 2 * padding, (w - 1) * 2 + k - 2 * padding];
  const reference = (x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array => {
    const y = Float64Array.from({ length: rows * columns * 3 }, (_, i) => bias[i % 3]!);
    for (let r = 0; r < h; r++)
      for (let q = 0; q < w; q++)
        for (let i = 0; i < k; i++)
          for (let j = 0; j < k; j++) {
            const [row, column] = [r * 2 + i - padding, q * 2 + j - padding];
            if (row < 0 || column < 0 || row >= rows || column >= columns) continue;
            for (let o = 0; o < 3; o++)
              for (let c = 0; c < 2; c++)
                y[(row * columns + column) * 3 + o]! +=
                  x[(r * w + q) * 2 + c]! * weight[((i * k + j) * 3 + o) * 2 + c]!;
          }
    return y;
  };
  const op = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor => {
    // The layer owns variables; differentiating by tensors means running its op on them.
    const full = tf.conv2dTranspose(
      x as tf.Tensor4D,
      weight as tf.Tensor4D,
      [1, rows + 2 * padding, columns + 2 * padding, 3],
      2,
      'valid',
    );
    const cut = padding === 0 ? full : tf.slice(full, [0, padding, padding, 0], [1, rows, columns, 3]);
    return tf.add(cut, bias);
  };
  const x = draw(random, [1, h, w, 2]);
  const weight = { shape: layer.weight.shape, values: layer.weight.value.dataSync() as Float32Array };
  const bias = { shape: [3], values: layer.bias!.value.dataSync() as Float32Array };
  expectGradients(op, reference, [x, weight, bias]);
  const input = tf.tensor(x.values, [1, h, w, 2]) as tf.Tensor4D;
  expectClose(layer.forward(input), op(input, layer.weight.value, layer.bias!.value));
});

/** Statistics over `groups` of the indices, then scale and shift per channel. */
function normalise(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  channels: number,
  groupOf: (i: number) => number,
): Float64Array {
  const sums = new Map<number, { count: number; sum: number; squares: number }>();
  for (const [i, value] of x.entries()) {
    const group = sums.get(groupOf(i)) ?? { count: 0, sum: 0, squares: 0 };
    group.count++;
    group.sum += value;
    group.squares += value * value;
    sums.set(groupOf(i), group);
  }
  return x.map((value, i) => {
    const { count, sum, squares } = sums.get(groupOf(i))!;
    const mean = sum / count;
    const variance = squares / count - mean * mean;
    return ((value - mean) / Math.sqrt(variance + 1e-5)) * weight[i % channels]! + bias[i % channels]!;
  });
}

describe.each(seeds)('norms, seed %i', (seed) => {
  const random = new Random(seed);
  const [n, h, w, c] = [2, 2 + random.integer(2), 2 + random.integer(3), 4] as const;
  const x = draw(random, [n, h, w, c]);
  const weight = draw(random, [c]);
  const bias = draw(random, [c]);

  test.each([
    ['batch', new BatchNorm(c), (i: number) => i % c],
    [
      'group',
      new GroupNorm(c, { groups: 2 }),
      (i: number) => Math.floor(i / (h * w * c)) * 2 + Math.floor((i % c) / 2),
    ],
  ] as const)('%s norm', (_name, norm, groupOf) => {
    const op = (...[input]: tf.Tensor[]): tf.Tensor => norm.forward(input as tf.Tensor4D, 'train');
    norm.weight.assign(tf.tensor1d(weight.values));
    norm.bias.assign(tf.tensor1d(bias.values));
    const [k, b] = [weight, bias].map(({ values }) => Float64Array.from(values)) as [Float64Array, Float64Array];
    expectGradients(op, (values) => normalise(values, k, b, c, groupOf), [x], { absolute: 1e-3, relative: 1e-3 });
  });

  test('batch norm, by its weight and bias too', () => {
    const op = (...[input, k, b]: tf.Tensor[]): tf.Tensor => batchNorm(input as tf.Tensor4D, k!, b!, 1e-5).y;
    const slowly = (values: Float64Array, k: Float64Array, b: Float64Array) =>
      normalise(values, k, b, c, (i: number) => i % c);
    expectGradients(op, slowly, [x, weight, bias], { absolute: 1e-3, relative: 1e-3 });
  });

  test('group norm, by its weight and bias too', () => {
    const settings = { groups: 2, epsilon: 1e-5 };
    const op = (...[input, k, b]: tf.Tensor[]): tf.Tensor => groupNorm(input as tf.Tensor4D, k!, b!, settings);
    const groupOf = (i: number): number => Math.floor(i / (h * w * c)) * 2 + Math.floor((i % c) / 2);
    const slowly = (values: Float64Array, k: Float64Array, b: Float64Array) => normalise(values, k, b, c, groupOf);
    expectGradients(op, slowly, [x, weight, bias], { absolute: 1e-3, relative: 1e-3 });
  });
});

test.each(seeds)('bilinear resize to any size, seed %i', (seed) => {
  const random = new Random(seed);
  const size = (): number => 1 + random.integer(7);
  const [n, h, w, c, height, width] = [1 + random.integer(2), size(), size(), 2, size(), size()];
  const op = (x: tf.Tensor): tf.Tensor => resizeBilinear(x as tf.Tensor4D, [height, width]);
  const at = (place: number, cells: number): [number, number, number] => {
    const source = Math.min(Math.max(place, 0), cells - 1);
    const low = Math.floor(source);
    return [low, Math.min(low + 1, cells - 1), source - low];
  };
  const slowly = (x: Float64Array): number[] => {
    const y: number[] = [];
    for (let i = 0; i < n; i++)
      for (let row = 0; row < height; row++)
        for (let column = 0; column < width; column++)
          for (let k = 0; k < c; k++) {
            const [top, bottom, down] = at(((row + 0.5) * h) / height - 0.5, h);
            const [left, right, across] = at(((column + 0.5) * w) / width - 0.5, w);
            const cell = (r: number, q: number): number => x[((i * h + r) * w + q) * c + k]!;
            const mix = (r: number): number => (1 - across) * cell(r, left) + across * cell(r, right);
            y.push((1 - down) * mix(top) + down * mix(bottom));
          }
    return y;
  };
  expectGradients(op, slowly, [draw(random, [n, h, w, c])], { absolute: 1e-3, relative: 1e-3 });
});

test('bilinear resize halves by the mean of four, keeps what it need not change, and gains no tensor', async () => {
  const x = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 12], [1, 2, 4, 1]);
  expectClose(resizeBilinear(x, [1, 2]).dataSync(), [3.5, 6.5]);
  expectClose(resizeBilinear(x, [2, 4]).dataSync(), x.dataSync(), { absolute: 0, relative: 0 });
  expect(resizeBilinear(tf.zeros([0, 2, 2, 3]), [4, 5]).shape).toEqual([0, 4, 5, 3]);
  await expectNoLeak(() => {
    resizeBilinear(x, [3, 3]).dispose();
    tf.grad((maps) => tf.sum(resizeBilinear(maps as tf.Tensor4D, [3, 3])))(x).dispose();
  });
});

describe('ties and nothing', () => {
  test('ReLU passes no gradient at exactly 0, as in PyTorch', () => {
    const zero = tf.zeros([1, 1, 1, 1]) as tf.Tensor4D;
    const one = tf.ones([1, 1, 1, 1]) as tf.Tensor4D;
    const gradients = tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.sum(addRelu(a, b)))([one, tf.neg(one)]);
    expect(gradients.map((g) => g.dataSync()[0])).toEqual([0, 0]);
    const conv = tf.grad((x: tf.Tensor) =>
      tf.sum(convolution(x as tf.Tensor4D, one, { bias: tf.zeros([1]), activation: 'relu' })),
    );
    expect(conv(zero).dataSync()[0]).toBe(0);
  });

  test('max-pool gives the whole gradient to the first of equals, as in PyTorch', () => {
    const x = tf.tensor4d([5, 5, 5, 5], [1, 2, 2, 1]);
    const gradient = tf.grad((input: tf.Tensor) => tf.sum(maxPool2d(input as tf.Tensor4D, { kernelSize: 2 })))(x);
    expect([...gradient.dataSync()]).toEqual([1, 0, 0, 0]);
  });

  test('upsampling gives each of several images its own gradient', () => {
    const images = tf.randomUniform<tf.Rank.R4>([3, 2, 3, 2], -1, 1, 'float32', 1);
    const weights = tf.randomUniform<tf.Rank.R4>([3, 4, 6, 2], -1, 1, 'float32', 2);
    const op = (x: tf.Tensor): tf.Tensor =>
      tf.sum(tf.mul(tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [4, 6]), weights));
    const cells = tf.sum(tf.reshape(weights, [3 * 2, 2, 3, 2 * 2]), 1); // rows of a cell, then columns
    const expected = tf.sum(tf.reshape(cells, [3 * 2 * 3, 2, 2]), 1);
    expectClose(tf.grad(op)(images).dataSync(), expected.dataSync());
  });

  test('no images: empty maps, gradients of zero', async () => {
    const conv = new Conv2d(2, 3, { kernelSize: 3, activation: 'relu' });
    const { loss, gradients } = await valueAndGradients(
      () => ({ loss: tf.sum(linear(tf.zeros([0, 4]), tf.ones([4, 2]))) }),
      conv.namedParameters(),
    );
    expect(loss.dataSync()[0]).toBe(0);
    expect(gradients.size).toBe(0);
  });
});
