import { INFO_PLACE } from '@rcnn/checkpoint';
import type { Dataset } from '@rcnn/coco-data';
import { counted, RcnnError } from '@rcnn/core/errors';
import { onRankZero, type ProcessGroup, type SharedNorms } from '@rcnn/distributed';
import type { Architecture } from '@rcnn/models';
import { CompiledDetector, compileAs } from '@rcnn/onnx';
import { freeze } from '@rcnn/optim';
import type { TrainConfig } from '../config/options.ts';
import type { RunFolder } from '../files/folder.ts';
import { evaluateTogether } from '../loop/evaluate-together.ts';
import type { EndReason, Listener, Scores } from '../loop/events.ts';
import { shareState } from '../loop/same-state.ts';
import { type Position, runTraining, START, type TrainerHooks } from '../loop/trainer.ts';
import type { BuiltModel } from './build-model.ts';
import type { TrainingData } from './data.ts';
import { recordData } from './data-record.ts';
import type { EngineOptions } from './engine.ts';
import { normWarnings } from './norm-warnings.ts';
import { averageOf, describePlan, optimizerOf, planOf } from './plan.ts';
import { recipeFacts, recipeWarnings } from './recipe-warnings.ts';
import { RunRecorder } from './run-recorder.ts';
import { writeSettings } from './settings.ts';
import { StateKeeper } from './state-keeper.ts';

export interface TrainOptions extends EngineOptions {
  /**
   * The kinds of detectors that `arch` may name. Default those of `@rcnn/models`; a model of your own comes in beside
   * them: `[...architectures, mine]`.
   */
  readonly architectures?: readonly Architecture[] | undefined;
  /** Data of your own, however they were read, instead of those that `data` and `valData` name. */
  readonly datasets?: { readonly train: Dataset; readonly val?: Dataset | undefined } | undefined;
  /** Hears everything that happens. Default: silence. */
  readonly onEvent?: Listener | undefined;
  /**
   * This process among those that train together. Its `join` is called when the engine is up. Rank 0 alone writes files,
   * and the folder of the result is on its machine. Default: this process alone.
   */
  readonly membership?: Membership | undefined;
  /** Asked before each step; true finishes, saves and leaves. `StopSignals` answers for SIGINT and SIGTERM. */
  readonly shouldStop?: (() => boolean) | undefined;
}

/** A process among those that train together. */
export interface Membership {
  /** From 0. */
  readonly rank: number;
  readonly size: number;
  /** How often to wait for one that was lost to come back, and to go on with it from the last save. Default 0. */
  readonly rejoins?: number | undefined;
  join(): Promise<ProcessGroup>;
}

/** How a training ended, and where its files are. */
export interface TrainResult {
  readonly folder: RunFolder;
  readonly reason: EndReason;
  readonly position: Position;
  /** Of the last evaluation. */
  readonly scores: Scores | undefined;
}

/** Everything that a training needs, opened and built. */
export interface Session {
  readonly config: TrainConfig;
  readonly data: TrainingData;
  readonly built: BuiltModel;
  /** Those of the model that count the batches of all processes as one. */
  readonly norms: SharedNorms | undefined;
  readonly folder: RunFolder;
  readonly options: TrainOptions;
  readonly group: ProcessGroup;
}

/** One training in its folder: the loop, with those who record it and keep its states around it. */
export async function runSession(session: Session, resuming: boolean): Promise<TrainResult> {
  const { config, data, built, norms, folder, group } = session;
  const { onEvent = () => undefined, shouldStop } = session.options;
  const { model, profile } = built;
  const parameters = model.namedParameters();
  freeze(parameters, config.freeze);
  const state = { model, optimizer: optimizerOf(config, parameters), average: averageOf(config, parameters) };
  const processes = group.size;
  const keeper = new StateKeeper({ config, folder, state, profile, onEvent, processes });
  let recorder: RunRecorder | undefined;
  try {
    const plan = planOf(config, parameters, data.source.batchesPerEpoch, processes);
    const warnings = [
      ...recipeWarnings(recipeFacts(config, data, plan, built, processes)),
      ...normWarnings(config, parameters, norms),
    ];
    const position = await onRankZero(group, async () => {
      const last = resuming ? await keeper.load() : START;
      requireBatch(last, data, folder);
      keeper.requireSpace(resuming);
      await writeSettings(folder, config, resuming);
      await recordData(folder, data, resuming, onEvent);
      recorder = await RunRecorder.open({ config, folder, data, processes, warnings }, last.step);
      warnOfUnread(recorder, onEvent);
      return last;
    });
    await shareState(group, state, null);
    const where = resuming ? `Resuming ${folder.path} after step ${position.step}.` : `Writing to ${folder.path}`;
    const described = describePlan(config, plan, parameters, data.train, processes);
    if (group.rank === 0 && !resuming) for (const text of warnings) onEvent({ kind: 'warning', text });
    if (group.rank === 0) for (const text of [where, ...described]) onEvent({ kind: 'note', text });
    const measured = measuring(session, recorder);
    const hooks = { onEvent, shouldStop, evaluate: measured?.evaluate, ...writing(keeper, recorder) };
    const options = { ...plan, ...state, data: data.source, hooks, group, norms };
    const end = await goOn(session, () => runTraining(options, position));
    await onRankZero(group, async () => {
      await recorder?.report(end.position.step);
      return null;
    });
    return { folder, ...end, scores: measured?.last() };
  } finally {
    recorder?.close();
    state.optimizer.dispose();
    state.average?.dispose();
  }
}

