import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RcnnError } from '@rcnn/core';
import { localGroups, type ProcessGroup } from '@rcnn/distributed';
import { failingAt, inTurns } from '@rcnn/distributed/testing';
import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  AdamW,
  type BatchSource,
  createSchedule,
  groupParameters,
  loadTrainingState,
  type Position,
  runTraining,
  START,
  saveTrainingState,
  type TrainEvent,
  type TrainerHooks,
  WeightAverage,
} from '../src/index.ts';
import { shareState } from '../src/loop/same-state.ts';
import { ready } from './engine.ts';
import { ToyModel, toyData } from './toy.ts';

beforeAll(() => ready);

/** Batches of an epoch, and steps of two batches. */
const EPOCH = 8;
const TOTAL = 6;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ranks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Playing {
  readonly accumulate?: number;
  readonly data?: BatchSource;
  readonly hooks?: TrainerHooks;
  /** Goes on from the file where there is one. */
  readonly resume?: boolean;
  readonly before?: (model: ToyModel) => void;
}

interface Played {
  readonly weights: Float32Array;
  readonly position: Position;
  readonly reason: string;
}

/** One rank of a training, which rank 0 saves. */
async function play(group: ProcessGroup, file: string, playing: Playing = {}): Promise<Played> {
  const { accumulate = 1, data = toyData(EPOCH), hooks, resume = false, before } = playing;
  const model = new ToyModel(group.rank + 1); // of different seeds: rank 0's weights are what counts
  const parameters = model.namedParameters();
  const state = { model, optimizer: new AdamW(parameters), average: new WeightAverage(parameters, 0.9) };
  const own = resume && group.rank === 0;
  const start = await shareState(group, state, own ? await loadTrainingState(file, state, 1) : START);
  before?.(model);
  const save = (position: Position): Promise<void> => saveTrainingState(file, state, { position, seed: 1 });
  const end = await runTraining(
    {
      ...state,
      data,
      groups: groupParameters(parameters),
      schedule: createSchedule({ schedule: 'cosine' }, { stepsPerEpoch: 4, totalSteps: TOTAL }),
      learningRate: 0.01,
      totalSteps: TOTAL,
      accumulate,
      clipNorm: 0.5,
      seed: 1,
      group,
      hooks: { evaluate: async (epoch) => ({ 'loss/val': 5 - epoch }), save, ...hooks },
    },
    start,
  );
  state.optimizer.dispose();
  state.average.dispose();
  const kept = [...parameters.values()].flatMap(({ value }) => [...value.dataSync()]);
  return { weights: Float32Array.from(kept), ...end };
}

/** What all ranks ended with; one that failed fails the test. */
async function together(size: number, playing: (rank: number) => Playing = () => ({})): Promise<Played[]> {
  const endings = await inTurns(size, (group) => play(group, join(folder, 'last'), playing(group.rank)));
  return endings.map((ending) => {
    if (ending.status === 'rejected') throw ending.reason;
    return ending.value;
  });
}

const alone = (playing: Playing = {}): Promise<Played> =>
  play(localGroups(1)[0]!, join(folder, 'alone'), { accumulate: 2, ...playing });

function stopAt(step: number): TrainerHooks {
  let seen = 0;
  return { shouldStop: () => seen++ === step };
}

