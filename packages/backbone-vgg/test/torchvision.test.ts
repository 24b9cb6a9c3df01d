import { loadStateDict } from '@rcnn/checkpoint';
import { trainableParameters, valueAndGradients } from '@rcnn/core';
import { above, Fixture, relativeToMaximum, sampleChannelsFirst, useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { VGG } from '../src/index.ts';

beforeAll(useFastEngine);

/** The last convolution of each stage, after its ReLU; the pools between them are on the way. */
const STAGES = ['conv1_2', 'conv2_2', 'conv3_3', 'conv4_3', 'conv5_3'] as const;

// Features and gradients of torchvision 0.29.1 on a crop of 64x96. The file's tolerances: features 1e-4 of the largest
// value, norms of gradients 1e-2.
test('the stages of VGG-16 are torchvision’s, and their gradients', async () => {
  const fixture = await Fixture.read(new URL('fixtures/stages.safetensors', import.meta.url));
  const vgg = new VGG({ outputStages: [1, 2, 3, 4, 5] });
  await loadStateDict(vgg, fixture.weights());
  const input = fixture.floats('input');
  const images = tf.tidy(() => tf.transpose(tf.tensor4d(input, [1, 3, 64, 96]), [0, 2, 3, 1]));

  const errors: Record<string, number> = {};
  for (const [i, map] of vgg.forward(images).entries()) {
    const name = STAGES[i]!;
    const [n, c, h, w] = fixture.integers(`${name}.shape`);
    expect([name, ...map.shape]).toEqual([name, n, h, w, c]);
    const steps = name === 'conv5_3' ? {} : { skip: 16, step: 2 };
    const sample = sampleChannelsFirst(await map.data(), map.shape, steps);
    errors[name] = relativeToMaximum(sample, fixture.floats(`${name}.sample`));
    map.dispose();
  }
  expect(above(errors, 1e-4)).toEqual({});

  const parameters = trainableParameters(vgg);
  const { loss, gradients } = await valueAndGradients(
    () => ({ loss: tf.tidy(() => tf.mean(tf.square(vgg.forward(images, 'train').at(-1)!))) }),
    parameters,
  );
  expect(relativeToMaximum(await loss.data(), fixture.floats('objective'))).toBeLessThan(1e-4);
  const wrong: Record<string, number> = {};
  for (const name of parameters.keys()) {
    const [norm] = fixture.floats(`grad.stats.${name}`);
    const ours = tf.tidy(() => tf.norm(gradients.get(name)!).dataSync()[0]!);
    wrong[name] = Math.abs(ours - norm!) / norm!;
  }
  expect(Object.keys(wrong)).toHaveLength(26);
  expect(above(wrong, 1e-2)).toEqual({});
  tf.dispose([images, loss, ...gradients.values()]);
  vgg.dispose();
});
