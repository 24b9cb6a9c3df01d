import * as tf from '@tensorflow/tfjs-core';

type Nested = number | readonly Nested[];
type Numbers = tf.Tensor | ArrayLike<number> | Nested;

/** How far two numbers may be apart: `absolute + relative * |expected|`. */
export interface Tolerance {
  /** Default 1e-5. */
  absolute?: number;
  /** Default 1e-5. */
  relative?: number;
}

/** The two functions of a test runner that contracts need; vitest's, Jest's, node:test's and Mocha's all fit. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  test(name: string, body: () => Promise<void>): unknown;
}

/**
 * Asserts that two sets of numbers agree in shape (where both have one) and value. Throws an ordinary `Error`, so it
 * works with every test runner. NaN equals NaN, infinity equals infinity of the same sign.
 */
export function expectClose(
  actual: Numbers,
  expected: Numbers,
  { absolute = 1e-5, relative = 1e-5 }: Tolerance = {},
): void {
  const a = flatten(actual);
  const e = flatten(expected);
  if (a.shape !== undefined && e.shape !== undefined && a.shape.join() !== e.shape.join()) {
    throw new Error(`expectClose: shape [${a.shape.join(',')}], expected [${e.shape.join(',')}]`);
  }
  if (a.values.length !== e.values.length) {
    throw new Error(`expectClose: ${a.values.length} values, expected ${e.values.length}`);
  }
  let worst = -1;
  let worstExcess = 0;
  let wrong = 0;
  for (let i = 0; i < e.values.length; i++) {
    const x = a.values[i]!;
    const y = e.values[i]!;
    if (Object.is(x, y) || x === y) continue;
    const excess = Math.abs(x - y) - (absolute + relative * Math.abs(y));
    if (excess <= 0) continue;
    wrong++;
    if (worst < 0 || Number.isNaN(excess) || excess > worstExcess) {
      worst = i;
      worstExcess = excess;
    }
  }
  if (worst >= 0) {
    throw new Error(
      `expectClose: ${wrong} of ${e.values.length} values differ; worst at index ${worst}: ` +
        `${a.values[worst]}, expected ${e.values[worst]} (absolute ${absolute}, relative ${relative})`,
    );
  }
}

/**
 * Runs `body` and asserts that it leaves exactly as many tensors as it found, also when it throws.
 * @param times how often to run it; leaks that show only from the second call on need 2 or more. Default 3.
 */
export async function expectNoLeak(body: () => unknown, times = 3): Promise<void> {
  const before = tf.memory().numTensors;
  for (let i = 0; i < times; i++) await body();
  const after = tf.memory().numTensors;
  if (after !== before) {
    throw new Error(
      `expectNoLeak: ${after - before} tensors gained in ${times} runs (${before} before, ${after} after)`,
    );
  }
}

/** A copy of every parameter's values by name, to compare with what they are later: float32, flat, in our layout. */
export async function parameterValues(
  parameters: ReadonlyMap<string, { readonly value: tf.Tensor }>,
): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [name, { value }] of parameters) values.set(name, Float32Array.from(await value.data()));
  return values;
}

/**
 * Uniform float32 numbers in [-1, 1) that a reference script in any language can repeat, so that fixtures need to store
 * answers only: the index is mixed into the FNV-1a hash of the name. `draw` in `tools/reference/blocks.py` is its twin.
 */
export function drawn(name: string, size: number): Float32Array {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Float32Array.from({ length: size }, (_, i) => {
    let x = (seed + Math.imul(i, 0x9e3779b9)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x = (x ^ (x >>> 16)) >>> 0;
    return x / 2 ** 31 - 1;
  });
}

function flatten(value: Numbers): { values: ArrayLike<number>; shape?: readonly number[] } {
  if (value instanceof tf.Tensor) return { values: value.dataSync(), shape: value.shape };
  if (typeof value === 'number') return { values: [value], shape: [] };
  if (ArrayBuffer.isView(value)) return { values: value as unknown as ArrayLike<number> };
  const nested = value as readonly Nested[];
  const shape: number[] = [];
  for (let level: Nested = nested; Array.isArray(level); level = (level as readonly Nested[])[0] ?? 0) {
    shape.push((level as readonly Nested[]).length);
    if ((level as readonly Nested[]).length === 0) break;
  }
  const values = (nested as readonly unknown[]).flat(Number.POSITIVE_INFINITY) as number[];
  return shape.length > 1 ? { values, shape } : { values };
}

/** An input of {@link expectGradients}: its shape, and its values (float32) in that order. */
export interface GradientInput {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * Asserts that the gradients of a tensor op are those of the same function in double precision, taken by central
 * differences of `reference`, for every element of every input. The output is weighted by fixed uneven numbers, so that
 * errors cannot cancel. Keep the inputs small, and away from kinks unless the kink is what is tested.
 *
 * @param op the op under test, on tensors of the inputs' shapes
 * @param reference the same in doubles: flat inputs to the flat output
 */
export function expectGradients(
  op: (...inputs: tf.Tensor[]) => tf.Tensor,
  reference: (...inputs: Float64Array[]) => ArrayLike<number>,
  inputs: readonly GradientInput[],
  tolerance: Tolerance = { absolute: 1e-4, relative: 1e-4 },
): void {
  const doubles = inputs.map(({ values }) => Float64Array.from(values));
  const plain = reference(...doubles);
  const weights = Float32Array.from({ length: plain.length }, (_, i) => ((i * 7) % 11) / 11 - 0.4);
  const weighted = (): number => {
    const output = reference(...doubles);
    let sum = 0;
    for (let i = 0; i < output.length; i++) sum += output[i]! * weights[i]!;
    return sum;
  };
  tf.tidy(() => {
    const tensors = inputs.map(({ values, shape }) => tf.tensor(values, [...shape], 'float32'));
    const output = op(...tensors);
    expectClose(output.dataSync(), plain, tolerance);
    const w = tf.tensor(weights, output.shape);
    const gradients = tf.grads((...xs: tf.Tensor[]) => tf.sum(tf.mul(op(...xs), w)))(tensors);
    for (const [k, gradient] of gradients.entries()) {
      const values = doubles[k]!;
      const expected = Float64Array.from(values, (value, i) => {
        const h = 1e-6 * Math.max(1, Math.abs(value));
        values[i] = value + h;
        const above = weighted();
        values[i] = value - h;
        const below = weighted();
        values[i] = value;
        return (above - below) / (2 * h);
      });
      expectClose(gradient.dataSync(), expected, tolerance);
    }
  });
}
