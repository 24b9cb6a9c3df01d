import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@rcnn/tfjs-backend-onnxruntime';
import { afterAll, expect, test } from 'vitest';
import { convolution } from '../src/index.ts';
import { expectClose, expectNoLeak } from '../src/testing.ts';

afterAll(() => tf.setBackend('cpu'));

type Shape = [number, number, number, number];

/** What a convolution with bias and ReLU gives, and its gradients by map, filter and bias. */
function valueAndGradients(x: Shape, filter: Shape, stride: number): readonly Float32Array[] {
  return tf.tidy(() => {
    const drawn = [x, filter, [filter[3]]].map((shape, seed) => tf.randomUniform(shape, -1, 1, 'float32', seed));
    const apply = (...[map, weight, bias]: tf.Tensor[]): tf.Tensor => {
      const options = { groups: x[3] / filter[2], stride, bias: bias as tf.Tensor1D, activation: 'relu' } as const;
      return convolution(map as tf.Tensor4D, weight as tf.Tensor4D, options);
    };
    const y = apply(...drawn);
    const dy = tf.randomUniform(y.shape, -1, 1, 'float32', 9);
    return [y, ...tf.grads(apply)(drawn, dy)].map((tensor) => tensor.dataSync<'float32'>());
  });
}

/** The cpu backend convolves group by group, the native one all groups at once. */
test.each([
  { x: [2, 9, 10, 64], filter: [3, 3, 4, 64], stride: 1 },
  { x: [1, 9, 12, 32], filter: [3, 3, 8, 64], stride: 2 },
  { x: [1, 7, 7, 6], filter: [1, 1, 2, 9], stride: 2 },
  { x: [1, 6, 8, 12], filter: [5, 5, 6, 4], stride: 1 },
] as { x: Shape; filter: Shape; stride: number }[])(
  '%o: an engine with groups gives what the others do',
  async ({ x, filter, stride }) => {
    await tf.setBackend('cpu');
    const expected = valueAndGradients(x, filter, stride);
    await tf.setBackend('onnxruntime');
    const { kernelNames } = await tf.profile(() => {
      valueAndGradients(x, filter, stride);
    });
    expect(kernelNames).toContain('GroupedConv2D');
    expect(kernelNames).not.toContain('SplitV');
    let found: readonly Float32Array[] = [];
    await expectNoLeak(() => (found = valueAndGradients(x, filter, stride)));
    expect(found).toHaveLength(4);
    for (const [i, values] of found.entries()) expectClose(values, expected[i]!, { absolute: 5e-5 });
  },
);

test('no images are convolved group by group on any engine', async () => {
  await tf.setBackend('onnxruntime');
  const y = tf.tidy(() => convolution(tf.zeros([0, 5, 5, 8]), tf.ones([3, 3, 4, 8]), { groups: 2 }).shape);
  expect(y).toEqual([0, 5, 5, 8]);
});
