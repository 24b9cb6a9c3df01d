/** A convolution with both of its gradients, on two backends of one process. */
import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { BACKEND_NAME, type Convolutions, OrtBackend } from '../src/index.ts';

/** Registers a backend that convolves in another way, under a name of its own. */
export function registerOther(name: string, convolutions: Convolutions): void {
  tf.registerBackend(name, () => new OrtBackend({ convolutions }));
  for (const kernel of tf.getKernelsForBackend(BACKEND_NAME)) tf.registerKernel({ ...kernel, backendName: name });
}

export interface Shape {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly pad: 'same' | 'valid' | number;
  /** Rows and columns of the filter. Default 3 and 3. */
  readonly filter?: readonly [number, number];
  /** Default 1. */
  readonly stride?: number;
}

/** As in a training, whose filters change from step to step. */
export function recorded<T>(work: () => T): T {
  const engine = tf.engine() as unknown as { startTape(): void; endTape(): void };
  engine.startTape();
  try {
    return work();
  } finally {
    engine.endTape();
  }
}

/** Result, gradient by the input, gradient by the filter. */
export async function passesOf(name: string, shape: Shape): Promise<Float32Array[]> {
  const { n, h, w, inChannels, outChannels, pad, filter: [rows, columns] = [3, 3], stride = 1 } = shape;
  const dimRoundingMode = typeof pad === 'number' ? 'floor' : undefined; // tfjs takes it with numbers alone
  await tf.setBackend(name);
  const found = tf.tidy(() => {
    const x = tf.randomUniform<tf.Rank.R4>([n, h, w, inChannels], -1, 1, 'float32', 1);
    const filterShape: [number, number, number, number] = [rows, columns, inChannels, outChannels];
    const filter = tf.randomUniform<tf.Rank.R4>(filterShape, -1, 1, 'float32', 2);
    const y = recorded(() => tf.conv2d(x, filter, stride, pad, 'NHWC', 1, dimRoundingMode));
    const dy = tf.randomUniform(y.shape, -1, 1, 'float32', 3);
    const attrs = { strides: stride, pad, dataFormat: 'NHWC', dimRoundingMode };
    const gradient = (kernel: string, inputs: object, own: object): tf.Tensor =>
      tf.engine().runKernel(kernel, inputs as never, { ...attrs, ...own } as never) as tf.Tensor;
    const dx = gradient(tf.Conv2DBackpropInput, { dy, filter }, { inputShape: x.shape });
    return [y, dx, gradient(tf.Conv2DBackpropFilter, { x, dy }, { filterShape })];
  });
  const values = found.map((tensor) => tensor.dataSync() as Float32Array);
  tf.dispose(found);
  return values;
}

/**
 * Expects the passes of the backend `name` to be those of `other` within rounding, to have the same bits when they are
 * repeated, and to leave no tensor and no memory behind.
 */
export async function expectSamePasses(name: string, other: string, shape: Shape): Promise<void> {
  const expected = await passesOf(other, shape);
  const tensors = tf.memory().numTensors;
  const found = await passesOf(name, shape);
  const lent = (tf.backend() as OrtBackend).pool.lentBytes;
  const again = await passesOf(name, shape);
  expect((tf.backend() as OrtBackend).pool.lentBytes).toBe(lent);
  expect(tf.memory().numTensors).toBe(tensors);
  found.forEach((values, i) => {
    expectSameBits(values, again[i]!);
    expect(distance(values, expected[i]!)).toBeLessThan(1e-5);
  });
}

/** The largest difference, in parts of the largest value of `b`. */
export function distance(a: Float32Array, b: Float32Array): number {
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) / largest;
}
