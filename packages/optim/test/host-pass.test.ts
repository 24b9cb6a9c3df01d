import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Parameter } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { compileKernel, kernelModule } from '@rcnn/shared/kernel';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { inBlocks, sumOfSquares, updateKernel } from '../src/host-pass.ts';
import { AdamW, type Optimizer, SGD } from '../src/index.ts';
import { ready } from './engine.ts';

beforeAll(() => ready);

test('the committed kernel is what its source compiles to, and small enough for a browser’s main thread', async () => {
  const bytes = await compileKernel(fileURLToPath(new URL('..', import.meta.url)));
  expect(readFileSync(new URL('../src/kernel-bytes.ts', import.meta.url), 'utf8')).toBe(kernelModule(bytes));
  expect(bytes.length).toBeLessThan(4096);
});

// Nothing, less than a vector, a whole block, and one that ends in the middle of a vector of the third block.
const LENGTHS = [0, 1, 3, 4, 5, 4096, 4097, 8195];

test.each(LENGTHS)('%i numbers go through the blocks, each once and in its place', (length) => {
  const from = Float32Array.from({ length }, (_, i) => i + 1);
  const to = new Float32Array(length);
  let seen = 0;
  const kernel = updateKernel()!;
  inBlocks(kernel, [{ from }, { from: undefined, to }], length, (count, [x, y]) => {
    seen += count;
    kernel.approach(count, y!, x!, 1);
  });
  expect(to.every((value, i) => value === i + 1)).toBe(true);
  expect(seen).toBe(Math.ceil(length / 4) * 4);
});

test('sums of squares: of nothing, of many, beyond float32, of what is no number', () => {
  const kernel = updateKernel()!;
  expect(sumOfSquares(kernel, new Float32Array(0))).toBe(0);
  expect(sumOfSquares(kernel, new Float32Array(8195).fill(2))).toBe(4 * 8195);
  expect(sumOfSquares(kernel, Float32Array.of(1, 2e19, 2e19))).toBe(Infinity);
  expect(sumOfSquares(kernel, Float32Array.of(1, Number.NaN, 3))).toBeNaN();
  expect(sumOfSquares(kernel, Float32Array.of(-Infinity))).toBe(Infinity);
});

describe('one pass gives what the operations of the engine give', () => {
  const optimizers: readonly (readonly [string, (p: ReadonlyMap<string, Parameter>, onHost: boolean) => Optimizer])[] =
    [
      ['sgd', (p, onHost) => new SGD(p, { onHost })],
      ['sgd without momentum', (p, onHost) => new SGD(p, { momentum: 0, onHost })],
      ['nesterov', (p, onHost) => new SGD(p, { nesterov: true, onHost })],
      ['adamw', (p, onHost) => new AdamW(p, { onHost })],
    ];
  test.each(optimizers)('%s', (_, make) => {
    const [pass, operations] = [true, false].map((onHost) => {
      const parameters = new Map(
        LENGTHS.map((n, i) => [`w${i}`, new Parameter(tf.randomNormal([n], 0, 1, 'float32', 7))]),
      );
      const optimizer = make(parameters, onHost);
      for (let step = 0; step < 3; step++) {
        const gradients = new Map(
          LENGTHS.map((n, i) => [`w${i}`, tf.randomNormal([n], 0, 1, 'float32', 20 + step) as tf.Tensor]),
        );
        const settingsOf = () => ({ learningRate: 0.1, weightDecay: 0.02 });
        optimizer.update({ gradients, gradientScale: 0.25, settingsOf });
        tf.dispose([...gradients.values()]);
      }
      return [...parameters.values()].map(({ value }) => value);
    });
    for (const [i, value] of pass!.entries()) expectClose(value, operations![i]!, { absolute: 2e-6, relative: 2e-6 });
  });
});
