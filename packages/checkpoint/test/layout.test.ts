import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ParameterLayout } from '@rcnn/core';
import { compileKernel, kernelModule } from '@rcnn/shared/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromStored, storedShape, toStored } from '../src/state-dict/layout.ts';
import { type Axes, reverseAxes, reverseAxesInJs, reverseKernel } from '../src/state-dict/reverse-axes.ts';

const side = fc.integer({ min: 1, max: 40 });
const small = fc.integer({ min: 1, max: 4 });

/** A layout, the shape of our parameter, and for each of our axes the axis of PyTorch's it is, map axes split. */
const cases = fc.oneof(
  fc.tuple(small, small, side, side).map(([h, w, i, o]) => ({
    layout: 'conv' as ParameterLayout,
    ours: [h, w, i, o],
    split: [h, w, i, o],
    axes: [2, 3, 1, 0],
  })),
  fc.tuple(small, small, side, side).map(([h, w, o, i]) => ({
    layout: 'transposedConv' as ParameterLayout,
    ours: [h, w, o, i],
    split: [h, w, o, i],
    axes: [2, 3, 1, 0],
  })),
  fc
    .tuple(side, side)
    .map(([i, o]) => ({ layout: 'linear' as ParameterLayout, ours: [i, o], split: [i, o], axes: [1, 0] })),
  fc.tuple(small, small, side, side).map(([height, width, channels, o]) => ({
    layout: { height, width, channels } as ParameterLayout,
    ours: [height * width * channels, o],
    split: [height, width, channels, o],
    axes: [2, 3, 1, 0],
  })),
);

/** PyTorch's numbers in our order, one at a time: the definition, not the algorithm. */
function byDefinition(values: Float32Array, split: readonly number[], axes: readonly number[]): Float32Array {
  const theirs = new Array<number>(split.length);
  axes.forEach((axis, ours) => (theirs[axis] = split[ours]!));
  return Float32Array.from(values, (_, flat) => {
    const index = new Array<number>(split.length);
    for (let ours = split.length - 1, rest = flat; ours >= 0; ours--) {
      index[axes[ours]!] = rest % split[ours]!;
      rest = Math.floor(rest / split[ours]!);
    }
    return values[index.reduce((at, i, axis) => at * theirs[axis]! + i, 0)]!;
  });
}

test('every layout is the permutation that its definition says, and comes back', () => {
  fc.assert(
    fc.property(cases, ({ layout, ours, split, axes }) => {
      const count = split.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: count }, (_, i) => i);
      const converted = fromStored(values, ours, layout).values;
      expect(converted).toEqual(byDefinition(values, split, axes));
      expect(toStored(converted, ours, layout)).toEqual(values);
      expect(storedShape(ours, layout).reduce((a, b) => a * b, 1)).toBe(count);
    }),
    { seed: 4, numRuns: 100 },
  );
});

test('shapes are those of PyTorch', () => {
  expect(storedShape([3, 2, 5, 4], 'conv')).toEqual([4, 5, 3, 2]);
  expect(storedShape([2, 3, 4, 5], 'transposedConv')).toEqual([5, 4, 2, 3]);
  expect(storedShape([12544, 1024], { height: 7, width: 7, channels: 256 })).toEqual([1024, 12544]);
  expect(storedShape([7, 5], 'linear')).toEqual([5, 7]);
  expect(storedShape([], 'same')).toEqual([]);
});

test('the committed kernel is what its source compiles to, and small enough for a browser’s main thread', async () => {
  const bytes = await compileKernel(fileURLToPath(new URL('..', import.meta.url)));
  expect(readFileSync(new URL('../src/kernel-bytes.ts', import.meta.url), 'utf8')).toBe(kernelModule(bytes));
  expect(bytes.length).toBeLessThan(4096);
  expect(reverseKernel()).toBeDefined(); // so the tests below mean something
});

// Sides that fill vectors and blocks and that do not, slabs of one column and of several, one larger than the kernel's
// memory, and no numbers at all.
const SIDES: readonly Axes[] = [
  [64, 64, 1],
  [65, 67, 1],
  [17, 31, 9],
  [1, 5000, 1],
  [5000, 1, 1],
  [3, 1, 1400],
  [512, 150, 9],
  [130_000, 5, 1],
  [140_000, 3, 1],
  [256, 3, 49],
  [4099, 1, 130],
  [0, 7, 5],
];

test.each(SIDES)('the kernel gives %i x %i x %i as JavaScript does, to the bit', (...axes) => {
  const [a, b, s] = axes;
  const whole = Int32Array.from({ length: a * b * s }, (_, i) => i);
  for (const values of [whole, Float32Array.from(whole)]) {
    const [got, wanted] = [reverseAxes(values, axes).values, reverseAxesInJs(values, axes)];
    expect(got.constructor).toBe(values.constructor);
    expect(got).toHaveLength(wanted.length);
    expect(got.findIndex((value, i) => value !== wanted[i])).toBe(-1);
  }
});

test('the bits of a NaN stay', () => {
  const words = Uint32Array.from({ length: 100 * 60 }, (_, i) => 0x7fa00000 + i);
  const turned = reverseAxes(new Float32Array(words.buffer), [100, 60, 1]).values;
  const back = reverseAxes(turned, [60, 100, 1]).values;
  expect(new Uint32Array(back.buffer).findIndex((word, i) => word !== words[i])).toBe(-1);
});

test('a number that is not finite is seen wherever it is, and none is seen where none is', () => {
  const [a, b, s] = [67, 9, 7]; // sides that fill neither blocks nor vectors
  const values = Float32Array.from({ length: a * b * s }, (_, i) => (i % 2 ? 3.4e38 : -1e-45));
  expect(reverseAxes(values, [a, b, s]).finite).toBe(true);
  for (const strange of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (let at = 0; at < values.length; at += 5) {
      const kept = values[at]!;
      values[at] = strange;
      if (reverseAxes(values, [a, b, s]).finite) expect.unreachable(`${strange} at ${at}`);
      values[at] = kept;
    }
  }
});
