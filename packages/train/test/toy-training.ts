// What a process of its own needs and no more, so that it starts quickly: tests start many, in order to kill them.
import '@tensorflow/tfjs-backend-cpu';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sweepTemporaries } from '@rcnn/checkpoint/node';
import * as tf from '@tensorflow/tfjs-core';
import { acquireLock } from '../src/files/lock.ts';
import { Metrics } from '../src/files/metrics.ts';
import { loadTrainingState, saveTrainingState } from '../src/files/training-state.ts';
import { AdamW, createSchedule, groupParameters, runTraining, START } from '../src/loop.ts';
import { StopSignals } from '../src/run/stop-signals.ts';
import { ToyModel, toyData } from './toy.ts';

/**
 * A toy model trained by the real loop in a run folder: goes on where it finds a checkpoint, writes its metrics, and
 * saves after every step, before `onSaved` is told.
 * @returns the step from which it went on
 */
export async function trainToy(folder: string, steps: number, onSaved: (step: number) => void): Promise<number> {
  await tf.setBackend('cpu');
  mkdirSync(folder, { recursive: true });
  const lock = acquireLock(join(folder, 'run.lock'));
  const signals = new StopSignals();
  const model = new ToyModel();
  const optimizer = new AdamW(model.namedParameters());
  try {
    await sweepTemporaries(folder);
    const file = join(folder, 'last.safetensors');
    const parameters = model.namedParameters();
    const start = existsSync(file) ? await loadTrainingState(file, { model, optimizer }, 1) : START;
    const metrics = await Metrics.open(folder, start.step);
    await runTraining(
      {
        model,
        optimizer,
        data: toyData(9),
        groups: groupParameters(parameters),
        schedule: createSchedule({ schedule: 'cosine' }, { stepsPerEpoch: 9, totalSteps: steps }),
        learningRate: 0.01,
        totalSteps: steps,
        seed: 1,
        saveEvery: 1,
        hooks: {
          shouldStop: () => signals.requested !== undefined,
          save: async (position) => {
            await metrics.add({ kind: 'step', step: position.step, epoch: position.epoch });
            await saveTrainingState(file, { model, optimizer }, { position, seed: 1 });
            onSaved(position.step);
          },
        },
      },
      start,
    );
    return start.step;
  } finally {
    signals.dispose();
    optimizer.dispose();
    model.dispose();
    lock.release();
  }
}
