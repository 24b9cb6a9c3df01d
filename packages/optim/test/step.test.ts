import { Parameter, Random } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { groupParameters, SGD, type StepOptions, type TrainingBatch, trainingStep } from '../src/index.ts';
import { ToyModel, toyBatch } from '../src/testing/index.ts';
import { ready } from './engine.ts';

beforeAll(() => ready);

let model: ToyModel;
let options: StepOptions;
let batches: TrainingBatch[];

beforeEach(() => {
  model = new ToyModel();
  const parameters = model.namedParameters();
  options = { model, optimizer: new SGD(parameters), groups: groupParameters(parameters) };
  batches = [0, 1, 2, 3].map((index) => toyBatch(0, index));
});

const context = { step: 1, learningRate: 0.05, random: new Random(3) };

function weights(): number[] {
  return [...model.namedParameters().values()].flatMap(({ value }) => [...value.dataSync()]);
}

test('a step lowers the loss and reports its parts', async () => {
  const { loss, losses, gradientNorm } = await trainingStep(options, batches.slice(0, 1), context);
  expect(Object.keys(losses)).toEqual(['loss_square', 'loss_small']);
  expect(loss).toBeCloseTo(losses.loss_square! + losses.loss_small!, 6);
  expect(gradientNorm).toBeGreaterThan(0);
  const next = await trainingStep(options, batches.slice(0, 1), context);
  expect(next.loss).toBeLessThan(loss);
});

test('no tensor is gained, in a step or in 200', async () => {
  await trainingStep(options, batches, context); // the first one makes the momentum
  await expectNoLeak(() => trainingStep(options, batches, context), 200);
});

test('the gradient norm is that of the whole gradient, and clipping scales the update to it', async () => {
  const start = weights();
  const plain = await trainingStep(options, batches.slice(0, 1), context);
  const moved = weights().map((value, i) => value - start[i]!);
  const lengthOf = (values: readonly number[]): number => Math.hypot(...values);

  model = new ToyModel();
  const parameters = model.namedParameters();
  const groups = groupParameters(parameters, { weightDecay: 0 });
  const clipNorm = plain.gradientNorm / 10;
  await trainingStep({ model, groups, optimizer: new SGD(parameters), clipNorm }, batches.slice(0, 1), context);
  const clipped = weights().map((value, i) => value - start[i]!);
  expect(lengthOf(clipped)).toBeCloseTo(clipNorm * context.learningRate, 6);
  expect(lengthOf(clipped)).toBeLessThan(lengthOf(moved) / 5);
});

test('accumulated batches average their gradients: twice the same batch is one of it', async () => {
  // Without the random dropout both parts of the step see the same network.
  const still = { fork: () => still, chance: () => true } as unknown as Random;
  await trainingStep(options, [batches[0]!], { ...context, random: still });
  const once = weights();
  model = new ToyModel();
  const parameters = model.namedParameters();
  const twice = { model, optimizer: new SGD(parameters), groups: groupParameters(parameters) };
  await trainingStep(twice, [batches[0]!, batches[0]!], { ...context, random: still });
  expectClose(weights(), once, { absolute: 1e-7 });
});

describe('what is not finite stops the step before the update', () => {
  const broken = (value: number): TrainingBatch => ({
    ...batches[1]!,
    targets: batches[1]!.targets.map((target) => ({ ...target, boxes: Float32Array.of(value, 0, 0, 0) })),
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a loss of %d is named, with the images', async (value) => {
    const before = weights();
    await expectNoLeak(async () => {
      await expect(trainingStep(options, [batches[0]!, broken(value)], context)).rejects.toMatchObject({
        code: 'NON_FINITE',
        place: 'loss_square',
        hint: expect.stringContaining('0-1-0, 0-1-1') as string,
      });
    });
    expect(weights()).toEqual(before);
  });

  test('a gradient is named when the losses are fine', async () => {
    const exploding = new ToyModel();
    const losses = exploding.losses.bind(exploding);
    exploding.losses = async (...args) => {
      const found = await losses(...args);
      // A loss of 0 with an infinite slope: sqrt at 0.
      return { ...found, loss_root: tf.tidy(() => tf.sum(tf.sqrt(tf.mul(exploding.second.bias!.value, 0)))) };
    };
    const parameters = exploding.namedParameters();
    const optimizer = new SGD(parameters);
    await expect(
      trainingStep({ model: exploding, optimizer, groups: groupParameters(parameters) }, [batches[0]!], context),
    ).rejects.toMatchObject({ code: 'NON_FINITE', place: 'gradient of second.bias' });
    expect(optimizer.tensors().size).toBe(0);
  });

  test('an exception inside the losses leaves nothing behind', async () => {
    const throwing = {
      ...options,
      model: Object.assign(new ToyModel(), { losses: () => Promise.reject(new Error('broken')) }),
    };
    await expectNoLeak(() => expect(trainingStep(throwing, batches, context)).rejects.toThrow('broken'));
  });
});

test('a running statistic that the failing step itself spoilt is not named as the origin, and is put back', async () => {
  class WithStatistic extends ToyModel {
    readonly mean = this.register('mean', new Parameter(tf.zeros([1]), { learnable: false }));

    override async losses(...args: Parameters<ToyModel['losses']>): Promise<Record<string, tf.Tensor>> {
      const losses = await super.losses(...args);
      const spoilt = tf.tensor1d([Number.NaN]);
      this.mean.assign(spoilt);
      spoilt.dispose();
      return { ...losses, loss_small: tf.scalar(Number.NaN) };
    }
  }
  const spoiling = new WithStatistic();
  const parameters = spoiling.namedParameters();
  const own = { model: spoiling, optimizer: new SGD(parameters), groups: groupParameters(parameters) };
  await expect(trainingStep(own, batches.slice(0, 1), context)).rejects.toMatchObject({
    place: 'loss_small',
    hint: expect.not.stringContaining('It comes from') as string,
  });
  expect([...spoiling.mean.value.dataSync()]).toEqual([0]);
});
