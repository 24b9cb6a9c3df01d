import * as tf from '@tensorflow/tfjs-core';
import type { Fans, Initialiser } from '../initialisers.ts';
import { Parameter, type ParameterOptions } from '../parameter.ts';
import { Random } from '../random.ts';

/** Where layers draw their first weights from unless they are given a `random`. */
let defaultRandom = new Random(0);

/** Seeds every layer that is made without a `random` from here on. Programs start as if with 0. */
export function seedLayers(seed: number): void {
  defaultRandom = new Random(seed);
}

let drawing = true;

/**
 * Builds a model without drawing its first weights: every parameter is 0. For models whose weights are about to be
 * loaded; drawing 44 million numbers takes seconds. `build` must be synchronous.
 */
export function withoutInitialising<Model>(build: () => Model): Model {
  const before = drawing;
  drawing = false;
  try {
    return build();
  } finally {
    drawing = before;
  }
}

/** A parameter with drawn values. `random` defaults to the stream of {@link seedLayers}. */
export function makeParameter(
  shape: readonly number[],
  initialiser: Initialiser,
  fans: Fans,
  { random = defaultRandom, ...options }: ParameterOptions & { readonly random?: Random | undefined } = {},
): Parameter {
  if (!drawing) return new Parameter(tf.zeros([...shape]), options);
  const size = shape.reduce((product, n) => product * n, 1);
  return new Parameter(tf.tensor(initialiser(size, fans, random), [...shape], 'float32'), options);
}
