import { type KernelConfig, type KernelFunc, type Tensor, tensor1d } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test, vi } from 'vitest';
import { supportExplicitPadding } from '../src/explicit-padding.ts';
import type { KernelRegistry } from '../src/kernel-registry.ts';
import { quickenStep } from '../src/quick-step.ts';

/**
 * A registry whose kernels are those of `cpu`, returning tensors as tfjs-node's do, and refusing padding by numbers as
 * tfjs-node's do.
 */
function madeUpRegistry(): KernelRegistry & { readonly kernels: Map<string, KernelConfig> } {
  const kernels = new Map<string, KernelConfig>();
  for (const config of tf.getKernelsForBackend('cpu')) {
    const kernelFunc: KernelFunc = (call) => {
      const { pad } = (call.attrs ?? {}) as { pad?: unknown };
      if (typeof pad === 'number' || Array.isArray(pad)) throw new Error("only 'valid' and 'same' padding");
      const { dataId, shape, dtype } = config.kernelFunc(call) as tf.TensorInfo;
      return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype });
    };
    kernels.set(config.kernelName, { ...config, backendName: 'tensorflow', kernelFunc });
  }
  return {
    kernels,
    getKernel: (name) => kernels.get(name),
    registerKernel: (config) => kernels.set(config.kernelName, config),
    unregisterKernel: (name) => kernels.delete(name),
  };
}

function run(registry: KernelRegistry, name: string, inputs: Record<string, Tensor>, attrs: object): number[] {
  const { kernelFunc } = registry.getKernel(name, 'tensorflow')!;
  const result = kernelFunc({ inputs, attrs: attrs as tf.NamedAttrMap, backend: tf.backend() }) as Tensor;
  const values = [...result.dataSync()];
  result.dispose();
  return values;
}

const cases = [
  { pad: 1, strides: [1, 1] },
  { pad: 1, strides: [2, 2] },
  { pad: [[0, 0], [0, 1], [2, 1], [0, 0]], strides: [1, 1] }, // biome-ignore format: one line
];

describe.each(cases)('a convolution with padding $pad and strides $strides', ({ pad, strides }) => {
  const x = tf.randomUniform<tf.Rank.R4>([2, 5, 7, 3], -1, 1, 'float32', 1);
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 3, 4], -1, 1, 'float32', 2);
  const attrs = { strides, pad, dataFormat: 'NHWC', dilations: [1, 1], activation: 'linear' };
  const cpu = (name: string) => tf.getKernel(name, 'cpu').kernelFunc;
  const output = cpu('Conv2D')({ inputs: { x, filter }, attrs: attrs as tf.NamedAttrMap, backend: tf.backend() });
  const dy = tf.randomUniform((output as tf.TensorInfo).shape, -1, 1, 'float32', 3);

  const calls: [string, Record<string, Tensor>, object][] = [
    ['Conv2D', { x, filter }, attrs],
    ['FusedConv2D', { x, filter }, attrs],
    ['Conv2DBackpropFilter', { x, dy }, { ...attrs, filterShape: filter.shape }],
    ['Conv2DBackpropInput', { dy, filter }, { ...attrs, inputShape: x.shape }],
  ];
  test.each(calls)('%s is right and leaks nothing', (name, inputs, attrs) => {
    const registry = madeUpRegistry();
    expect(() => run(registry, name, inputs, attrs)).toThrow(/only 'valid' and 'same'/);
    supportExplicitPadding(registry);
    const before = tf.memory().numTensors;
    const found = run(registry, name, inputs, attrs);
    expect(tf.memory().numTensors).toBe(before);
    const { dataId } = cpu(name)({ inputs, attrs: attrs as tf.NamedAttrMap, backend: tf.backend() }) as tf.TensorInfo;
    const expected = [...(tf.backend().readSync(dataId) as Float32Array)];
    expect(found.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
  });
});

test('padding in words goes to tfjs-node as it is', () => {
  const registry = madeUpRegistry();
  const original = vi.fn(registry.getKernel('Conv2D', 'tensorflow')!.kernelFunc);
  registry.kernels.set('Conv2D', { ...registry.kernels.get('Conv2D')!, kernelFunc: original });
  supportExplicitPadding(registry);
  const inputs = { x: tf.ones([1, 3, 3, 1]), filter: tf.ones([3, 3, 1, 1]) };
  run(registry, 'Conv2D', inputs, { strides: 1, pad: 'same', dataFormat: 'NHWC', dilations: 1 });
  expect(original.mock.calls[0]![0].inputs).toBe(inputs);
});

test('loading twice replaces kernels once', () => {
  const registry = madeUpRegistry();
  supportExplicitPadding(registry);
  const once = registry.getKernel('Conv2D', 'tensorflow');
  supportExplicitPadding(registry);
  expect(registry.getKernel('Conv2D', 'tensorflow')).toBe(once);
});

test('the quick step is the step, zeros included', () => {
  const registry = madeUpRegistry();
  quickenStep(registry);
  const x = tensor1d([-2, -0, 0, 0.5, 3, Number.POSITIVE_INFINITY]);
  expect(run(registry, 'Step', { x }, { alpha: 0 })).toEqual([0, 0, 0, 1, 1, 1]);
  expect(run(registry, 'Step', { x: tensor1d([-2, 2]) }, { alpha: 0.25 })).toEqual([0.25, 1]);
});
