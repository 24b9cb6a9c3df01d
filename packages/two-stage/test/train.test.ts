import { loadStateDict } from '@rcnn/checkpoint';
import {
  type Parameter,
  type PixelImage,
  type Target,
  trainableParameters,
  valueAndGradients,
  withoutInitialising,
} from '@rcnn/core';
import {
  above,
  Fixture,
  fixtureImage,
  hashedWeights,
  relativeError,
  relativeToMaximum,
  useFastEngine,
} from '@rcnn/fixtures';
import { SGD } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type FasterRCNN,
  firstInOrderSampler,
  keypointRcnnResnetFpn,
  type Losses,
  maskRcnnResnetFpn,
  type RecipeOptions,
} from '../src/index.ts';

const names = ['loss_classifier', 'loss_box_reg', 'loss_objectness', 'loss_rpn_box_reg'];
const common = {
  body: 'resnet18',
  minSize: 192,
  maxSize: 256,
  rpnPostNmsTopNTrain: 300,
  rpnSampler: firstInOrderSampler({ batchSize: 256, positiveFraction: 0.5 }),
} as const satisfies RecipeOptions;
const withMasks = () => ({
  model: maskRcnnResnetFpn({
    ...common,
    numClasses: 6,
    boxSampler: firstInOrderSampler({ batchSize: 512, positiveFraction: 0.25 }),
  }),
  loss: 'loss_mask',
  learningRate: 0.002,
});
const withKeypoints = () => ({
  model: keypointRcnnResnetFpn({
    ...common,
    numClasses: 2,
    fpnChannels: 64,
    boxFeatures: 128,
    keypointChannels: Array.from({ length: 8 }, () => 64),
    boxSampler: firstInOrderSampler({ batchSize: 64, positiveFraction: 0.25 }),
  }),
  loss: 'loss_keypoint',
  learningRate: 0.0005,
});

type Built = ReturnType<typeof withMasks> | ReturnType<typeof withKeypoints>;

beforeAll(useFastEngine);

