import * as tf from '@tensorflow/tfjs-core';
import { firstLine } from './unavailable.ts';

/** What an engine turned out to be good for. */
export type EngineAbility = 'train' | 'predict' | 'unusable';

/** The answer of {@link selfCheck}. */
export interface EngineCheck {
  readonly ability: EngineAbility;
  /** Why it is not `train`. */
  readonly why?: string;
  /** Departures that our models do not depend on, but their debugging may. */
  readonly notes: readonly string[];
}

/** Without these no model of ours predicts. */
// biome-ignore format: a list to read, not to scroll
const PREDICTING = [
  'Add', 'BatchMatMul', 'Concat', 'Conv2D', 'Exp', 'GatherV2', 'MaxPool', 'Multiply', 'PadV2', 'Relu', 'ResizeNearestNeighbor',
  'Sigmoid', 'Slice', 'Softmax', 'Sub', 'Sum', 'Transpose',
];

/** What the gradients of our models need beyond them. */
// biome-ignore format: as above
const TRAINING = [
  'Conv2DBackpropFilter', 'Conv2DBackpropInput', 'MaxPoolGrad', 'ResizeNearestNeighborGrad', 'Select', 'Step', 'UnsortedSegmentSum',
];

/**
 * A convolution 3x3, stride 2, padding `same` (the one that every engine has; here 0 rows above, 1 below, 1 column on
 * each side), `[1, 4, 3, 2]` to `[1, 2, 2, 2]`, with its answers worked out in float64.
 * All numbers are small fractions of powers of two, so that every precision gets them exactly.
 */
const CONVOLUTION = {
  image: ramp(24, 7, 11, 4),
  filter: ramp(36, 5, 13, 8),
  dy: ramp(8, 3, 7, 2),
  forward: [-0.34375, -0.15625, -0.84375, 2.15625, -0.90625, -0.28125, 0.0625, -1.4375],
  dImage: [
    -0.1875, 0.375, -0.125, 0.0625, -0.1875, -0.5625, 0.75, -1.125, 0.1875, -0.4375, -0.8125, 1.25, -1.375, -0.8125,
    -1.125, 1.875, -0.0625, -0.875, -0.625, 1, 2.25, -1.4375, -0.4375, 0.75,
  ],
  dFilter: [
    -0.125, -1.625, 2, -1, 2.375, 0.5, -1.875, -0.625, 2, -1.25, -1.625, -0.25, -1.125, -0.625, 1, 0, -2.5, 2, -2.625,
    0.875, 2.25, -0.75, -1.375, 0.25, 1.875, -0.625, 0.375, -0.125, -1.875, 0.375, 2.25, -0.5, -1.875, 0, -0.375, 0,
  ],
} as const satisfies Record<string, readonly number[]>;

/** Two windows of 2x2, side by side: NaN comes first in one and last in the other. */
const TWO_WINDOWS = [Number.NaN, 1, 1, 2, 2, 3, 3, Number.NaN];

const TOLERANCE = 1e-3;
const STRIDES: [number, number] = [2, 2];

/**
 * Tries the current tfjs backend on a convolution, its gradients, NaN, an empty mean and its memory, in about the time
 * of a dozen tiny ops. Leaves no tensor behind.
 */
export async function selfCheck(): Promise<EngineCheck> {
  const unusable = absent(PREDICTING) ?? (await wrong('convolution', forward, CONVOLUTION.forward));
  if (unusable !== undefined) return { ability: 'unusable', why: unusable, notes: [] };
  const notes = await oddities();
  const untrainable =
    absent(TRAINING) ??
    (await wrong('gradient of a convolution by its input', imageGradient, CONVOLUTION.dImage)) ??
    (await wrong('gradient of a convolution by its filter', filterGradient, CONVOLUTION.dFilter)) ??
    (await leak());
  return untrainable === undefined ? { ability: 'train', notes } : { ability: 'predict', why: untrainable, notes };
}

function absent(kernels: readonly string[]): string | undefined {
  const missing = kernels.filter((kernel) => tf.getKernel(kernel, tf.getBackend()) === undefined);
  return missing.length === 0 ? undefined : `it has no ${missing.join(', ')}`;
}

