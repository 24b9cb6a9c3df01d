import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random, RcnnError } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  AdamW,
  createSchedule,
  groupParameters,
  loadTrainingState,
  type Position,
  runTraining,
  type Scores,
  START,
  saveTrainingState,
  type TrainEvent,
  type TrainerHooks,
  type TrainerOptions,
  WeightAverage,
} from '../src/index.ts';
import { requireStep } from '../src/loop/trainer.ts';
import { ready } from './engine.ts';
import { ToyModel, toyData } from './toy.ts';

beforeAll(() => ready);

const EPOCH = 7;
const TOTAL = 25;
let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'train-'));
  file = join(folder, 'last.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly options: TrainerOptions;
  readonly save: (position: Position) => Promise<void>;
  readonly load: () => Promise<Position>;
  readonly digest: () => string;
  readonly dispose: () => void;
}

/** A whole training as a program would set it up; every call is a fresh process. */
function setUp(hooks: TrainerHooks = {}, changes: Partial<TrainerOptions> = {}, modelSeed = 1): Run {
  const model = new ToyModel(modelSeed);
  const parameters = model.namedParameters();
  const optimizer = new AdamW(parameters);
  const average = new WeightAverage(parameters, 0.9);
  const state = { model, optimizer, average };
  const save = (position: Position): Promise<void> => saveTrainingState(file, state, { position, seed: 3 });
  return {
    options: {
      model,
      optimizer,
      average,
      data: toyData(EPOCH),
      groups: groupParameters(parameters),
      schedule: createSchedule({ schedule: 'cosine', warmupSteps: 4 }, { stepsPerEpoch: EPOCH, totalSteps: TOTAL }),
      learningRate: 0.01,
      totalSteps: TOTAL,
      seed: 3,
      ...changes,
      hooks: { save, evaluate: () => Promise.resolve({ 'loss/val': 1 }), ...hooks },
    },
    save,
    load: () => loadTrainingState(file, state, 3),
    digest: () => {
      const hash = createHash('sha256');
      for (const tensors of [optimizer.tensors(), average.tensors()]) {
        for (const [name, tensor] of tensors) hash.update(name).update(tensor.dataSync() as Float32Array);
      }
      for (const { value } of parameters.values()) hash.update(value.dataSync() as Float32Array);
      return hash.digest('hex');
    },
    dispose: () => {
      optimizer.dispose();
      average.dispose();
      model.dispose();
    },
  };
}

test('runs the steps it was told to, epoch by epoch', async () => {
  const events: TrainEvent[] = [];
  const { options } = setUp({ onEvent: (event) => events.push(event) });
  const { reason, position } = await runTraining(options);
  expect(reason).toBe('finished');
  expect(position.step).toBe(TOTAL);
  const steps = events.filter((event) => event.kind === 'step');
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: TOTAL }, (_, i) => i + 1));
  expect(steps.map(({ epoch }) => epoch)).toEqual(Array.from({ length: TOTAL }, (_, i) => Math.floor(i / EPOCH)));
  expect(events.filter((event) => event.kind === 'epoch').map(({ step }) => step)).toEqual([7, 14, 21, 25]);
  expect(steps.at(-1)!.eta).toBe(0);
  expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss);
});

// RCNN_STOPS sets how often; a release run asks for 100.
const STOPS = Number(process.env.RCNN_STOPS ?? 20);

test(`stopped anywhere and resumed, ${STOPS} times over, it ends with the same bits`, async () => {
  const unbroken = setUp();
  await runTraining(unbroken.options);
  const wanted = unbroken.digest();
  unbroken.dispose();
  const random = new Random(7);
  for (let round = 0; round < STOPS; round++) {
    const stopAfter = random.integer(TOTAL + 1);
    let calls = 0;
    const first = setUp({ shouldStop: () => calls++ >= stopAfter });
    await runTraining(first.options);
    first.dispose();
    const second = setUp({}, {}, 99); // other first weights: everything must come from the file
    await runTraining(second.options, await second.load());
    expect(`stopped after step ${stopAfter}: ${second.digest()}`).toBe(`stopped after step ${stopAfter}: ${wanted}`);
    second.dispose();
  }
});

test('no tensor is left after a training, a save and a load', async () => {
  await expectNoLeak(async () => {
    const run = setUp({}, { totalSteps: 3, accumulate: 2 });
    await runTraining(run.options);
    await run.load();
    run.dispose();
  });
});