// Losses, gradients and three steps of SGD by torchvision 0.29.1, with samplers that take the first candidates in
// order. Tolerances: losses of step 0 relative 1e-3, of later steps 1e-2; norms of gradients relative 1e-2.
describe.each([
  ['train_maskrcnn_resnet18_fpn', 3, withMasks],
  ['train_empty_image', 1, withMasks],
  ['train_keypointrcnn_resnet18_small', 2, withKeypoints],
  ['train_keypointrcnn_empty_image', 1, withKeypoints],
  ['train_keypointrcnn_all_invisible', 1, withKeypoints],
  ['train_keypointrcnn_all_empty', 1, withKeypoints],
] as const)('%s', (file, steps, build) => {
  let fixture: Fixture;
  let model: FasterRCNN;
  let extra: string;
  let images: PixelImage[];
  let targets: Target[];
  const losses: Record<string, number>[] = [];
  const gradients = new Map<string, Float32Array>();

  beforeAll(async () => {
    fixture = await Fixture.read(new URL(`fixtures/${file}.safetensors`, import.meta.url));
    images = [await fixtureImage('a'), await fixtureImage('b')];
    targets = [fixture.target(0), fixture.target(1)];
    const { model: built, loss, learningRate } = withoutInitialising<Built>(build); // the fixture's weights come next
    model = built;
    extra = loss;
    const ruled = fixture.metadata.has('weights'); // the file says how its weights were made
    await loadStateDict(model, ruled ? fixture.weights() : hashedWeights(model, fixture.salt));
    const optimizer = new SGD(trainableParameters(model), { momentum: 0.9 }); // the fixture's
    const settingsOf = () => ({ learningRate, weightDecay: 1e-4 });
    for (let step = 0; step < steps; step++) {
      const result = await valueAndGradients(async () => {
        const parts = await model.losses(images, targets);
        return { loss: tf.addN(Object.values(parts)), extra: parts };
      }, trainableParameters(model));
      losses.push(await numbers(result.extra));
      if (step === 0) {
        for (const [name, gradient] of result.gradients) gradients.set(name, (await gradient.data()) as Float32Array);
      }
      optimizer.update({ gradients: result.gradients, settingsOf });
      tf.dispose([result.loss, ...result.gradients.values(), ...Object.values(result.extra)]);
    }
    optimizer.dispose();
  });

  afterAll(() => model.dispose());

  test.each(Array.from({ length: steps }, (_, step) => step))('the five losses of step %i', (step) => {
    const all = [...names, extra];
    expect(Object.keys(losses[step]!).sort()).toEqual(all.toSorted());
    const errors = all.map((name) => {
      return [name, relativeError(losses[step]![name]!, fixture.floats(`step${step}.${name}`)[0]!)] as const;
    });
    expect(above(Object.fromEntries(errors), step === 0 ? 1e-3 : 1e-2)).toEqual({});
  });

  test('a gradient for every trainable parameter, and for no other', () => {
    const expected = fixture.names.flatMap((name) => /^grad\.stats\.(.*)$/.exec(name)?.[1] ?? []);
    const reached = expected.filter((name) => gradients.has(name) || fixture.floats(`grad.stats.${name}`)[2] !== 0);
    expect([...gradients.keys()].sort()).toEqual(reached.sort()); // what nothing reaches is 0 in the reference
  });

  test('the norm and maximum of every gradient', () => {
    const errors: Record<string, number> = {};
    for (const [name, gradient] of gradients) {
      const [norm, , maximum] = fixture.floats(`grad.stats.${name}`) as unknown as [number, number, number];
      if (maximum < ROUNDING) continue;
      errors[`norm of ${name}`] = relativeError(Math.sqrt(sumOfSquares(gradient)), norm);
      const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      errors[`maximum of ${name}`] = relativeError(largest, maximum);
    }
    expect(above(errors, 1e-2)).toEqual({});
  });

  test('every value of the small gradients', () => {
    const parameters = model.namedParameters();
    const errors: Record<string, number> = {};
    for (const full of fixture.names.filter((name) => name.startsWith('grad.full.'))) {
      const name = full.slice('grad.full.'.length);
      if (fixture.floats(full).every((value) => Math.abs(value) < ROUNDING)) continue;
      const ours = channelsFirst(gradients.get(name)!, parameters.get(name)!);
      errors[name] = relativeToMaximum(ours, fixture.floats(full));
    }
    expect(above(errors, 1e-2)).toEqual({});
  });

  test('the parameters after the steps', async () => {
    const errors: Record<string, number> = {};
    for (const [name, parameter] of trainableParameters(model)) {
      const values = (await parameter.value.data()) as Float32Array;
      errors[name] = relativeError(Math.sqrt(sumOfSquares(values)), fixture.floats(`after.${name}`)[0]!);
    }
    expect(above(errors, 1e-3)).toEqual({});
  });
});

/** Gradients below this are 0 in theory (a heatmap's bias): the reference has rounding there. */
const ROUNDING = 1e-6;

function sumOfSquares(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

async function numbers(losses: Losses): Promise<Record<string, number>> {
  const pairs = Object.entries(losses).map(async ([name, loss]) => [name, (await loss.data())[0]!] as const);
  return Object.fromEntries(await Promise.all(pairs));
}

/** A 1x1 convolution or a dense layer in PyTorch's order; vectors as they are. */
function channelsFirst(values: Float32Array, { layout, shape }: Parameter): Float32Array {
  if (layout === 'same') return values;
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  if (shape.slice(0, -2).some((side) => side !== 1) || layout === 'transposedConv')
    throw new Error(`not a small layout: ${shape.join()}`);
  return Float32Array.from(values, (_, i) => values[(i % inputs) * outputs + Math.floor(i / inputs)]!);
}
