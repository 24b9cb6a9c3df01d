import { readFileSync } from 'node:fs';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { counted } from '@rcnn/core/errors';
import type { TrainingBatch } from '@rcnn/optim';
import type { TrainConfig } from '../config/options.ts';
import type { RunFolder } from '../files/folder.ts';
import { jsonListChunks } from '../files/json-list.ts';
import { Metrics } from '../files/metrics.ts';
import type { ModelEvaluation } from '../loop/evaluate.ts';
import type { Scores, StepReport } from '../loop/events.ts';
import type { RecordEntry, TrainerHooks } from '../loop/trainer.ts';
import { drawBatch, drawExamples, drawReport, type Legend, legendOf } from '../report/pictures.ts';
import { writeReport } from '../report/write-report.ts';
import { EventWriter } from '../tensorboard/events.ts';
import type { TrainingData } from './data.ts';
import { imagesPerStep } from './plan.ts';

/** Longest time in seconds that a report may be old while training goes on. */
const REPORT_AGE = 60;

/** Batches that are drawn, from the first step of a run on. */
const DRAWN_BATCHES = 3;

export interface RecordedRun {
  readonly config: TrainConfig;
  readonly folder: RunFolder;
  readonly data: TrainingData;
  /** That train together. */
  readonly processes: number;
  /** What was said of the recipe before the run. */
  readonly warnings: readonly string[];
}

/** Writes down what happens: metrics, TensorBoard's events, pictures and the report. */
export class RunRecorder implements Required<Pick<TrainerHooks, 'record' | 'onBatches'>> {
  readonly #run: RecordedRun;
  readonly #metrics: Metrics;
  readonly #events: EventWriter;
  readonly #legend: Legend;
  readonly #begin = performance.now();
  #reported = Number.NEGATIVE_INFINITY;

  private constructor(run: RecordedRun, metrics: Metrics, events: EventWriter) {
    this.#run = run;
    this.#metrics = metrics;
    this.#events = events;
    this.#legend = legendOf(run.data.train);
  }

  /** @param step steps done; what the folder says of later ones is forgotten */
  static async open(run: RecordedRun, step: number): Promise<RunRecorder> {
    const { path } = run.folder;
    const metrics = await Metrics.open(path, step);
    return new RunRecorder(run, metrics, new EventWriter(path, { firstStep: step + 1 }));
  }

  /** Lines of the metrics that could not be read, and that are left out from now on. */
  get unreadMetrics(): number {
    return this.#metrics.unread;
  }

  readonly onBatches = async (step: number, batches: readonly TrainingBatch[]): Promise<void> => {
    if (step >= DRAWN_BATCHES) return;
    const name = `train_batch_${step}`;
    await drawBatch(this.#run.folder.picture(name), batches[0]!, this.#legend);
    this.#showPicture(step + 1, 'train/batch', name);
  };

  readonly record = (entry: RecordEntry): Promise<void> =>
    entry.kind === 'step' ? this.#recordStep(entry.report) : this.#recordEpoch(entry.epoch, entry.step, entry.scores);

  /** Keeps the numbers, predictions and examples of an evaluation. */
  async recordEvaluation(evaluation: ModelEvaluation, step: number): Promise<void> {
    const { record, predictions, examples } = evaluation;
    const { folder } = this.#run;
    const drawing = { ...this.#legend, scoreThreshold: evaluation.bestScore() };
    await atomicWrite(folder.analysis, JSON.stringify(evaluation.analysis(), null, 1));
    await atomicWrite(folder.evaluation, JSON.stringify(record, null, 1));
    await atomicWrite(folder.predictions, jsonListChunks(predictions));
    await drawExamples(folder.picture('validation'), examples, drawing);
    this.#showPicture(step, 'validation', 'validation');
    for (const [i, example] of examples.slice(0, 2).entries()) {
      await drawReport(folder.picture(`panels_${i}`), example, drawing);
    }
  }

  /** Writes the report as things stand. */
  async report(step: number): Promise<void> {
    const { config, folder, data, processes, warnings } = this.#run;
    const minutes = (performance.now() - this.#begin) / 60_000;
    const summary = [
      ['data', `${config.data}: ${data.train.length} training and ${data.val?.length ?? 0} validation images`],
      ['steps', `${step} of ${counted(imagesPerStep(config, processes), 'image')}`],
      ['time', `${minutes.toFixed(1)} minutes since the run was started or resumed`],
      ['folder', folder.path],
    ] as const;
    await writeReport(folder, { title: `${config.arch} on ${data.train.name}`, summary, warnings });
    this.#reported = performance.now();
  }

  close(): void {
    this.#events.close();
  }

  async #recordStep(report: StepReport): Promise<void> {
    const { step, epoch, losses, loss, gradientNorm, learningRate, dataTime, stepTime, memory, tensors } = report;
    const numbers = { loss, ...losses, learningRate, gradientNorm, dataTime, stepTime, memory, tensors };
    await this.#metrics.add({ kind: 'step', step, epoch, ...numbers });
    this.#events.scalars(step, {
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

  async #recordEpoch(epoch: number, step: number, scores: Scores): Promise<void> {
    await this.#metrics.add({ kind: 'epoch', step, epoch, ...scores });
    this.#events.scalars(step, Object.fromEntries(Object.entries(scores).filter(([, value]) => value !== -1)));
    if (performance.now() - this.#reported > REPORT_AGE * 1000) await this.report(step);
  }

  /** The picture in TensorBoard too. */
  #showPicture(step: number, tag: string, name: string): void {
    this.#events.image(step, tag, readFileSync(this.#run.folder.picture(name)));
  }
}
