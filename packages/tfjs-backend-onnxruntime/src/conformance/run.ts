import * as tf from '@tensorflow/tfjs-core';
import type { ConformanceCase, ConformanceInput, StoredTensor } from './case.ts';
import { uniform } from './inputs.ts';
import { ops } from './ops.ts';

export interface ConformanceOptions {
  /** Largest difference, relative to the largest magnitude of the tensor. */
  readonly tolerance: number;
  /** Whether to check gradients. They must be registered with tfjs. Default true. */
  readonly gradients?: boolean;
}

/**
 * Runs one case on the current tfjs backend and compares it with the stored answer.
 *
 * @returns what is wrong; nothing if the engine conforms. Leaves no tensor behind, or says so.
 */
export async function checkCase(entry: ConformanceCase, options: ConformanceOptions): Promise<string | undefined> {
  const tensors = tf.memory().numTensors;
  let problem: string | undefined;
  try {
    problem = (await checkOutput(entry, options)) ?? (await checkGradients(entry, options));
  } catch (error) {
    return `throws: ${error instanceof Error ? error.message : String(error)}`;
  }
  const gained = tf.memory().numTensors - tensors;
  return problem ?? (gained === 0 ? undefined : `gained ${gained} tensors`);
}

async function checkOutput(entry: ConformanceCase, { tolerance }: ConformanceOptions): Promise<string | undefined> {
  const y = tf.tidy(() =>
    ops[entry.op]!(
      entry.inputs.map((input) => makeInput(entry, input)),
      entry.attrs,
    ),
  );
  return compareAndDispose('output', y, entry.output, tolerance);
}

async function checkGradients(entry: ConformanceCase, options: ConformanceOptions): Promise<string | undefined> {
  const { gradients: expected } = entry;
  if (!expected || options.gradients === false) return undefined;
  const gradients = tf.tidy(() => gradientsOf(entry));
  let problem: string | undefined;
  for (const [i, gradient] of gradients.entries()) {
    const found = await compareAndDispose(`gradient of input ${i}`, gradient, expected[i]!, options.tolerance);
    problem ??= found;
  }
  return problem;
}

function gradientsOf(entry: ConformanceCase): tf.Tensor[] {
  const inputs = entry.inputs.map((input) => makeInput(entry, input));
  const floats = inputs.filter(({ dtype }) => dtype === 'float32');
  const { shape } = entry.output;
  const dy = tf.tensor(uniform(`${entry.name}/dy`, sizeOf(shape), -1, 1), [...shape]);
  const forward = (...variables: tf.Tensor[]): tf.Tensor => {
    const rest = [...variables];
    return ops[entry.op]!(
      inputs.map((input) => (input.dtype === 'float32' ? rest.shift()! : input)),
      entry.attrs,
    );
  };
  return tf.grads(forward)(floats, dy);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function makeInput(entry: ConformanceCase, input: ConformanceInput): tf.Tensor {
  const shape = [...input.shape];
  if ('int32' in input) return tf.tensor([...input.int32], shape, 'int32');
  const values = uniform(input.name, sizeOf(shape), input.low, input.high);
  const poison = entry.attrs['poison'] as number | undefined;
  if (poison !== undefined) values[poison] = Number.NaN;
  return tf.tensor(values, shape);
}

/** Asynchronous, because not every engine can be read at once. */
async function compareAndDispose(
  what: string,
  tensor: tf.Tensor,
  expected: StoredTensor,
  tolerance: number,
): Promise<string | undefined> {
  try {
    if (tensor.shape.join() !== expected.shape.join()) {
      return `${what}: shape [${tensor.shape.join()}], expected [${expected.shape.join()}]`;
    }
    return compare(what, await tensor.data(), expected, tolerance);
  } finally {
    tensor.dispose();
  }
}

function compare(
  what: string,
  values: ArrayLike<number>,
  expected: StoredTensor,
  tolerance: number,
): string | undefined {
  const allowed = tolerance * expected.scale;
  for (const [i, want] of expected.values.entries()) {
    const index = i * expected.step;
    const found = values[index]!;
    const agrees = want === null ? Number.isNaN(found) : Math.abs(found - want) <= allowed;
    if (!agrees) return `${what}[${index}] is ${found}, expected ${want ?? 'NaN'} within ${allowed.toExponential(1)}`;
  }
  return undefined;
}
