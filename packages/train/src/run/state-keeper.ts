import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { INFO_PLACE, stateDict, type WeightsProfile } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { isRcnnError } from '@rcnn/core/errors';
import type { TrainingBatch } from '@rcnn/optim';
import type { TrainConfig } from '../config/options.ts';
import { requireSpace } from '../files/disk.ts';
import { saveBatch } from '../files/failed-batch.ts';
import type { RunFolder } from '../files/folder.ts';
import { keepNumbered } from '../files/retention.ts';
import { malformed } from '../files/training-info.ts';
import { loadTrainingState, saveTrainingState, type TrainingState } from '../files/training-state.ts';
import type { Listener } from '../loop/events.ts';
import { type Position, START, type TrainerHooks } from '../loop/trainer.ts';
import { slotsOf } from './plan.ts';

/** What the files of a run are about: the state that changes, and what stays the same. */
export interface KeptRun {
  readonly config: TrainConfig;
  readonly folder: RunFolder;
  readonly state: TrainingState;
  readonly profile: WeightsProfile;
  readonly onEvent: Listener;
  /** Processes that train together. */
  readonly processes: number;
}

/** Keeps the states of a training in its folder: the last one, the best weights, numbered ones, and that of a failure. */
export class StateKeeper implements Required<Pick<TrainerHooks, 'save' | 'onFailure'>> {
  readonly #run: KeptRun;

  constructor(run: KeptRun) {
    this.#run = run;
  }

  /** Puts the last state back and gives its position. @throws CHECKPOINT_MISMATCH, FILE_MALFORMED */
  readonly load = async (): Promise<Position> => {
    const { folder, state, config, profile, processes: size } = this.#run;
    const { seed, accumulate, batchSize } = config;
    const position = await loadTrainingState(folder.last, state, seed, profile, { size, accumulate, batchSize });
    // Each step updates once; an average may have been asked for later.
    const { updates = position.step } = state.optimizer.counters();
    const averaged = state.average?.counters().updates ?? 0;
    if (updates === position.step && averaged <= position.step) return position;
    throw malformed(folder.last, {
      place: `${INFO_PLACE}.position.step`,
      found: String(position.step),
      expected: `the updates of optimizer and average, ${updates} and ${averaged}`,
    });
  };

  /** Refuses a disk that cannot hold the checkpoints: a new one is written beside the old one. @throws DISK_FULL */
  readonly requireSpace = (resuming: boolean): void => {
    const { config, folder, state } = this.#run;
    let all = 0;
    let trained = 0;
    for (const { size, trainable } of state.model.namedParameters().values()) {
      all += size;
      if (trainable) trained += size;
    }
    const last = 4 * (all + trained * slotsOf(config));
    requireSpace(folder.path, 4 * all + ((resuming ? 1 : 2) + (config.keepCheckpoints ?? 0)) * last);
  };

  readonly save = async (position: Position, best: boolean): Promise<void> => {
    const { config, folder, state, profile, onEvent, processes } = this.#run;
    const { seed, accumulate, batchSize } = config;
    const batchesPerStep = processes * accumulate;
    if (best || isUnmeasuredAverage(state, position))
      await (state.average?.swap(() => this.#saveBest(position)) ?? this.#saveBest(position));
    await saveTrainingState(folder.last, state, { position, seed, profile, batchesPerStep, batchSize });
    const { keepCheckpoints: keep } = config;
    if (keep !== undefined) {
      const bestStep = await bestStepOf(folder);
      await keepNumbered({ directory: folder.checkpoints, step: position.step, keep, bestStep });
    }
    onEvent({ kind: 'saved', path: folder.last });
  };

  /** Keeps what a failed step was given and the state before it; the last checkpoint stays as it is. */
  readonly onFailure = async (step: number, batches: readonly TrainingBatch[], error: unknown): Promise<void> => {
    if (!isRcnnError(error, 'NON_FINITE')) return;
    const { config, folder, state, profile, onEvent } = this.#run;
    const batch = join(folder.path, `failed-step-${step}-batch.safetensors`);
    await saveBatch(batch, batches);
    const position = { ...START, step: step - 1 };
    const file = join(folder.path, `failed-step-${step}-state.safetensors`);
    await saveTrainingState(file, state, { position, seed: config.seed, profile });
    onEvent({
      kind: 'warning',
      text: `The batch of step ${step} and the state before it are kept. Look at it with: mask-rcnn replay ${batch}`,
    });
  };

  /** The best weights alone, or those that stand for them, with all that is needed to use them elsewhere. */
  async #saveBest({ best, step }: Position): Promise<void> {
    const { config, folder, state, profile } = this.#run;
    const info = { kind: 'weights', step, score: best?.score ?? null, config: { ...config } };
    await saveCheckpoint(folder.best, { weights: (await stateDict(state.model)).values(), profile, info });
  }
}

/**
 * Whether averaged weights are kept although no evaluation found them the best: where nothing is measured they would be
 * in no file of weights at all. Once an epoch is enough.
 */
function isUnmeasuredAverage({ average }: TrainingState, { best, batch }: Position): boolean {
  return average !== undefined && best === null && batch === 0;
}

/** The step at which the best weights were measured. */
async function bestStepOf({ best }: RunFolder): Promise<number | undefined> {
  if (!existsSync(best)) return undefined;
  const checkpoint = await loadCheckpoint(best);
  await checkpoint.close();
  return (checkpoint.info as { step?: number } | undefined)?.step;
}