/** Says how `op` fails or departs from `expected`; `undefined` when it does neither. */
async function wrong(what: string, op: () => tf.Tensor, expected: readonly number[]): Promise<string | undefined> {
  let values: ArrayLike<number>;
  try {
    values = await read(op);
  } catch (error) {
    return `the ${what} fails: ${firstLine(error)}`;
  }
  const index = expected.findIndex((value, i) => !(Math.abs(values[i]! - value) <= TOLERANCE));
  if (index < 0 && values.length === expected.length) return undefined;
  return `the ${what} is wrong: value ${index} is ${values[index]}, expected ${expected[index]}`;
}

/** Where it departs from PyTorch in a way that costs no training, but hides a fault. */
async function oddities(): Promise<string[]> {
  const maxima = await values(() => tf.maxPool(tf.tensor4d(TWO_WINDOWS, [1, 2, 4, 1]), 2, 2, 'valid'));
  const [clippedNaN] = await values(() => tf.clipByValue(tf.tensor1d([Number.NaN]), 0, 1));
  const [emptyMean] = await values(() => tf.mean(tf.zeros([0])));
  const lost = maxima.find((maximum) => !Number.isNaN(maximum));
  return [
    lost === undefined ? [] : [`max-pool turns NaN into ${text(lost)}`],
    Number.isNaN(clippedNaN) ? [] : [`clipByValue turns NaN into ${text(clippedNaN!)}`],
    Number.isNaN(emptyMean) ? [] : [`the mean of nothing is ${text(emptyMean!)}, not NaN`],
  ].flat();
}

/** Says how much memory a second round of the same ops gains. */
async function leak(): Promise<string | undefined> {
  const round = async () => {
    for (const op of [forward, imageGradient, filterGradient]) await read(op);
  };
  await round(); // whatever is cached is cached now
  const tensors = tf.memory().numTensors;
  const buffers = tf.backend().numDataIds();
  await round();
  const gained = Math.max(tf.memory().numTensors - tensors, tf.backend().numDataIds() - buffers);
  return gained <= 0 ? undefined : `it leaks: ${gained} tensors gained by three ops`;
}

function forward(): tf.Tensor {
  return tf.conv2d(image(), filter(), STRIDES, 'same');
}

// By kernel, not by tf.grads: what is asked is whether the engine can, not whether gradients are registered.
function imageGradient(): tf.Tensor {
  return tf
    .engine()
    .runKernel<tf.Tensor>(
      tf.Conv2DBackpropInput,
      { dy: dy(), filter: filter() },
      { ...attributes(), inputShape: [1, 4, 3, 2] },
    );
}

function filterGradient(): tf.Tensor {
  return tf
    .engine()
    .runKernel<tf.Tensor>(
      tf.Conv2DBackpropFilter,
      { x: image(), dy: dy() },
      { ...attributes(), filterShape: [3, 3, 2, 2] },
    );
}

function attributes(): { strides: [number, number]; pad: 'same'; dataFormat: 'NHWC' } {
  return { strides: STRIDES, pad: 'same', dataFormat: 'NHWC' };
}

function image(): tf.Tensor4D {
  return tf.tensor4d([...CONVOLUTION.image], [1, 4, 3, 2]);
}

function filter(): tf.Tensor4D {
  return tf.tensor4d([...CONVOLUTION.filter], [3, 3, 2, 2]);
}

function dy(): tf.Tensor4D {
  return tf.tensor4d([...CONVOLUTION.dy], [1, 2, 2, 2]);
}

function text(value: number | string): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(3))) : value;
}

/** The values of a result, or the error in their place. */
async function values(op: () => tf.Tensor): Promise<(number | string)[]> {
  try {
    return Array.from(await read(op));
  } catch (error) {
    return [`an error (${firstLine(error)})`];
  }
}

async function read(op: () => tf.Tensor): Promise<ArrayLike<number>> {
  const result = tf.tidy(op);
  try {
    return await result.data(); // asynchronous: WebGPU knows no other way
  } finally {
    result.dispose();
  }
}

/** `count` numbers that look arbitrary: `((i * step) mod modulus - half) / divisor`. */
function ramp(count: number, step: number, modulus: number, divisor: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => (((i * step) % modulus) - Math.floor(modulus / 2)) / divisor);
}
