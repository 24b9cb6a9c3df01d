import { readFileSync } from 'node:fs';
import { Parameter } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  AdamW,
  groupParameters,
  type Optimizer,
  SGD,
  settingsAt,
  type Update,
  type UpdateSettings,
  WeightAverage,
} from '../src/index.ts';
import { describeOptimizer } from '../src/testing/index.ts';
import { ready } from './engine.ts';

beforeAll(() => ready);

const answers = JSON.parse(readFileSync(new URL('fixtures/optimizers.json', import.meta.url), 'utf8')) as Record<
  string,
  number[][]
>;
const NAMES = ['a', 'b'];
const SIZES = [6, 3];

function makeParameters(): Map<string, Parameter> {
  const values = (n: number): number[] => Array.from({ length: n }, (_, i) => (((i * 5) % 7) - 3) / 4);
  return new Map(NAMES.map((name, i) => [name, new Parameter(tf.tensor1d(values(SIZES[i]!)))]));
}

/** Five steps with the gradients of tools/reference/optimizers.py. */
function run(optimizer: Optimizer, settingsOf: (step: number) => (name: string) => UpdateSettings): void {
  for (let step = 0; step < 5; step++) {
    const gradients = new Map(
      NAMES.map((name, k) => {
        const values = Array.from({ length: SIZES[k]! }, (_, i) => (((i * 7 + step * 3) % 11) - 5) / 10);
        return [name, tf.tensor1d(values) as tf.Tensor];
      }),
    );
    optimizer.update({ gradients, settingsOf: settingsOf(step) });
    tf.dispose([...gradients.values()]);
  }
}

const fixed =
  (learningRate: number, weightDecay = 0) =>
  () =>
  () => ({ learningRate, weightDecay });

describe("PyTorch's numbers after five steps", () => {
  const cases: [
    string,
    (p: Map<string, Parameter>) => Optimizer,
    (step: number) => (name: string) => UpdateSettings,
  ][] = [
    ['sgd', (p) => new SGD(p), fixed(0.1, 0.01)],
    ['sgd_plain', (p) => new SGD(p, { momentum: 0 }), fixed(0.1)],
    ['nesterov', (p) => new SGD(p, { nesterov: true }), fixed(0.1, 0.01)],
    ['adamw', (p) => new AdamW(p, { onHost: true }), fixed(0.1, 0.05)],
    ['adamw', (p) => new AdamW(p, { onHost: false }), fixed(0.1, 0.05)],
    [
      'sgd_changing_rate',
      (p) => new SGD(p),
      (step) => () => ({ learningRate: [0.1, 0.2, 0.05, 0.01, 0.3][step]!, weightDecay: 0 }),
    ],
    [
      'groups',
      (p) => new SGD(p),
      () => (name) =>
        name === 'a' ? { learningRate: 0.1, weightDecay: 0.01 } : { learningRate: 0.01, weightDecay: 0 },
    ],
  ];
  test.each(cases)('%s', (name, make, settingsOf) => {
    const parameters = makeParameters();
    const optimizer = make(parameters);
    run(optimizer, settingsOf);
    NAMES.forEach((key, i) =>
      expectClose(parameters.get(key)!.value, answers[name]![i]!, { absolute: 1e-6, relative: 1e-6 }),
    );
  });
});

test('a state of another model is refused', () => {
  const optimizer = new SGD(makeParameters());
  const wrong = new Map([['momentum.c', tf.zeros([6]) as tf.Tensor]]);
  expect(() => optimizer.restore(wrong, {})).toThrowError(/does not fit this model.*momentum\.c \[6\]/);
});