/** What the loop calls to have things written: on rank 0, which has the folder and so the recorder. */
function writing({ save, onFailure }: StateKeeper, recorder: RunRecorder | undefined): TrainerHooks {
  return recorder === undefined ? {} : { save, onFailure, record: recorder.record, onBatches: recorder.onBatches };
}

function warnOfUnread({ unreadMetrics }: RunRecorder, onEvent: Listener): void {
  const text = `metrics.jsonl: ${counted(unreadMetrics, 'line')} cannot be read (cut by a crash, or changed) and ${unreadMetrics === 1 ? 'is' : 'are'} left out.`;
  if (unreadMetrics > 0) onEvent({ kind: 'warning', text });
}

/** An epoch has a batch for each image at most: a later one is nowhere in these data. @throws CHECKPOINT_MISMATCH */
function requireBatch({ batch }: Position, { train }: TrainingData, { last }: RunFolder): void {
  if (batch <= train.length) return;
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: last,
    place: `${INFO_PLACE}.position.batch`,
    problem: 'the run stopped inside an epoch that these data do not have',
    found: `${batch} batches done`,
    expected: `at most ${train.length}, one for each training image`,
    hint: "Resume with the data that the run began with; to begin a new run from these weights, use 'weights' instead.",
  });
}

/** Runs the training; when it breaks off, says that and how it can be gone on with. */
async function goOn<T>({ folder, options, group }: Session, training: () => Promise<T>): Promise<T> {
  try {
    return await training();
  } catch (error) {
    const text = `The last checkpoint is whole. Go on with: mask-rcnn train --resume ${folder.path}`;
    if (group.rank === 0 && folder.canResume) options.onEvent?.({ kind: 'warning', text });
    throw error;
  }
}

/** Measures the model on the validation data, where there are any. */
function measuring(
  {
    config: { badSamples, maxSkipRate, compile },
    data: { val },
    built: { model },
    options: { onEvent, shouldStop },
    group,
  }: Session,
  recorder: RunRecorder | undefined,
): { evaluate: NonNullable<TrainerHooks['evaluate']>; last(): Scores | undefined } | undefined {
  if (val === undefined) return undefined;
  let last: Scores | undefined;
  const evaluate = async (epoch: number, step: number): Promise<Scores> => {
    const onProgress = (done: number, of: number): void => {
      onEvent?.({ kind: 'evaluating', epoch, done, of });
      if (shouldStop?.() !== true) return;
      throw new RcnnError('INTERRUPTED', {
        where: 'evaluation',
        problem: `stopped after ${done} of ${counted(of, 'image')}`,
      });
    };
    const reading = { badSamples, maxSkipRate };
    const predicting = compileAs(model, compile);
    const wanted = { epoch, examples: 4, worst: 4, onProgress, ...reading };
    const evaluation = await evaluateTogether(group, predicting, val, wanted)
      // The weights of this step's graphs are of no use to the next evaluation.
      .finally(() => predicting instanceof CompiledDetector && predicting.release());
    if (evaluation === undefined) return {}; // rank 0 has the scores
    const [first] = evaluation.skipped;
    if (first !== undefined) {
      const text = `Evaluated without ${counted(evaluation.skipped.length, 'image')}, such as ${first.imageId}: ${first.message}`;
      onEvent?.({ kind: 'warning', text });
    }
    await recorder?.recordEvaluation(evaluation, step);
    last = evaluation.scores;
    return last;
  };
  return { evaluate, last: () => last };
}
