// What a saved state says of the run that it is of, and which other runs it is refused to.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { torchvisionProfile, type WeightsProfile } from '@rcnn/checkpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StepShape } from '../src/files/training-state.ts';
import { AdamW, loadTrainingState, START, saveTrainingState } from '../src/index.ts';
import { ready } from './engine.ts';
import { ToyModel } from './toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'training-state-'));
const path = join(folder, 'last.safetensors');
beforeAll(() => ready);
afterAll(() => rmSync(folder, { recursive: true }));

const model = new ToyModel(1);
const state = { model, optimizer: new AdamW(model.namedParameters()) };

/** The profile of a detector of these classes, labelled from 1 on. */
function profileOf(...names: readonly string[]): WeightsProfile {
  const classes = names.map((name, i) => ({ label: i + 1, name, categoryId: i + 1 }));
  return torchvisionProfile({ source: 'a test', architecture: 'toy', numClasses: names.length + 1, classes });
}

const save = (profile: WeightsProfile) => saveTrainingState(path, state, { position: START, seed: 3, profile });
const load = (profile: WeightsProfile) => loadTrainingState(path, state, 3, profile);
const TEN = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];

test('a class that differs is found however far behind it is, and named', async () => {
  await save(profileOf(...TEN));
  expect(await load(profileOf(...TEN))).toEqual(START);
  await expect(load(profileOf(...TEN.with(9, 'zebra')))).rejects.toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    message: expect.stringContaining(
      "the run is of other classes than the data have: first '10 j' where these have '10 zebra'",
    ),
    found: '10 (1 a, 2 b, 3 c, 4 d, 5 e, 6 f, 7 g, 8 h, and 2 more)',
    expected: '10 (1 a, 2 b, 3 c, 4 d, 5 e, 6 f, 7 g, 8 h, and 2 more)',
  });
});

test('classes in another order, fewer and more of them are refused', async () => {
  await save(profileOf('a', 'b'));
  await expect(load(profileOf('b', 'a'))).rejects.toThrow("first '1 a' where these have '1 b'");
  await expect(load(profileOf('a'))).rejects.toThrow("first '2 b' where these have none");
  await expect(load(profileOf('a', 'b', 'c'))).rejects.toThrow("first none where these have '3 c'");
});

test('the same names with other outputs of the classifier are refused', async () => {
  await save(profileOf('a', 'b'));
  await expect(load({ ...profileOf('a', 'b'), numClasses: 5 })).rejects.toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    found: '2 (1 a, 2 b)',
    expected: '4 (1 a, 2 b)',
  });
});

test('steps of other batches, and batches of other images, are refused; older files do not know their batches', async () => {
  const here = { size: 1, accumulate: 2, batchSize: 4 };
  const goOn = (steps: StepShape) => loadTrainingState(path, state, 3, undefined, steps);
  await saveTrainingState(path, state, { position: START, seed: 3, batchesPerStep: 2, batchSize: 4 });
  expect(await goOn(here)).toEqual(START);
  expect(await goOn({ ...here, size: 2, accumulate: 1 })).toEqual(START);
  await expect(goOn({ ...here, batchSize: 8 })).rejects.toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    where: path,
    place: '__metadata__.rcnn.info.batchSize',
    found: '4',
    expected: 'batchSize 8',
    hint: "Go on with --batch-size 4; to begin a new run from these weights, use 'weights' instead.",
  });
  await expect(goOn({ ...here, accumulate: 4 })).rejects.toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    place: '__metadata__.rcnn.info.batchesPerStep',
    found: '2',
    expected: '1 process x accumulate 4 = 4',
    hint: "Go on with --accumulate 2; to begin a new run from these weights, use 'weights' instead.",
  });
  await saveTrainingState(path, state, { position: START, seed: 3, batchesPerStep: 2 });
  expect(await goOn({ ...here, batchSize: 8 })).toEqual(START);
});
