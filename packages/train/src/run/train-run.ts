import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonValue, stateDict, type WeightsProfile } from '@rcnn/checkpoint';
import { atomicWrite, loadCheckpoint, saveCheckpoint, sweepTemporaries } from '@rcnn/checkpoint/node';
import { countParameters, trainableParameters, type UseEngineOptions, useEngine } from '@rcnn/core';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import {
  AdamW,
  createSchedule,
  freeze,
  groupParameters,
  type Optimizer,
  SGD,
  type TrainingBatch,
  WeightAverage,
} from '@rcnn/optim';
import type { FasterRCNN } from 'mask-rcnn';
import { stringify } from 'yaml';
import type { PartialConfig, TrainConfig } from '../config/options.ts';
import { learningRateOf, parseConfig, resolveConfig } from '../config/resolve.ts';
import { optionNames } from '../config/schema.ts';
import { evaluateModel } from '../loop/evaluate.ts';
import type { EndReason, Listener, Scores, StepReport } from '../loop/events.ts';
import { type Position, runTraining, START, stepsPerEpoch, type TrainerHooks } from '../loop/trainer.ts';
import { writeReport } from '../report/write-report.ts';
import { EventWriter } from '../tensorboard/events.ts';
import { type BuiltModel, buildModel, profileOf } from './build-model.ts';
import { checkMemory, slotsOf } from './check-memory.ts';
import { openData, type TrainingData } from './data.ts';
import { requireSpace } from './disk.ts';
import { describeEnvironment } from './environment.ts';
import { saveBatch } from './failed-batch.ts';
import { RunFolder } from './folder.ts';
import { acquireLock } from './lock.ts';
import { Metrics } from './metrics.ts';
import { drawBatch, drawExamples, drawReport, namesOf } from './pictures.ts';
import { keepNumbered } from './retention.ts';
import { loadTrainingState, saveTrainingState, type TrainingState } from './training-state.ts';

export interface TrainOptions {
  /** Hears everything that happens. Default: silence. */
  readonly onEvent?: Listener;
  /** How optional engines are imported, where they cannot be found from the current folder. */
  readonly loaders?: UseEngineOptions['loaders'];
  /** Asked before each step; true finishes, saves and leaves. `StopSignals` answers for SIGINT and SIGTERM. */
  readonly shouldStop?: () => boolean;
}

/** How a training ended, and where its files are. */
export interface TrainResult {
  readonly folder: RunFolder;
  readonly reason: EndReason;
  readonly position: Position;
  /** Of the last evaluation. */
  readonly scores: Scores | undefined;
}

/**
 * Trains: opens the data, builds the model, and writes a run folder with checkpoints, metrics, pictures and a report.
 * @throws CONFIG_INVALID, LOCKED, NON_FINITE, and what data, weights and engine throw; see `RcnnError`
 */
export async function train(config: PartialConfig, options: TrainOptions = {}): Promise<TrainResult> {
  return run(resolveConfig(config), undefined, options);
}

/**
 * Goes on with a run that was stopped, killed or finished; options such as `epochs` may be changed.
 * On one machine and engine it computes the same bits as if it had never stopped.
 * @throws FILE_MISSING when there is nothing to go on from; otherwise as {@link train}
 */
export async function resume(
  path: string,
  changes: PartialConfig = {},
  options: TrainOptions = {},
): Promise<TrainResult> {
  const folder = new RunFolder(path);
  if (!existsSync(folder.config) || !folder.canResume) {
    throw new RcnnError('FILE_MISSING', {
      where: path,
      problem: 'this folder has no run to go on with',
      expected: 'config.yaml and checkpoints/last.safetensors',
      hint: "Name the folder that the training printed, for example 'runs/train'.",
    });
  }
  const config = resolveConfig(parseConfig(readFileSync(folder.config, 'utf8'), folder.config), changes);
  return run(config, folder, options);
}