test('norms have a weight decay of their own, and patterns set rates', () => {
  const parameters = new Map<string, Parameter>([
    ['body.conv.weight', new Parameter(tf.zeros([1, 1, 2, 2]))],
    ['body.conv.bias', new Parameter(tf.zeros([2]))],
    ['body.bn.weight', new Parameter(tf.zeros([2]))],
    ['body.bn.bias', new Parameter(tf.zeros([2]))],
    ['head.weight', new Parameter(tf.zeros([2, 2]))],
  ]);
  const groups = groupParameters(parameters, {
    weightDecay: 0.1,
    normWeightDecay: 0,
    learningRates: { 'body.*': 0.5, '*.bn.*': 0.25 },
  });
  expect(Object.fromEntries(groups)).toEqual({
    'body.conv.weight': { rate: 0.5, weightDecay: 0.1 },
    'body.conv.bias': { rate: 0.5, weightDecay: 0.1 },
    'body.bn.weight': { rate: 0.25, weightDecay: 0 },
    'body.bn.bias': { rate: 0.25, weightDecay: 0 },
    'head.weight': { rate: 1, weightDecay: 0.1 },
  });
  expect(settingsAt(groups, 0.2)('body.bn.bias')).toEqual({ learningRate: 0.05, weightDecay: 0 });
  expect(() => groupParameters(parameters, { learningRates: { 'hed.*': 2 } })).toThrowError(
    /hed\.\*.*matches no parameter/,
  );
});

test('the average of the weights: by hand, swapped in and out', async () => {
  const parameter = new Parameter(tf.tensor1d([1]));
  const average = new WeightAverage(new Map([['w', parameter]]), 0.9);
  average.update(); // starts at 1
  parameter.assign(tf.tensor1d([2]));
  average.update(); // decay min(0.9, 3/12) = 0.25: 1 + 0.75
  await average.swap(() => Promise.resolve(expectClose(parameter.value, [1.75])));
  expectClose(parameter.value, [2]);
  await expect(average.swap(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expectClose(parameter.value, [2]);
});

const runner = { describe, test };
describeOptimizer('SGD', (parameters) => new SGD(parameters), runner);
describeOptimizer('SGD without momentum', (parameters) => new SGD(parameters, { momentum: 0 }), runner);
describeOptimizer('SGD by Nesterov', (parameters) => new SGD(parameters, { nesterov: true }), runner);
describeOptimizer('AdamW in one pass', (parameters) => new AdamW(parameters, { onHost: true }), runner);
describeOptimizer('AdamW by tensor ops', (parameters) => new AdamW(parameters, { onHost: false }), runner);

describe('the contract finds an optimizer that', () => {
  const broken: readonly (readonly [string, RegExp, (p: ReadonlyMap<string, Parameter>) => Optimizer])[] = [
    ['forgets its state', /differ/, (p) => Object.assign(new SGD(p), { restore: () => undefined })],
    ['goes uphill', /sum of squares went/, (p) => flipped(new SGD(p))],
    ['keeps its tensors', /tensors gained/, (p) => Object.assign(new SGD(p), { dispose: () => undefined })],
    ['moves all it has', /differ/, (p) => atOneRate(new SGD(p))],
  ];
  test.each(broken)('%s', async (_, message, make) => {
    const failures: string[] = [];
    const bodies: (() => Promise<void>)[] = [];
    describeOptimizer('broken', make, { describe: (_name, body) => body(), test: (_name, body) => bodies.push(body) });
    for (const body of bodies) await body().catch((error: unknown) => failures.push(String(error)));
    expect(failures.join('\n')).toMatch(message);
  });
});

function flipped(optimizer: SGD): Optimizer {
  const own = optimizer.update.bind(optimizer);
  return Object.assign(optimizer, {
    update: (update: Update) => own({ ...update, gradientScale: -(update.gradientScale ?? 1) }),
  });
}

function atOneRate(optimizer: SGD): Optimizer {
  const own = optimizer.update.bind(optimizer);
  return Object.assign(optimizer, {
    update: (update: Update) => own({ ...update, settingsOf: () => ({ learningRate: 0.1, weightDecay: 0 }) }),
  });
}
