import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { afterEach, describe, expect, test } from 'vitest';
import { selfCheck } from '../../src/index.ts';
import { expectNoLeak } from '../../src/testing.ts';

type Kernel = (call: Parameters<tf.KernelFunc>[0], original: tf.KernelFunc) => tf.TensorInfo | tf.TensorInfo[];

/** A copy of the `cpu` backend in which some kernels are spoilt, and some absent. */
async function useSpoilt(spoilt: Record<string, Kernel | undefined>): Promise<void> {
  tf.registerBackend('spoilt', () => new MathBackendCPU());
  for (const config of tf.getKernelsForBackend('cpu')) {
    const { kernelName, kernelFunc } = config;
    if (kernelName in spoilt && spoilt[kernelName] === undefined) continue;
    const spoil = spoilt[kernelName];
    tf.registerKernel({
      ...config,
      backendName: 'spoilt',
      ...(spoil === undefined ? {} : { kernelFunc: (call) => spoil(call, kernelFunc) }),
    });
  }
  await tf.setBackend('spoilt');
}

afterEach(async () => {
  await tf.setBackend('cpu');
  if (tf.findBackendFactory('spoilt') === null) return;
  for (const { kernelName } of tf.getKernelsForBackend('spoilt')) tf.unregisterKernel(kernelName, 'spoilt');
  tf.removeBackend('spoilt');
});

describe('the self-check', () => {
  test('finds that plain JavaScript trains, and where it departs from PyTorch', async () => {
    await tf.setBackend('cpu');
    expect(await selfCheck()).toEqual({
      ability: 'train',
      notes: ['max-pool turns NaN into 3', 'the mean of nothing is 0, not NaN'],
    });
  });

  test('finds that WebAssembly predicts only, and names the kernels it lacks', async () => {
    await tf.setBackend('wasm');
    const { ability, why } = await selfCheck();
    expect(ability).toBe('predict');
    expect(why).toBe('it has no Conv2DBackpropFilter, UnsortedSegmentSum');
  });

  test('leaves no tensor behind', async () => {
    await tf.setBackend('cpu');
    await expectNoLeak(selfCheck);
  });

  test('catches a convolution of zeros (tfjs issue 8405)', async () => {
    await useSpoilt({
      Conv2D: (call, original) => {
        const y = original(call) as tf.TensorInfo;
        ((call.backend as MathBackendCPU).data.get(y.dataId).values as Float32Array).fill(0);
        return y;
      },
    });
    const { ability, why } = await selfCheck();
    expect(ability).toBe('unusable');
    expect(why).toBe('the convolution is wrong: value 0 is 0, expected -0.34375');
  });

  test('catches a NaN where a number belongs', async () => {
    await useSpoilt({
      Conv2DBackpropFilter: (call, original) => {
        const dw = original(call) as tf.TensorInfo;
        ((call.backend as MathBackendCPU).data.get(dw.dataId).values as Float32Array)[7] = Number.NaN;
        return dw;
      },
    });
    const { ability, why } = await selfCheck();
    expect(ability).toBe('predict');
    expect(why).toBe('the gradient of a convolution by its filter is wrong: value 7 is NaN, expected -0.625');
  });

  test('catches a kernel that throws', async () => {
    await useSpoilt({
      Conv2DBackpropInput: () => {
        throw new Error('no such shader\nat line 3');
      },
    });
    expect(await selfCheck()).toMatchObject({
      ability: 'predict',
      why: 'the gradient of a convolution by its input fails: no such shader',
    });
  });

  test('catches a missing kernel', async () => {
    await useSpoilt({ Conv2D: undefined });
    expect(await selfCheck()).toEqual({ ability: 'unusable', why: 'it has no Conv2D', notes: [] });
  });

  test('catches a kernel that leaks', async () => {
    await useSpoilt({
      Conv2DBackpropInput: (call, original) => {
        (call.backend as MathBackendCPU).makeTensorInfo([1], 'float32', new Float32Array(1));
        return original(call);
      },
    });
    expect(await selfCheck()).toMatchObject({
      ability: 'predict',
      why: 'it leaks: 1 tensors gained by three ops',
    });
  });
});

test('the stored answers are those of a convolution written out in float64', async () => {
  const source = await selfCheckSource();
  const x = ramp(24, 7, 11, 4);
  const w = ramp(36, 5, 13, 8);
  const dy = ramp(8, 3, 7, 2);
  const y = new Array<number>(8).fill(0);
  const dx = new Array<number>(24).fill(0);
  const dw = new Array<number>(36).fill(0);
  for (const [i, j, a, b, c, d] of indices(2, 2, 3, 3, 2, 2)) {
    const row = 2 * i! + a!; // `same` with stride 2 pads 4 rows below only
    const column = 2 * j! - 1 + b!; // and 3 columns on both sides
    if (row >= 4 || column < 0 || column >= 3) continue;
    const xi = (row * 3 + column) * 2 + c!;
    const wi = ((a! * 3 + b!) * 2 + c!) * 2 + d!;
    const yi = (i! * 2 + j!) * 2 + d!;
    y[yi]! += x[xi]! * w[wi]!;
    dx[xi]! += dy[yi]! * w[wi]!;
    dw[wi]! += dy[yi]! * x[xi]!;
  }
  expect(source('forward')).toEqual(y);
  expect(source('dImage')).toEqual(dx);
  expect(source('dFilter')).toEqual(dw);
});

/** Reads the private table of answers out of the source, which is where it must be right. */
async function selfCheckSource(): Promise<(name: string) => number[]> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(new URL('../../src/engine/self-check.ts', import.meta.url), 'utf8');
  return (name) => {
    const list = new RegExp(`  ${name}: \\[([^\\]]*)\\]`).exec(text)![1]!;
    return list.split(',').flatMap((item) => (item.trim() === '' ? [] : [Number(item)]));
  };
}

/** Every tuple of indices below the given sizes. */
function indices(...sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (tuples, size) => tuples.flatMap((tuple) => Array.from({ length: size }, (_, i) => [...tuple, i])),
    [[]],
  );
}

function ramp(count: number, step: number, modulus: number, divisor: number): number[] {
  return Array.from({ length: count }, (_, i) => (((i * step) % modulus) - Math.floor(modulus / 2)) / divisor);
}
