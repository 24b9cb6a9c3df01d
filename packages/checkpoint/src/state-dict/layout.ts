import type { ParameterLayout } from '@rcnn/core';
import { type Axes, type NumberArray, type Reordered, reverseAxes } from './reverse-axes.ts';

/** The shape that PyTorch gives to a parameter of ours. */
export function storedShape(ours: readonly number[], layout: ParameterLayout): readonly number[] {
  if (layout === 'same') return ours;
  const [a, b, s] = storedAxes(ours, layout);
  if (layout === 'linear') return [a, b];
  return typeof layout === 'object' ? [a, b * s] : [a, b, ours[0]!, ours[1]!];
}

/** Numbers in PyTorch's order, brought into ours. `ours` is the shape of our parameter. The input may be handed back. */
export function fromStored<T extends NumberArray>(
  values: T,
  ours: readonly number[],
  layout: ParameterLayout,
): Reordered<T> {
  return layout === 'same' ? { values, finite: false } : reverseAxes(values, storedAxes(ours, layout));
}

/** Numbers in our order, brought into PyTorch's, always in an array of their own. */
export function toStored<T extends NumberArray>(values: T, ours: readonly number[], layout: ParameterLayout): T {
  if (layout === 'same') return values.slice() as T;
  const [a, b, s] = storedAxes(ours, layout);
  return reverseAxes(values, [s, b, a]).values;
}

function storedAxes(ours: readonly number[], layout: Exclude<ParameterLayout, 'same'>): Axes {
  const last = ours.at(-1)!; // theirs comes first
  if (typeof layout === 'object') return [last, layout.channels, layout.height * layout.width];
  return layout === 'linear' ? [last, ours[0]!, 1] : [last, ours[2]!, ours[0]! * ours[1]!];
}
