import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadStateDict } from '@rcnn/checkpoint';
import { loadCheckpoint } from '@rcnn/checkpoint/node';
import { ClassMap } from '@rcnn/coco-data';
import { type Detector, Random, trainableParameters, valueAndGradients } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { readTextSync } from '@rcnn/files';
import { type Architecture, architectures as builtIn } from '@rcnn/models';
import type { TrainingBatch } from '@rcnn/optim';
import { firstNonFinite, freeze, imageNames, notFinite } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import type { TrainConfig } from '../config/options.ts';
import { architectureOf, parseConfig, resolveConfig } from '../config/resolve.ts';
import { loadBatch } from '../files/failed-batch.ts';
import { trainingInfoOf } from '../files/training-info.ts';
import { freshModel } from './build-model.ts';
import { type EngineOptions, startEngine } from './engine.ts';

export interface ReplayOptions extends EngineOptions {
  /** Default: that of the run. */
  readonly engine?: string | undefined;
  /** The kinds of detectors that the run's `arch` may name. Default those of `@rcnn/models`. */
  readonly architectures?: readonly Architecture[] | undefined;
}

/** One batch of a failed step, run again. */
export interface ReplayedBatch {
  readonly imageIds: readonly string[];
  readonly losses: Readonly<Record<string, number>>;
  /** The first tensor that is not finite, in the order of the arithmetic: image, weight, loss, gradient. */
  readonly firstNonFinite: string | undefined;
}

/** A failed step, run again. */
export interface Replay {
  readonly step: number;
  readonly engine: string;
  readonly batches: readonly ReplayedBatch[];
}

/**
 * Runs the batches of a failed step again, with the weights and the random choices of then. Nothing is updated.
 * @param path `runs/<name>/failed-step-<n>-batch.safetensors`, with the state of the same name and `config.yaml` beside it
 * @throws FILE_MISSING, CHECKPOINT_MISMATCH (no such file of ours), and what engines and files throw
 */
export async function replay(
  path: string,
  { engine, architectures = builtIn, ...options }: ReplayOptions = {},
): Promise<Replay> {
  const { config, state } = filesOf(path);
  const batches = await loadBatch(path);
  const active = await startEngine(engine ?? config.engine, options);
  const { model, step } = await loadModel(state, config, architectureOf(config, architectures));
  try {
    const random = new Random(config.seed).fork('step', step - 1); // as the loop draws for the step after it
    const replayed: ReplayedBatch[] = [];
    for (const [i, batch] of batches.entries()) replayed.push(await again(model, batch, random.fork('batch', i)));
    return { step, engine: active.name, batches: replayed };
  } finally {
    model.dispose();
  }
}

function filesOf(path: string): { config: TrainConfig; state: string } {
  const file = join(dirname(path), 'config.yaml');
  const state = path.replace(/-batch\.safetensors$/, '-state.safetensors');
  for (const needed of [path, state, file]) {
    if (existsSync(needed) && state !== path) continue;
    throw new RcnnError('FILE_MISSING', {
      where: path,
      problem: 'this is not the batch of a failed step with its run around it',
      ...(state === path ? {} : { found: `no ${needed}` }),
      expected: 'failed-step-<n>-batch.safetensors, beside it failed-step-<n>-state.safetensors and config.yaml',
      hint: 'Name the file inside its run folder, as the training printed it.',
    });
  }
  return { config: resolveConfig(parseConfig(readTextSync(file), file)), state };
}

async function loadModel(
  path: string,
  config: TrainConfig,
  architecture: Architecture,
): Promise<{ model: Detector; step: number }> {
  const checkpoint = await loadCheckpoint(path);
  try {
    const { profile } = checkpoint;
    const info = trainingInfoOf(checkpoint.info, path);
    if (profile === undefined) {
      throw new RcnnError('CHECKPOINT_MISMATCH', { where: path, problem: 'this is not the state of a training' });
    }
    const classes = new ClassMap(profile.classes ?? [], profile.numClasses);
    const numKeypoints = architecture.keypointsOf?.(checkpoint.weights) ?? 0;
    const { model } = freshModel(config, architecture, { classes, numKeypoints, keypointScheme: undefined }, profile);
    freeze(model.namedParameters(), config.freeze);
    await loadStateDict(model, checkpoint.weights, { allowNonFinite: true }); // they may be what went wrong
    return { model, step: info.position.step + 1 };
  } finally {
    await checkpoint.close();
  }
}

async function again(model: Detector, batch: TrainingBatch, random: Random): Promise<ReplayedBatch> {
  const source = await firstNonFinite(batch, model.namedParameters());
  const { loss, gradients, extra } = await valueAndGradients(async () => {
    const losses = await model.losses(batch.images, batch.targets, { random, phase: 'train' });
    return { loss: tf.addN(Object.values(losses)), extra: { ...losses } };
  }, trainableParameters(model));
  try {
    const losses: Record<string, number> = {};
    for (const [name, value] of Object.entries(extra)) losses[name] = (await value.data())[0]!;
    const badLoss = Object.keys(losses).find((name) => !Number.isFinite(losses[name]));
    const first = source ?? (badLoss === undefined ? await badGradient(gradients) : `the loss ${badLoss}`);
    return { imageIds: imageNames(batch), losses, firstNonFinite: first };
  } finally {
    tf.dispose([loss, ...Object.values(extra), ...gradients.values()]);
  }
}

async function badGradient(gradients: ReadonlyMap<string, tf.Tensor>): Promise<string | undefined> {
  for (const [name, gradient] of gradients) {
    const bad = notFinite(await gradient.data());
    if (bad !== undefined) return `the gradient of ${name}: ${bad}`;
  }
  return undefined;
}
