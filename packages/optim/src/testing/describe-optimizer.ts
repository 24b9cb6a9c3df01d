import { isRcnnError, Parameter } from '@rcnn/core';
import { expectClose, expectNoLeak, parameterValues } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from '../optimizer.ts';

/** The two functions of a test runner that the contract needs; vitest's, Jest's, node:test's and Mocha's all fit. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  test(name: string, body: () => Promise<void>): unknown;
}

type Parameters = ReadonlyMap<string, Parameter>;

const SHAPES: Readonly<Record<string, readonly number[]>> = { 'body.weight': [2, 3], 'body.bias': [3], head: [4] };
const EXACT = { absolute: 0, relative: 0 };

/**
 * The contract of an {@link Optimizer}, as tests: whatever passes trains, stops and resumes with the loop.
 *
 * ```ts
 * import { describe, test } from 'vitest';
 * describeOptimizer('my optimizer', (parameters) => new MyOptimizer(parameters), { describe, test });
 * ```
 *
 * @param make builds a fresh optimizer over some parameters; the tests dispose it
 * @param runner default: the global `describe` and `test`, as Jest has them
 */
export function describeOptimizer(
  name: string,
  make: (parameters: Parameters) => Optimizer,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  const { describe, test } = runner;
  const using = async (body: (optimizer: Optimizer, parameters: Parameters) => unknown): Promise<void> => {
    const parameters = makeParameters();
    const optimizer = make(parameters);
    try {
      await body(optimizer, parameters);
    } finally {
      optimizer.dispose();
      disposeAll(parameters);
    }
  };

  describe(`${name} keeps the contract of an optimizer`, () => {
    test('it goes downhill: 50 steps lower the sum of squares', () =>
      using(async (optimizer, parameters) => {
        const before = await sumOfSquares(parameters);
        for (let step = 0; step < 50; step++) update(optimizer, ownValues(parameters), 0.01);
        const after = await sumOfSquares(parameters);
        assert(after < before, `the sum of squares went from ${before} to ${after}`);
      }));

    test('what has no gradient or no learning rate stays as it is, and foreign names are passed over', () =>
      using(async (optimizer, parameters) => {
        const before = await parameterValues(parameters);
        const gradients = new Map([
          ['body.weight', tf.ones([2, 3]) as tf.Tensor],
          ['head', tf.ones([4]) as tf.Tensor],
          ['not.there', tf.ones([1]) as tf.Tensor],
        ]);
        optimizer.update({
          gradients,
          settingsOf: (key) => ({ learningRate: key === 'head' ? 0.1 : 0, weightDecay: 0 }),
        });
        for (const [key, gradient] of gradients) assert(!gradient.isDisposed, `the gradient of '${key}' was disposed`);
        tf.dispose([...gradients.values()]);
        const after = await parameterValues(parameters);
        for (const key of ['body.weight', 'body.bias']) expectClose(after.get(key)!, before.get(key)!, EXACT);
        const moved = after.get('head')!.some((value, i) => value !== before.get('head')![i]);
        assert(moved, "'head' has a gradient and a learning rate, and did not move");
      }));

    test('gradients are scaled before everything else', async () => {
      const [plain, scaled] = [makeParameters(), makeParameters()];
      const optimizers = [make(plain), make(scaled)] as const;
      for (let step = 0; step < 3; step++) {
        update(optimizers[0], fixedGradients(step, 1), 0.1, { weightDecay: 0.1 });
        update(optimizers[1], fixedGradients(step, 4), 0.1, { weightDecay: 0.1, gradientScale: 0.25 });
      }
      await expectSame(scaled, plain);
      for (const optimizer of optimizers) optimizer.dispose();
      disposeAll(plain);
      disposeAll(scaled);
    });

    test('taken out and put back it goes on with the same bits', async () => {
      const [unbroken, broken] = [makeParameters(), makeParameters()];
      const one = make(unbroken);
      for (let step = 0; step < 6; step++) update(one, fixedGradients(step), 0.1, { weightDecay: 0.01 });

      const before = make(broken);
      for (let step = 0; step < 3; step++) update(before, fixedGradients(step), 0.1, { weightDecay: 0.01 });
      const saved = new Map([...before.tensors()].map(([key, tensor]) => [key, tf.clone(tensor)]));
      const counters = JSON.parse(JSON.stringify(before.counters())) as Record<string, number>; // as a file keeps them
      before.dispose();
      const after = make(broken);
      after.restore(saved, counters);
      for (const [key, tensor] of saved) assert(!tensor.isDisposed, `restore disposed '${key}', which is the caller's`);
      tf.dispose([...saved.values()]);
      for (let step = 3; step < 6; step++) update(after, fixedGradients(step), 0.1, { weightDecay: 0.01 });

      await expectSame(broken, unbroken);
      for (const optimizer of [one, after]) optimizer.dispose();
      disposeAll(unbroken);
      disposeAll(broken);
    });

    test('the state of another model is refused and changes nothing', () =>
      using(async (optimizer) => {
        update(optimizer, fixedGradients(0), 0.1);
        const kept = [...optimizer.tensors().keys()].join();
        const first = kept.split('.', 1)[0];
        if (kept === '') return; // plain descent keeps nothing that could not fit
        const wrong = new Map([[`${first}.of.another.model`, tf.zeros([7]) as tf.Tensor]]);
        const error = caught(() => optimizer.restore(wrong, optimizer.counters()));
        tf.dispose([...wrong.values()]);
        assert(isRcnnError(error, 'CHECKPOINT_MISMATCH'), `restore gave ${String(error)}, not CHECKPOINT_MISMATCH`);
        assert([...optimizer.tensors().keys()].join() === kept, 'the state is another one after the refusal');
        await Promise.resolve();
      }));

    test('updates gain no tensor, and dispose frees all', async () => {
      await expectNoLeak(async () => {
        await using(async (optimizer) => {
          update(optimizer, fixedGradients(0), 0.1); // the first one makes what is kept
          await expectNoLeak(() => update(optimizer, fixedGradients(1), 0.1, { weightDecay: 0.1 }), 5);
        });
      });
    });
  });
}