test('a save inside an epoch is a place to go on as well', async () => {
  const saved: Position[] = [];
  const { options } = setUp({ save: async (position) => void saved.push(position) }, { saveEvery: 3, totalSteps: 8 });
  await runTraining(options);
  const places = saved.map(({ step, epoch, batch }) => [step, epoch, batch]);
  expect(places).toEqual([
    [3, 0, 3],
    [6, 0, 6],
    [7, 0, 7], // before the evaluation
    [7, 1, 0],
    [8, 1, 1],
    [8, 2, 0],
  ]);
});

test('a crash in the evaluation costs the evaluation only', async () => {
  let fail = true;
  const steps: number[] = [];
  const hooks: TrainerHooks = {
    onEvent: (event) => event.kind === 'step' && steps.push(event.step),
    evaluate: async () => {
      if (fail) throw new Error('power cut');
      return { 'loss/val': 1 };
    },
  };
  await expect(runTraining(setUp(hooks, { totalSteps: EPOCH }).options)).rejects.toThrow('power cut');
  fail = false;
  const again = setUp(hooks, { totalSteps: EPOCH });
  await runTraining(again.options, await again.load());
  expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('a stop during the evaluation leaves the state before it, and a resumed run evaluates', async () => {
  let stop = true;
  const evaluated: number[] = [];
  const hooks: TrainerHooks = {
    evaluate: async (epoch) => {
      if (stop) throw new RcnnError('INTERRUPTED', { where: 'evaluation', problem: 'stopped' });
      evaluated.push(epoch);
      return { 'loss/val': 1 };
    },
  };
  const first = await runTraining(setUp(hooks, { totalSteps: EPOCH }).options);
  expect(first).toMatchObject({ reason: 'stopped', position: { step: EPOCH, epoch: 0, batch: EPOCH } });
  stop = false;
  const again = setUp(hooks, { totalSteps: EPOCH });
  expect(await runTraining(again.options, await again.load())).toMatchObject({ reason: 'finished' });
  expect(evaluated).toEqual([0]);
});

describe('evaluation', () => {
  const run = async (scores: readonly Scores[], changes: Partial<TrainerOptions> = {}) => {
    const best: boolean[] = [];
    let at = 0;
    const hooks: TrainerHooks = {
      evaluate: () => Promise.resolve(scores[at++]!),
      onEvent: (event) => event.kind === 'epoch' && best.push(event.best),
      save: () => Promise.resolve(),
    };
    const result = await runTraining(setUp(hooks, { totalSteps: EPOCH * scores.length, ...changes }).options);
    return { ...result, best };
  };

  test('mask AP decides what is best; without masks box AP; without either the validation loss', async () => {
    const curve = [0.1, 0.3, 0.2];
    expect((await run(curve.map((ap) => ({ 'segm/AP': ap, 'bbox/AP': 1 - ap })))).best).toEqual([true, true, false]);
    expect((await run(curve.map((ap) => ({ 'bbox/AP': ap })))).best).toEqual([true, true, false]);
    expect((await run(curve.map((loss) => ({ 'loss/val': loss })))).best).toEqual([true, false, false]);
    expect((await run([{ 'segm/AP': -1, 'bbox/AP': -1 }])).best).toEqual([false]); // nothing to find is not a score
  });

  test('stops when nothing got better for a while', async () => {
    const { reason, position } = await run(
      [0.3, 0.2, 0.2, 0.9].map((ap) => ({ 'segm/AP': ap })),
      { patience: 2 },
    );
    expect(reason).toBe('patience');
    expect(position).toMatchObject({ step: 3 * EPOCH, stale: 2, best: { score: 0.3, epoch: 0 } });
  });

  test('a training that patience ended does not go on until there is more of it', async () => {
    const texts: string[] = [];
    let evaluated = 0;
    const hooks: TrainerHooks = {
      save: () => Promise.resolve(),
      evaluate: () => Promise.resolve({ 'segm/AP': [0.2, 0.9][evaluated++]! }),
      onEvent: (event) => event.kind === 'warning' && texts.push(event.text),
    };
    const ended: Position = { step: 2 * EPOCH, epoch: 2, batch: 0, best: { score: 0.3, epoch: 0 }, stale: 1 };
    const goOn = (patience: number) => runTraining(setUp(hooks, { totalSteps: 4 * EPOCH, patience }).options, ended);
    expect(await goOn(1)).toEqual({ reason: 'patience', position: ended });
    expect(evaluated).toBe(0);
    expect(texts).toEqual([
      'This training ended because nothing got better in 1 evaluation; patience (--patience) is 1, and it goes on when that is raised.',
    ]);
    const more = await goOn(3);
    expect(more).toMatchObject({ reason: 'finished', position: { step: 4 * EPOCH, stale: 0 } });
    expect(texts).toHaveLength(1);
  });

  test('inside an epoch patience waits for its end', async () => {
    const inside: Position = { step: EPOCH + 1, epoch: 1, batch: 1, best: { score: 0.3, epoch: 0 }, stale: 1 };
    const hooks: TrainerHooks = { save: () => Promise.resolve(), evaluate: () => Promise.resolve({ 'segm/AP': 0.9 }) };
    const { options } = setUp(hooks, { totalSteps: 2 * EPOCH, patience: 1 });
    expect(await runTraining(options, inside)).toMatchObject({ reason: 'finished', position: { step: 2 * EPOCH } });
  });

  test('nothing to measure is no loss of patience', async () => {
    const nothing = { 'segm/AP': -1, 'bbox/AP': -1 };
    const { reason, position } = await run([nothing, nothing, nothing], { patience: 1 });
    expect(reason).toBe('finished');
    expect(position).toEqual({ step: 3 * EPOCH, epoch: 3, batch: 0, best: null, stale: 0 });
  });

  test('comes every so many epochs, and at the end', async () => {
    const { best } = await run([{ 'segm/AP': 0.1 }, { 'segm/AP': 0.2 }, { 'segm/AP': 0.3 }], { evaluateEvery: 2 });
    expect(best).toHaveLength(2); // after epochs 2 and 3
  });
});

test('a failed step hands its batches over and its error on', async () => {
  const kept: unknown[] = [];
  const { options } = setUp({ onFailure: async (step, batches) => void kept.push([step, batches.length]) });
  const broken = {
    ...options,
    model: Object.assign(new ToyModel(), { losses: () => Promise.reject(new Error('no')) }),
  };
  await expect(runTraining(broken)).rejects.toThrow('no');
  expect(kept).toEqual([[1, 1]]);
});

test('every batch is released when its step is done, and not before', async () => {
  const told: string[] = [];
  const run = setUp({ onEvent: ({ kind }) => kind === 'step' && told.push('step') }, { accumulate: 2, totalSteps: 2 });
  const { data } = run.options;
  const source = {
    ...data,
    async *batches(epoch: number, first: number) {
      for await (const batch of data.batches(epoch, first)) {
        yield { ...batch, release: () => told.push(`release ${batch.targets[0]!.imageId}`) };
      }
    },
  };
  await runTraining({ ...run.options, data: source });
  run.dispose();
  expect(told).toEqual(['step', 'release 0-0-0', 'release 0-1-0', 'step', 'release 0-2-0', 'release 0-3-0']);
});

test('data without a single batch are an error, not an endless loop', async () => {
  const { options } = setUp();
  const empty = { batchesPerEpoch: 3, async *batches() {} };
  await expect(runTraining({ ...options, data: empty })).rejects.toMatchObject({ code: 'DATASET_INVALID' });
});

test('a step of more batches than an epoch has is refused, with the largest that fits', async () => {
  await expect(runTraining(setUp({}, { accumulate: EPOCH + 1 }).options)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    place: 'accumulate',
    found: 'accumulate 8',
    expected: 'at most 7 batches together',
    hint: 'The largest that fits is 7 (--accumulate 7); smaller batches (--batch-size) let more fit.',
  });
  expect(() => requireStep(7, 7, 1)).not.toThrow();
  expect(() => requireStep(7, 3, 2)).not.toThrow();
  expect(() => requireStep(7, 4, 2)).toThrow(/found accumulate 4 in each of 2 processes.*The largest that fits is 3/);
  expect(() => requireStep(1, 1, 2)).toThrow(/Start at most 1 process, or make the batches smaller/);
  expect(() => requireStep(0, 1, 1)).not.toThrow();
});

test('a file of weights cannot be resumed from, nor a state of another seed', async () => {
  const run = setUp();
  await run.save(START);
  const state = { model: new ToyModel(), optimizer: run.options.optimizer };
  await expect(loadTrainingState(file, state, 4)).rejects.toThrow(/its seed is 3, not 4/);
});
