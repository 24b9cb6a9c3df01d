import { Parameter, Random, RcnnError } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import type { ProcessGroup } from '@rcnn/distributed';
import { inTurns } from '@rcnn/distributed/testing';
import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  groupParameters,
  SGD,
  type Share,
  type SharedStepResult,
  sharedStep,
  type TrainableModel,
  type TrainingBatch,
  trainingStep,
} from '../src/index.ts';
import { ToyModel, toyBatch } from '../src/testing/index.ts';
import { ready } from './engine.ts';

beforeAll(() => ready);

const STEPS = 4;
const EMPTY: TrainingBatch = { images: [], targets: [] };

interface Trained {
  readonly weights: Float32Array;
  readonly results: readonly SharedStepResult[];
}

/** What a step of a rank gets. */
type ShareOf = (step: number, rank: number) => Share;

/** Batches `step * size * accumulate + rank * accumulate + i`, as training deals them. */
function dealt(size: number, accumulate = 1): ShareOf {
  return (step, rank) => ({
    batches: Array.from({ length: accumulate }, (_, i) => toyBatch(0, (step * size + rank) * accumulate + i)),
    first: rank * accumulate,
  });
}

async function train(group: ProcessGroup, shareOf: ShareOf, model: TrainableModel = new ToyModel()): Promise<Trained> {
  const parameters = model.namedParameters();
  const options = { model, optimizer: new SGD(parameters), groups: groupParameters(parameters), clipNorm: 0.5, group };
  const results: SharedStepResult[] = [];
  for (let step = 0; step < STEPS; step++) {
    const random = new Random(3).fork('step', step);
    results.push(await sharedStep(options, shareOf(step, group.rank), { step, learningRate: 0.05, random }));
  }
  options.optimizer.dispose();
  return { weights: weightsOf(model), results };
}

function weightsOf(model: TrainableModel): Float32Array {
  return Float32Array.from([...model.namedParameters().values()].flatMap(({ value }) => [...value.dataSync()]));
}

/** The results of all ranks. */
async function onRanks(size: number, shareOf: ShareOf): Promise<Trained[]> {
  const endings = await inTurns(size, (group) => train(group, shareOf));
  return endings.map((ending) => {
    if (ending.status === 'rejected') throw ending.reason;
    return ending.value;
  });
}

async function alone(shareOf: ShareOf): Promise<Trained> {
  return (await onRanks(1, shareOf))[0]!;
}

describe('ranks together', () => {
  test('two with one batch are one with two, bit for bit: weights, losses, norms', async () => {
    const one = await alone(dealt(1, 2));
    for (const rank of await onRanks(2, dealt(2))) {
      expectSameBits(rank.weights, one.weights);
      expect(rank.results).toEqual(one.results);
    }
  });

  test.each([3, 4])('%i have the same bits on each, and nearly those of one', async (size) => {
    const one = await alone(dealt(1, size));
    const [first, ...others] = await onRanks(size, dealt(size));
    for (const { weights, results } of others) {
      expectSameBits(weights, first!.weights);
      expect(results).toEqual(first!.results);
    }
    for (const [i, value] of first!.weights.entries()) expect(value).toBeCloseTo(one.weights[i]!, 5);
  });

  test('accumulation stays local: two of two are four', async () => {
    const one = await alone(dealt(1, 4));
    const [first] = await onRanks(2, dealt(2, 2));
    for (const [i, value] of first!.weights.entries()) expect(value).toBeCloseTo(one.weights[i]!, 5);
  });

  test('a rank without images counts for nothing; without any, nothing is updated', async () => {
    const some: ShareOf = (step, rank) => (rank === 0 ? { batches: [EMPTY] } : { batches: [toyBatch(0, step)] });
    const one = await alone((step) => ({ batches: [toyBatch(0, step)] }));
    for (const { weights, results } of await onRanks(2, some)) {
      expectSameBits(weights, one.weights);
      expect(results).toEqual(one.results);
    }
    const [first] = await onRanks(2, () => ({ batches: [EMPTY] }));
    expectSameBits(first!.weights, weightsOf(new ToyModel()));
    expect(first!.results.every(({ result }) => result === undefined)).toBe(true);
  });

  test('the wish of one to stop reaches all in the same step', async () => {
    const shareOf: ShareOf = (step, rank) => ({ ...dealt(3)(step, rank), stop: step === 2 && rank === 1 });
    for (const { results } of await onRanks(3, shareOf)) {
      expect(results.map(({ stop }) => stop)).toEqual([false, false, true, false]);
    }
  });

  test('no tensor is gained', async () => {
    await onRanks(2, dealt(2));
    const kept = [new ToyModel(), new ToyModel()];
    await expectNoLeak(async () => {
      await inTurns(2, (group) => train(group, dealt(2), kept[group.rank]!));
    });
  });
});

