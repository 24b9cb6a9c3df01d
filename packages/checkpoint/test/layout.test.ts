import type { ParameterLayout } from '@rcnn/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromStored, storedShape, toStored } from '../src/state-dict/layout.ts';

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
      const converted = fromStored(values, ours, layout);
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
