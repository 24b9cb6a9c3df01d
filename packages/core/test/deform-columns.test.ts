import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { DeformConv2d, deformColumns, Random } from '../src/index.ts';
import { type DeformGeometry, onDevice } from '../src/ops/deform-columns.ts';
import { expectClose, expectGradients, expectNoLeak } from '../src/testing.ts';

type Columns = typeof deformColumns;
const WAYS: readonly (readonly [string, Columns])[] = [
  ['on the host', deformColumns],
  ['in plain ops', onDevice],
];

interface Problem {
  readonly geometry: DeformGeometry;
  readonly x: readonly [number, number, number, number];
  readonly out: readonly [number, number];
  readonly values: readonly [Float32Array, Float32Array, Float32Array];
}

/** Maps so small that many taps are beyond the border. */
function problemOf(seed: number): Problem {
  const random = new Random(seed);
  const kernelSize = random.integer(3) === 0 ? 1 : 3;
  const stride = 1 + random.integer(2);
  const geometry = { kernelSize, stride, padding: (kernelSize - 1) / 2 };
  const [count, height, width, channels] = [1 + random.integer(2), 1 + random.integer(4), 1 + random.integer(4), 1 + random.integer(3)]; // biome-ignore format: one line
  const out = [Math.ceil(height / stride), Math.ceil(width / stride)] as const;
  const taps = count * out[0] * out[1] * kernelSize ** 2;
  const draw = (size: number, next: () => number): Float32Array => Float32Array.from({ length: size }, next);
  // Away from whole cells, where there is a kink.
  const move = (): number => random.integer(5) - 2 + random.uniform(0.1, 0.9);
  const values = [
    draw(count * height * width * channels, () => random.normal()),
    draw(2 * taps, move),
    draw(taps, () => random.uniform(0, 1)),
  ] as const;
  return { geometry, x: [count, height, width, channels], out, values };
}

/** In doubles, cell by cell. */
function reference({ geometry, x: [count, height, width, channels], out: [rows, columns] }: Problem) {
  const { kernelSize: k, stride, padding } = geometry;
  return (map: Float64Array, moves: Float64Array, weights: Float64Array): number[] => {
    const result: number[] = [];
    const cell = (n: number, y: number, z: number, c: number): number =>
      y < 0 || z < 0 || y >= height || z >= width ? 0 : map[((n * height + y) * width + z) * channels + c]!;
    let tap = 0;
    for (let n = 0; n < count; n++)
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          for (let t = 0; t < k * k; t++, tap++) {
            const y = i * stride - padding + Math.floor(t / k) + moves[2 * tap]!;
            const z = j * stride - padding + (t % k) + moves[2 * tap + 1]!;
            const [top, left] = [Math.floor(y), Math.floor(z)];
            const [down, right] = [y - top, z - left];
            for (let c = 0; c < channels; c++) {
              const upper = (1 - right) * cell(n, top, left, c) + right * cell(n, top, left + 1, c);
              const lower = (1 - right) * cell(n, top + 1, left, c) + right * cell(n, top + 1, left + 1, c);
              result.push(weights[tap]! * ((1 - down) * upper + down * lower));
            }
          }
    return result;
  };
}

describe.each(WAYS)('what the taps read, %s', (_, columns) => {
  test.each(Array.from({ length: 20 }, (_, seed) => seed))('values and all three gradients, seed %i', (seed) => {
    const problem = problemOf(seed);
    const { geometry, x, out, values } = problem;
    const taps = geometry.kernelSize ** 2;
    expectGradients(
      (map, moves, weights) => columns(map as tf.Tensor4D, moves as tf.Tensor4D, weights as tf.Tensor4D, geometry),
      reference(problem),
      [
        { shape: x, values: values[0] },
        { shape: [x[0], ...out, 2 * taps], values: values[1] },
        { shape: [x[0], ...out, taps], values: values[2] },
      ],
      { absolute: 2e-4, relative: 2e-4 },
    );
  });

  test('exactly on cells, on the border and beyond it', () => {
    const map = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
    const read = (y: number, x: number): number => {
      const moves = tf.tensor4d([y, x, 0, 0, 0, 0, 0, 0], [1, 2, 2, 2]);
      const all = columns(map, moves, tf.ones([1, 2, 2, 1]), { kernelSize: 1, stride: 1, padding: 0 });
      return all.dataSync()[0]!;
    };
    tf.tidy(() => {
      expect([read(0, 0), read(1, 1), read(0.5, 0.5)]).toEqual([1, 4, 2.5]);
      expect([read(-0.5, 0), read(-1, 0), read(1.5, 1), read(2, 0), read(-9, 9)]).toEqual([0.5, 0, 2, 0, 0]);
    });
  });
});

test('an empty batch; no tensor is gained', async () => {
  const conv = new DeformConv2d(3, 4, { kernelSize: 3, random: new Random(1) });
  const geometry = { kernelSize: 3, stride: 1, padding: 1 };
  const none = [3, 18, 9].map((channels) => tf.zeros([0, 2, 2, channels]) as tf.Tensor4D);
  expect(deformColumns(none[0]!, none[1]!, none[2]!, geometry).shape).toEqual([0, 2, 2, 27]);
  const x = tf.ones([1, 3, 3, 3]) as tf.Tensor4D;
  await expectNoLeak(() => {
    conv.forward(x).dispose();
    tf.grad((map) => tf.sum(conv.forward(map as tf.Tensor4D)))(x).dispose();
  });
  conv.dispose();
});

test('it begins as half of an ordinary convolution', () => {
  const conv = new DeformConv2d(2, 3, { kernelSize: 3, stride: 2, random: new Random(1) });
  const x = tf.randomNormal([1, 5, 6, 2], 0, 1, 'float32', 1) as tf.Tensor4D;
  tf.tidy(() => {
    const padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]); // biome-ignore format: one line
    expectClose(conv.forward(x), tf.mul(tf.conv2d(padded as tf.Tensor4D, conv.weight.value as tf.Tensor4D, 2, 'valid'), 0.5)); // biome-ignore format: one line
  });
  conv.dispose();
  x.dispose();
});