async function run(config: TrainConfig, resumed: RunFolder | undefined, options: TrainOptions): Promise<TrainResult> {
  const { onEvent = () => undefined, loaders } = options;
  const threads = config.threads === undefined ? {} : { threads: config.threads };
  const engine = await useEngine(config.engine as 'auto', { task: 'train', ...threads, ...(loaders && { loaders }) });
  onEvent({ kind: 'note', text: `Engine: ${engine.name}.` });
  const data = await openData(config, onEvent);
  const built = await buildModel(config, data.train.classes, onEvent);
  const { model } = built;
  checkMemory(config, data, model, engine.name, onEvent);
  // Only now: a mistake in data or options leaves no empty folder behind.
  const folder = resumed?.prepare() ?? RunFolder.create(config.out, config.name);
  const lock = acquireLock(folder.lock);
  try {
    await sweepTemporaries(folder.path);
    await sweepTemporaries(folder.checkpoints);
    const session = new Session(config, folder, data, built, options);
    return await session.run(resumed !== undefined);
  } finally {
    await data.source.close?.();
    model.dispose();
    lock.release();
  }
}

/** Longest time in seconds that a report may be old while training goes on. */
const REPORT_AGE = 60;

/** One training with its folder: what the loop's hooks share. */
class Session {
  readonly #config: TrainConfig;
  readonly #folder: RunFolder;
  readonly #data: TrainingData;
  readonly #model: FasterRCNN;
  readonly #options: TrainOptions;
  readonly #optimizer: Optimizer;
  readonly #average: WeightAverage | undefined;
  readonly #profile: WeightsProfile;
  readonly #names: ReadonlyMap<number, string>;
  readonly #begin = performance.now();
  #metrics: Metrics | undefined;
  #events: EventWriter | undefined;
  #scores: Scores | undefined;
  #reported = Number.NEGATIVE_INFINITY;

  constructor(config: TrainConfig, folder: RunFolder, data: TrainingData, built: BuiltModel, options: TrainOptions) {
    const { model } = built;
    this.#config = config;
    this.#folder = folder;
    this.#data = data;
    this.#model = model;
    this.#options = options;
    freeze(model.namedParameters(), config.freeze);
    const { optimizer, momentum, ema } = config;
    const parameters = model.namedParameters();
    this.#optimizer =
      optimizer === 'adamw'
        ? new AdamW(parameters)
        : new SGD(parameters, { momentum, nesterov: optimizer === 'sgdNesterov' });
    this.#average = ema === undefined ? undefined : new WeightAverage(parameters, ema);
    this.#profile = profileOf(config, data.train.classes, built);
    this.#names = namesOf(data.train);
  }

