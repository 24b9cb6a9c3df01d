// A training as a process of its own, for tests that kill it: toy-process.ts FOLDER STEPS. Goes on where it finds a
// checkpoint; saves after every step, before the step is printed.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sweepTemporaries } from '@rcnn/checkpoint/node';
import {
  AdamW,
  acquireLock,
  createSchedule,
  groupParameters,
  loadTrainingState,
  runTraining,
  START,
  StopSignals,
  saveTrainingState,
} from '@rcnn/train';
import { ready } from './engine.ts';
import { ToyModel, toyData } from './toy.ts';

const [folder = '', steps = '10'] = process.argv.slice(2);
await ready;
mkdirSync(folder, { recursive: true });
const lock = acquireLock(join(folder, 'run.lock'));
await sweepTemporaries(folder);
const file = join(folder, 'last.safetensors');
const model = new ToyModel();
const parameters = model.namedParameters();
const optimizer = new AdamW(parameters);
const signals = new StopSignals();
const start = existsSync(file) ? await loadTrainingState(file, { model, optimizer }, 1) : START;
await runTraining(
  {
    model,
    optimizer,
    data: toyData(9),
    groups: groupParameters(parameters),
    schedule: createSchedule({ schedule: 'cosine' }, { stepsPerEpoch: 9, totalSteps: Number(steps) }),
    learningRate: 0.01,
    totalSteps: Number(steps),
    seed: 1,
    saveEvery: 1,
    hooks: {
      shouldStop: () => signals.requested !== undefined,
      save: async (position) => {
        await saveTrainingState(file, { model, optimizer }, { position, seed: 1 });
        process.stdout.write(`${position.step}\n`);
      },
    },
  },
  start,
);
signals.dispose();
lock.release();
