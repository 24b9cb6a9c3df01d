import { firstInOrderSampler } from '@rcnn/boxes';
import { loadStateDict } from '@rcnn/checkpoint';
import { type Parameter, type Target, trainableParameters, valueAndGradients, withoutInitialising } from '@rcnn/core';
import { FixedSizeTransform, prepare } from '@rcnn/detector';
import { above, Fixture, fixtureImage, relativeError, relativeToMaximum, useFastEngine } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { SGD } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromAuthorsNames, type YOLACT, yolactPlusResnetFpn, yolactResnetFpn } from '../src/index.ts';

const SIDE = 138;
const STEPS = 3;
const LOSSES = { loss_box: 'B', loss_class: 'C', loss_mask: 'M', loss_semantic: 'S' } as const;
const NET = { body: 'resnet18', fpnChannels: 64, numClasses: 6, imageSize: SIDE } as const;
const maskSampler = firstInOrderSampler({ batchSize: 100, positiveFraction: 1 });

const CASES = [
  {
    file: 'train_yolact_resnet18_small',
    build: () => yolactResnetFpn({ ...NET, maskSampler }),
    names: LOSSES,
    small: 19,
  },
  {
    file: 'train_yolact_plus_resnet18_small',
    build: () => yolactPlusResnetFpn({ ...NET, maskSampler, maskRescoring: [8, 16, 32] }),
    names: { ...LOSSES, loss_mask_iou: 'I' },
    small: 25,
  },
] as const;

describe.each(CASES)('$file', ({ file, build, names: lossNames, small }) => {
  let fixture: Fixture;
  let model: YOLACT;
  /** Their names by ours. */
  let theirs: Map<string, string>;
  const losses: Record<string, number>[] = [];
  const gradients = new Map<string, Float32Array>();

  // Losses, gradients and three steps of SGD by the authors' code at commit 902073d4, norms frozen. Tolerances: losses of
  // step 0 relative 1e-4, of later steps 1e-3; norms of gradients relative 1e-2, entries 1e-2 of the largest.
  beforeAll(async () => {
    await useFastEngine();
    fixture = await Fixture.read(new URL(`fixtures/${file}.safetensors`, import.meta.url));
    model = withoutInitialising(build);
    const weights = fixture.weights();
    const renamed = fromAuthorsNames(weights);
    const names = [...weights.tensors.keys()];
    theirs = new Map([...renamed.tensors.keys()].map((name, i) => [name, names[i]!]));
    await loadStateDict(model, renamed);
    const images = await squeezed();
    const targets = [targetOf(fixture, 0), targetOf(fixture, 1)];
    const optimizer = new SGD(trainableParameters(model), { momentum: 0.9 });
    const settingsOf = () => ({ learningRate: 1e-4, weightDecay: 5e-4 });
    for (let step = 0; step < STEPS; step++) {
      const result = await valueAndGradients(async () => {
        const parts = await model.losses(images, targets);
        return { loss: tf.addN(Object.values(parts)), extra: parts };
      }, trainableParameters(model));
      losses.push(Object.fromEntries(Object.entries(result.extra).map(([name, loss]) => [name, loss.dataSync()[0]!])));
      if (step === 0) {
        for (const [name, gradient] of result.gradients) gradients.set(name, gradient.dataSync() as Float32Array);
      }
      optimizer.update({ gradients: result.gradients, settingsOf });
      tf.dispose([result.loss, ...result.gradients.values(), ...Object.values(result.extra)]);
    }
    optimizer.dispose();
    tf.dispose(images);
  });

  afterAll(() => model.dispose());

  test.each(Array.from({ length: STEPS }, (_, step) => step))('the four losses of step %i', (step) => {
    const errors = Object.entries(lossNames).map(([ours, name]) => {
      return [ours, relativeError(losses[step]![ours]!, fixture.floats(`step${step}.${name}`)[0]!)];
    });
    expect(above(Object.fromEntries(errors) as Record<string, number>, step === 0 ? 1e-4 : 1e-3)).toEqual({});
  });

  test('a gradient for every trainable parameter, and for no other', () => {
    const expected = fixture.names.flatMap((name) => /^grad\.stats\.(.*)$/.exec(name)?.[1] ?? []);
    expect([...gradients.keys()].map((name) => theirs.get(name)).sort()).toEqual(expected.sort());
  });

  test('the norm and maximum of every gradient', () => {
    const errors: Record<string, number> = {};
    for (const [name, gradient] of gradients) {
      const [norm, , maximum] = fixture.floats(`grad.stats.${theirs.get(name)}`) as unknown as [number, number, number];
      errors[`norm of ${name}`] = relativeError(Math.sqrt(sumOfSquares(gradient)), norm);
      const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      errors[`maximum of ${name}`] = relativeError(largest, maximum);
    }
    expect(above(errors, 1e-2)).toEqual({});
  });

  test('every value of the small gradients', () => {
    const parameters = model.namedParameters();
    const errors: Record<string, number> = {};
    for (const [name, gradient] of gradients) {
      const full = `grad.full.${theirs.get(name)}`;
      if (fixture.has(full))
        errors[name] = relativeToMaximum(stored(gradient, parameters.get(name)!), fixture.floats(full));
    }
    expect(Object.keys(errors).length).toBe(small);
    expect(above(errors, 1e-2)).toEqual({});
  });

  test('the parameters after the steps', () => {
    const errors: Record<string, number> = {};
    for (const [name, { value }] of trainableParameters(model)) {
      const [norm, sum] = fixture.floats(`after.${theirs.get(name)}`) as unknown as [number, number];
      const values = value.dataSync() as Float32Array;
      errors[name] = relativeError(Math.sqrt(sumOfSquares(values)), norm);
      errors[`sum of ${name}`] = Math.abs(values.reduce((a, b) => a + b, 0) - sum) / (norm * Math.sqrt(values.length));
    }
    expect(above(errors, 1e-4)).toEqual({});
  });
});

/** The images at the size that the fixture's targets are given at. */
async function squeezed(): Promise<tf.Tensor3D[]> {
  const transform = new FixedSizeTransform({ size: [SIDE, SIDE], mean: [0, 0, 0], std: [1, 1, 1] });
  const { images } = await prepare('test', transform, [await fixtureImage('a'), await fixtureImage('b')]);
  const parts = tf.unstack(images) as tf.Tensor3D[];
  images.dispose();
  return parts;
}

function targetOf(fixture: Fixture, image: number): Target {
  const at = `targets.${image}`;
  const { size, bitmaps } = fixture.bitmaps(`${at}.masks`);
  const crowds = fixture.integers('num_crowds')[image]!; // they come last, with label -1
  return {
    boxes: fixture.floats(`${at}.boxes`).map((share) => share * SIDE),
    labels: fixture.integers(`${at}.labels`).map((label) => Math.max(1, label + 1)),
    masks: bitmaps.map((bitmap) => Mask.fromBitmap(bitmap, size)),
    crowd: Uint8Array.from(bitmaps, (_, i) => (i >= bitmaps.length - crowds ? 1 : 0)),
  };
}

function sumOfSquares(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

/** A filter `[h, w, I, O]` in PyTorch's order; vectors as they are. */
function stored(values: Float32Array, { layout, shape }: Parameter): Float32Array {
  if (layout === 'same') return values;
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  const cells = height * width;
  return Float32Array.from(values, (_, i) => {
    const [output, input, cell] = [Math.floor(i / (inputs * cells)), Math.floor(i / cells) % inputs, i % cells];
    return values[(cell * inputs + input) * outputs + output]!;
  });
}