describe('a rank that fails', () => {
  const own = new RcnnError('IMAGE_CORRUPT', { where: 'a.jpg', problem: 'it ends too early' });
  const spoilt: TrainingBatch = { ...toyBatch(0, 0), images: toyBatch(0, 0).images.map((image) => nan(image)) };

  test.each<[string, Share, string]>([
    ['before its batches came', { batches: [], error: own }, 'IMAGE_CORRUPT'],
    ['with numbers that are none', { batches: [spoilt] }, 'NON_FINITE'],
  ])('%s stops all before anything is updated, and is named', async (_, bad, code) => {
    const models = [0, 1, 2].map(() => new ToyModel());
    const endings = await inTurns(3, (group) =>
      train(group, (step, rank) => (step === 1 && rank === 1 ? bad : dealt(3)(step, rank)), models[group.rank]!),
    );
    const reasons = endings.map((ending) => (ending as PromiseRejectedResult).reason as RcnnError);
    expect(reasons.map((reason) => reason.code)).toEqual(['PEER_FAILED', code, 'PEER_FAILED']);
    expect(reasons[0]!.message).toContain('rank 1');
    expect(reasons[0]!.message).toContain(code);
    const [first, ...others] = models.map((model) => weightsOf(model));
    for (const weights of others) expectSameBits(weights, first!);
  });
});

function nan<T extends { readonly data: ArrayLike<number> }>(image: T): T {
  return { ...image, data: new Float32Array(image.data.length).fill(Number.NaN) };
}

/** A model of which each rank trains another branch, with a running statistic of both and one of rank 0 alone. */
class Branches implements TrainableModel {
  readonly #parameters = new Map([
    ['left', new Parameter(tf.tensor1d([1]))],
    ['right', new Parameter(tf.tensor1d([1]))],
    ['unused', new Parameter(tf.tensor1d([1]))],
    ['seen', new Parameter(tf.tensor1d([0]), { learnable: false })],
    ['seenByOne', new Parameter(tf.tensor1d([0]), { learnable: false })],
  ]);
  readonly #rank: number;

  constructor(rank: number) {
    this.#rank = rank;
  }

  namedParameters(): Map<string, Parameter> {
    return this.#parameters;
  }

  dispose(): void {
    for (const parameter of this.#parameters.values()) parameter.variable.dispose();
  }

  async losses(): Promise<Record<string, tf.Tensor>> {
    const { seen, seenByOne, ...branches } = Object.fromEntries(this.#parameters);
    seen!.assign(tf.tensor1d([this.#rank + 1]));
    if (this.#rank === 0) seenByOne!.assign(tf.tensor1d([4])); // a head that had nothing to look at on the other
    return { loss: tf.sum(tf.square((this.#rank === 0 ? branches['left'] : branches['right'])!.value)) };
  }
}

test('a gradient that one rank alone has counts half; what no rank has stays; statistics are averaged', async () => {
  const endings = await inTurns(2, async (group) => {
    const model = new Branches(group.rank);
    const parameters = model.namedParameters();
    const optimizer = new SGD(parameters, { momentum: 0 });
    const groups = groupParameters(parameters, { weightDecay: 0.5 });
    const share = { batches: [toyBatch(0, group.rank)] };
    await sharedStep({ model, optimizer, groups, group }, share, { step: 1, learningRate: 0.1, random: new Random(1) });
    return [...weightsOf(model)];
  });
  // left and right: 1 - 0.1 * (2 / 2 + 0.5 * 1); unused: no decay either; seen: the mean of 1 and 2; seenByOne: 4
  for (const ending of endings) {
    const values = (ending as PromiseFulfilledResult<number[]>).value;
    for (const [i, expected] of [0.85, 0.85, 1, 1.5, 4].entries()) expect(values[i]).toBeCloseTo(expected, 6);
  }
});

test('gradients whose sum is beyond float32 are refused before they spoil the weights', async () => {
  const model = new Huge();
  const parameters = model.namedParameters();
  const options = { model, optimizer: new SGD(parameters), clipNorm: 1 };
  const step = trainingStep(options, Array(8).fill(toyBatch(0, 0)), {
    step: 1,
    learningRate: 1,
    random: new Random(1),
  });
  await expect(step).rejects.toMatchObject({ code: 'NON_FINITE' });
  expect([...weightsOf(model)]).toEqual([1]);
});

/** Its gradient is finite, and the square of eight of them is not. */
class Huge implements TrainableModel {
  readonly #parameters = new Map([['weight', new Parameter(tf.tensor1d([1]))]]);

  namedParameters(): Map<string, Parameter> {
    return this.#parameters;
  }

  dispose(): void {
    for (const parameter of this.#parameters.values()) parameter.variable.dispose();
  }

  async losses(): Promise<Record<string, tf.Tensor>> {
    return { loss: tf.sum(tf.mul(this.#parameters.get('weight')!.value, 1e19)) };
  }
}