  async run(resuming: boolean): Promise<TrainResult> {
    const position = resuming ? await this.#loadState() : START;
    requireSpace(this.#folder.path, this.#spaceNeeded(resuming));
    await this.#writeSettings(resuming);
    this.#metrics = await Metrics.open(this.#folder.path, position.step);
    this.#events = new EventWriter(this.#folder.path, { firstStep: position.step + 1 });
    this.#note(
      resuming ? `Resuming ${this.#folder.path} after step ${position.step}.` : `Writing to ${this.#folder.path}`,
    );
    try {
      const end = await runTraining(this.#trainerOptions(), position);
      await this.#report(end.position);
      return { folder: this.#folder, ...end, scores: this.#scores };
    } catch (error) {
      if (this.#folder.canResume) {
        const text = `The last checkpoint is whole. Go on with: mask-rcnn train --resume ${this.#folder.path}`;
        this.#options.onEvent?.({ kind: 'warning', text });
      }
      throw error;
    } finally {
      this.#events.close();
      this.#optimizer.dispose();
      this.#average?.dispose();
    }
  }

  #loadState(): Promise<Position> {
    return loadTrainingState(this.#folder.last, this.#state, this.#config.seed, this.#profile);
  }

  /** Bytes of the checkpoints: a new one is written beside the old one. */
  #spaceNeeded(resuming: boolean): number {
    const all = countParameters(this.#model);
    const trained = [...trainableParameters(this.#model).values()].reduce((sum, { size }) => sum + size, 0);
    const last = 4 * (all + trained * slotsOf(this.#config));
    return 4 * all + ((resuming ? 1 : 2) + (this.#config.keepCheckpoints ?? 0)) * last;
  }

  get #state(): TrainingState {
    return { model: this.#model, optimizer: this.#optimizer, average: this.#average };
  }

  #trainerOptions() {
    const config = this.#config;
    const { batchesPerEpoch } = this.#data.source;
    const perEpoch = stepsPerEpoch(batchesPerEpoch, config.accumulate);
    const totalSteps = config.steps ?? config.epochs * perEpoch;
    const warmupSteps = config.warmupSteps === 'auto' ? Math.min(1000, perEpoch - 1) : config.warmupSteps;
    const learningRate = learningRateOf(config);
    const trainable = trainableParameters(this.#model);
    this.#note(
      `${this.#data.train.length} images of ${this.#data.train.classes.classes.length} classes; ${config.arch} with ` +
        `${countParameters(this.#model).toLocaleString('en')} weights, ${[...trainable.values()].reduce((sum, p) => sum + p.size, 0).toLocaleString('en')} of them learning.`,
    );
    this.#note(
      `${totalSteps} steps of ${config.batchSize * config.accumulate} images; ${config.optimizer} at ${learningRate}` +
        (config.learningRate === 'auto'
          ? ` (torchvision's 0.02 for 16 images, scaled to ${config.batchSize * config.accumulate}).`
          : '.'),
    );
    return {
      model: this.#model,
      data: this.#data.source,
      optimizer: this.#optimizer,
      average: this.#average,
      groups: groupParameters(this.#model.namedParameters(), config),
      schedule: createSchedule({ ...config, warmupSteps }, { stepsPerEpoch: perEpoch, totalSteps }),
      learningRate,
      totalSteps,
      accumulate: config.accumulate,
      clipNorm: config.clipNorm,
      seed: config.seed,
      evaluateEvery: config.evaluateEvery,
      patience: config.patience,
      saveEvery: config.saveEvery,
      hooks: this.#hooks(),
    };
  }

  #hooks(): TrainerHooks {
    const { onEvent, shouldStop } = this.#options;
    const { val } = this.#data;
    return {
      ...(onEvent && { onEvent }),
      ...(shouldStop && { shouldStop }),
      ...(val && { evaluate: (epoch: number, step: number) => this.#evaluate(epoch, step) }),
      save: (position, best) => this.#save(position, best),
      record: (entry) =>
        entry.kind === 'step'
          ? this.#recordStep(entry.report)
          : this.#recordEpoch(entry.epoch, entry.step, entry.scores),
      onBatches: async (step, batches) => {
        if (step >= 3) return;
        await drawBatch(this.#folder.picture(`train_batch_${step}`), batches[0]!, this.#names);
        this.#showPicture(step + 1, 'train/batch', `train_batch_${step}`);
      },
      onFailure: (step, batches, error) => this.#keepFailure(step, batches, error),
    };
  }

  async #save(position: Position, best: boolean): Promise<void> {
    const { seed } = this.#config;
    if (best) await (this.#average?.swap(() => this.#saveBest(position)) ?? this.#saveBest(position));
    await saveTrainingState(this.#folder.last, this.#state, { position, seed, profile: this.#profile });
    await this.#keepNumbered(position.step);
    this.#options.onEvent?.({ kind: 'saved', path: this.#folder.last });
  }

  async #keepNumbered(step: number): Promise<void> {
    const { keepCheckpoints: keep } = this.#config;
    if (keep === undefined) return;
    await keepNumbered({ directory: this.#folder.checkpoints, step, keep, bestStep: await bestStep(this.#folder) });
  }

  /** Weights alone, with all that is needed to use them elsewhere. */
  async #saveBest({ best, step }: Position): Promise<void> {
    const info = { kind: 'weights', step, score: best?.score ?? null, config: this.#config } as unknown as JsonValue;
    await saveCheckpoint(this.#folder.best, {
      weights: (await stateDict(this.#model)).values(),
      profile: this.#profile,
      info,
    });
  }

  async #evaluate(epoch: number, step: number): Promise<Scores> {
    const { onEvent, shouldStop } = this.#options;
    const evaluation = await evaluateModel(this.#model, this.#data.val!, {
      epoch,
      examples: 8,
      onProgress: (done, of) => {
        onEvent?.({ kind: 'evaluating', epoch, done, of });
        if (shouldStop?.() !== true) return;
        throw new RcnnError('INTERRUPTED', { where: 'evaluation', problem: `stopped after ${done} of ${of} images` });
      },
    });
    const { record, predictions, examples, scores } = evaluation;
    await atomicWrite(this.#folder.evaluation, JSON.stringify(record, null, 1));
    await atomicWrite(this.#folder.predictions, JSON.stringify(predictions));
    await drawExamples(this.#folder.picture('validation'), examples, this.#names);
    this.#showPicture(step, 'validation', 'validation');
    for (const [i, example] of examples.slice(0, 2).entries()) {
      await drawReport(this.#folder.picture(`panels_${i}`), example, this.#names);
    }
    this.#scores = scores;
    return scores;
  }

  async #recordStep(report: StepReport): Promise<void> {
    const { step, epoch, losses, loss, gradientNorm, learningRate, dataTime, stepTime, memory, tensors } = report;
    const numbers = { loss, ...losses, learningRate, gradientNorm, dataTime, stepTime, memory, tensors };
    await this.#metrics!.add({ kind: 'step', step, epoch, ...numbers });
    this.#events!.scalars(step, {
      'loss/total': loss,
      ...Object.fromEntries(
        Object.entries(losses).map(([name, value]) => [`loss/${name.replace(/^loss_/, '')}`, value]),
      ),
      'train/learningRate': learningRate,
      'train/gradientNorm': gradientNorm,
      'time/data': dataTime,
      'time/step': stepTime,
    });
  }

  /** The picture in TensorBoard too. */
  #showPicture(step: number, tag: string, name: string): void {
    this.#events!.image(step, tag, readFileSync(this.#folder.picture(name)));
  }

  async #recordEpoch(epoch: number, step: number, scores: Scores): Promise<void> {
    await this.#metrics!.add({ kind: 'epoch', step, epoch, ...scores });
    this.#events!.scalars(step, Object.fromEntries(Object.entries(scores).filter(([, value]) => value !== -1)));
    if (performance.now() - this.#reported > REPORT_AGE * 1000) await this.#report({ ...START, step, epoch });
  }

  async #report({ step }: Position): Promise<void> {
    const config = this.#config;
    const minutes = (performance.now() - this.#begin) / 60_000;
    await writeReport(this.#folder, `${config.arch} on ${this.#data.train.name}`, [
      [
        'data',
        `${config.data}: ${this.#data.train.length} training and ${this.#data.val?.length ?? 0} validation images`,
      ],
      ['steps', `${step} of ${config.batchSize * config.accumulate} images`],
      ['time', `${minutes.toFixed(1)} minutes since the run was started or resumed`],
      ['folder', this.#folder.path],
    ]);
    this.#reported = performance.now();
  }

  /** Keeps what a failed step was given and the state before it; the last checkpoint stays as it is. */
  async #keepFailure(step: number, batches: readonly TrainingBatch[], error: unknown): Promise<void> {
    if (!isRcnnError(error, 'NON_FINITE')) return;
    const batch = join(this.#folder.path, `failed-step-${step}-batch.safetensors`);
    const state = join(this.#folder.path, `failed-step-${step}-state.safetensors`);
    await saveBatch(batch, batches);
    const position = { ...START, step: step - 1 };
    await saveTrainingState(state, this.#state, { position, seed: this.#config.seed, profile: this.#profile });
    this.#options.onEvent?.({
      kind: 'warning',
      text: `The batch of step ${step} and the state before it are kept. Look at it with: mask-rcnn replay ${batch}`,
    });
  }

  /** The options as resolved, and the machine. A resumed run keeps the first environment and adds its own. */
  async #writeSettings(resuming: boolean): Promise<void> {
    const header = '# Every option of this run. Repeat it with: mask-rcnn train --config config.yaml\n';
    await atomicWrite(this.#folder.config, header + stringify(inOrder(this.#config)));
    const here = describeEnvironment();
    const before =
      resuming && existsSync(this.#folder.environment)
        ? ((JSON.parse(readFileSync(this.#folder.environment, 'utf8')) as { runs?: unknown[] }).runs ?? [])
        : [];
    await atomicWrite(this.#folder.environment, `${JSON.stringify({ ...here, runs: [...before, here] }, null, 1)}\n`);
  }

  #note(text: string): void {
    this.#options.onEvent?.({ kind: 'note', text });
  }
}

/** The step at which the best weights were measured. */
async function bestStep({ best }: RunFolder): Promise<number | undefined> {
  if (!existsSync(best)) return undefined;
  const checkpoint = await loadCheckpoint(best);
  await checkpoint.close();
  return (checkpoint.info as { step?: number } | undefined)?.step;
}

/** The options in the order in which the help lists them. */
function inOrder(config: TrainConfig): Partial<TrainConfig> {
  const given = config as unknown as Record<string, unknown>;
  return Object.fromEntries(optionNames.filter((name) => name in given).map((name) => [name, given[name]]));
}