describe('two ranks', () => {
  test('end with the bits of one that accumulates two batches', async () => {
    const { weights, position, reason } = await alone();
    for (const rank of await together(2)) {
      expectSameBits(rank.weights, weights);
      expect(rank).toMatchObject({ position, reason });
    }
  });

  test.each([0, 1, 2, 3, 4, 5])(
    'stopped by rank 1 after step %i and resumed, by two or by one, end the same',
    async (step) => {
      const { weights } = await alone();
      const stopped = await together(2, (rank) => (rank === 1 ? { hooks: stopAt(step) } : {}));
      for (const { reason, position } of stopped)
        expect({ reason, step: position.step }).toEqual({ reason: 'stopped', step: step + 1 });
      const file = join(folder, 'last');
      const one = await play(localGroups(1)[0]!, file, {
        accumulate: 2,
        resume: true,
        hooks: { save: async () => undefined },
      });
      expectSameBits(one.weights, weights);
      const endings = await inTurns(2, (group) => play(group, file, { resume: true }));
      for (const ending of endings) expectSameBits((ending as PromiseFulfilledResult<Played>).value.weights, weights);
    },
  );

  test('one dies in any of its meetings: the other is told, saves, and the run ends the same', async () => {
    const { weights } = await alone();
    let died = 0;
    for (let call = 1; ; call += 3) {
      const file = join(folder, `killed${call}`);
      const endings = await inTurns(2, (inner) => {
        const group = inner.rank === 1 ? failingAt(inner, call, () => new Error('killed')) : inner;
        return play(group, file);
      });
      if (endings[1]!.status === 'fulfilled') break;
      died++;
      expect((endings[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'PEER_LOST' });
      const begun = existsSync(file);
      const again = await inTurns(2, (group) => play(group, file, { resume: begun }));
      for (const ending of again) expectSameBits((ending as PromiseFulfilledResult<Played>).value.weights, weights);
    }
    expect(died).toBeGreaterThan(5);
  });

  test('a batch that cannot be read on one ends both, named, and nothing was updated', async () => {
    const broken = new RcnnError('IMAGE_CORRUPT', { where: 'a.jpg', problem: 'it ends too early' });
    const data = toyData(EPOCH);
    const spoilt: BatchSource = {
      ...data,
      async *batches(epoch, first, share) {
        let count = 0;
        for await (const batch of data.batches(epoch, first, share)) {
          if (count++ === 2) throw broken;
          yield batch;
        }
      },
    };
    const endings = await inTurns(2, (group) =>
      play(group, join(folder, 'last'), group.rank === 1 ? { data: spoilt } : {}),
    );
    const [first, second] = endings.map((ending) => (ending as PromiseRejectedResult).reason as RcnnError);
    expect(second).toBe(broken);
    expect(first).toMatchObject({ code: 'PEER_FAILED', message: expect.stringContaining('rank 1') });
  });

  test('what rank 0 cannot save ends both', async () => {
    const full = new RcnnError('DISK_FULL', { where: 'last', problem: 'the disk is full' });
    const endings = await inTurns(2, (group) =>
      play(group, join(folder, 'last'), { hooks: { save: () => Promise.reject(full) } }),
    );
    const reasons = endings.map((ending) => (ending as PromiseRejectedResult).reason as RcnnError);
    expect(reasons.map(({ code }) => code)).toEqual(['DISK_FULL', 'PEER_FAILED']);
  });

  test('an evaluation that rank 0 was asked to end ends both, saved', async () => {
    const stop = new RcnnError('INTERRUPTED', { where: 'evaluation', problem: 'stopped' });
    const hooks: TrainerHooks = { evaluate: () => Promise.reject(stop) };
    for (const { reason, position } of await together(2, () => ({ hooks }))) {
      expect({ reason, step: position.step }).toEqual({ reason: 'stopped', step: 4 });
    }
  });

  test('weights that drifted are told and mended at the next save', async () => {
    const events: TrainEvent[] = [];
    const drifts = (model: ToyModel): void =>
      model.first
        .namedParameters()
        .get('bias')!
        .assign(tf.fill([8], 0.125));
    const ranks = await together(2, (rank) => ({
      ...(rank === 1 && { before: drifts }),
      hooks: { onEvent: (event) => void events.push(event) },
    }));
    expectSameBits(ranks[1]!.weights, ranks[0]!.weights);
    const warnings = events.filter(({ kind }) => kind === 'warning');
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings[0]).toMatchObject({ text: expect.stringContaining('rank 1') });
  });
});

test('three and four ranks end with the same bits on each', async () => {
  for (const size of [3, 4]) {
    const [first, ...others] = await together(size);
    for (const { weights } of others) expectSameBits(weights, first!.weights);
  }
});