function makeParameters(): Map<string, Parameter> {
  return new Map(
    Object.entries(SHAPES).map(([name, shape]) => {
      const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => (((i * 5) % 7) - 3) / 4);
      return [name, new Parameter(tf.tensor(values, [...shape]))];
    }),
  );
}

function update(
  optimizer: Optimizer,
  gradients: ReadonlyMap<string, tf.Tensor>,
  learningRate: number,
  { weightDecay = 0, gradientScale = 1 }: { readonly weightDecay?: number; readonly gradientScale?: number } = {},
): void {
  optimizer.update({ gradients, gradientScale, settingsOf: () => ({ learningRate, weightDecay }) });
  tf.dispose([...gradients.values()]);
}

/** Gradients that differ from step to step, in quarters: scaling them by 4 is exact. */
function fixedGradients(step: number, factor = 1): Map<string, tf.Tensor> {
  return new Map(
    Object.entries(SHAPES).map(([name, shape]) => {
      const values = Float32Array.from(
        { length: sizeOf(shape) },
        (_, i) => (factor * (((i * 7 + step * 3) % 11) - 5)) / 4,
      );
      return [name, tf.tensor(values, [...shape])];
    }),
  );
}

/** The gradient of half the sum of squares. */
function ownValues(parameters: Parameters): Map<string, tf.Tensor> {
  return new Map([...parameters].map(([name, { value }]) => [name, tf.clone(value)]));
}

async function sumOfSquares(parameters: Parameters): Promise<number> {
  let sum = 0;
  for (const values of (await parameterValues(parameters)).values()) for (const value of values) sum += value * value;
  return sum;
}

async function expectSame(actual: Parameters, expected: Parameters): Promise<void> {
  const values = await parameterValues(expected);
  for (const [name, found] of await parameterValues(actual)) expectClose(found, values.get(name)!, EXACT);
}

function disposeAll(parameters: Parameters): void {
  for (const parameter of parameters.values()) parameter.dispose();
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

function caught(body: () => void): unknown {
  try {
    body();
    return undefined;
  } catch (error) {
    return error;
  }
}

function assert(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(`The contract of an optimizer is broken: ${problem}.`);
}
