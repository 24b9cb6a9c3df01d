import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { makeFolderSync, readTextSync } from '@rcnn/files';
import { lockHolder, type MetricsLine, parseConfig, RunFolder, readMetrics } from '@rcnn/train';
import type { RunState, StartRun, StudioRun } from '../api.ts';
import type { Program } from '../program.ts';
import { beginTraining } from './training-command.ts';

export interface RunsOptions {
  /** The folder of all runs. */
  readonly folder: string;
  readonly program: Program;
  /** The dataset that trainings learn from. */
  readonly data: string;
  /** Whether trainings may not use the network. */
  readonly offline?: boolean | undefined;
}

/** Where a training begins: nothing, a run, or weights by name or file. */
export interface Beginning {
  readonly weights?: string | undefined;
  readonly arch?: string | undefined;
  /** A body that knows photographs, below heads that begin with nothing. */
  readonly weightsBackbone?: string | undefined;
}

/** Lines of a log that the page shows. */
const LOG_LINES = 40;

/** What a training is to learn from. */
export interface Lesson {
  /** Named where the dataset has several, so that those pictures are learned from that were counted. */
  readonly split?: string | undefined;
  /** How many of its pictures have an object. */
  readonly pictures: number;
}

/** Steps between two measurements: with a few pictures an epoch is over before anything has changed. */
const MEASURE_EVERY = 25;

/** A name that is a folder below the runs and nothing else. */
const NAME = /^[A-Za-z0-9][\w.-]{0,99}$/;

/**
 * The trainings of a folder, as their files tell of them: begun here or by the command, running or ended. Nothing about
 * them is kept in memory that is not on the disk, but for processes that have not made their folder yet.
 */
export class Runs {
  readonly folder: string;
  readonly #options: RunsOptions;
  /** Begun by this studio and not ended. */
  readonly #children = new Map<string, ChildProcess>();
  /** Asked to stop. */
  readonly #stopping = new Set<string>();

  constructor(options: RunsOptions) {
    this.folder = options.folder;
    this.#options = options;
  }

  /** Newest first. */
  list(): readonly StudioRun[] {
    if (!existsSync(this.folder)) return [];
    const names = readdirSync(this.folder, { withFileTypes: true })
      .filter((entry) => NAME.test(entry.name))
      .flatMap((entry) => {
        if (entry.isDirectory()) return existsSync(join(this.folder, entry.name, 'config.yaml')) ? [entry.name] : [];
        return entry.name.endsWith('.log') ? [entry.name.slice(0, -4)] : [];
      });
    const runs = [...new Set(names)].map((name) => this.get(name));
    return runs.toSorted((a, b) => b.changed - a.changed);
  }

  /** @throws INVALID_ARGUMENT, FILE_MISSING */
  get(name: string): StudioRun {
    const run = this.#folderOf(name);
    const log = this.#logOf(name);
    const begun = existsSync(run.config);
    if (!begun && log.length === 0)
      throw new RcnnError('FILE_MISSING', { where: quoteName(name), problem: 'there is no such run' });
    const metrics = this.metrics(name);
    const steps = metrics.filter(({ kind }) => kind === 'step');
    const last = steps.at(-1);
    const { arch, steps: totalSteps } = begun ? configOf(run.config) : {};
    return {
      name,
      state: this.#stateOf(name, run, begun, log),
      changed: Math.max(...[this.#logFile(name), run.config, join(run.path, 'metrics.jsonl')].map(timeOf)),
      arch,
      steps: last?.step ?? 0,
      totalSteps,
      loss: typeof last?.['loss'] === 'number' ? last['loss'] : undefined,
      scores: scoresOf(metrics),
      canResume: begun && run.canResume,
      hasWeights: existsSync(run.last) || existsSync(run.best),
      hasReport: existsSync(run.report),
      pictures: picturesIn(join(run.path, 'pictures')),
      log: log.slice(-LOG_LINES),
      command: log.findLast((line) => line.startsWith('$ '))?.slice(2),
    };
  }

  #stateOf(name: string, run: RunFolder, begun: boolean, log: readonly string[]): RunState {
    const isRunning = this.#children.has(name) || (begun && lockHolder(run.lock) !== undefined);
    if (isRunning) return this.#stopping.has(name) ? 'stopping' : begun ? 'running' : 'starting';
    const since = log.slice(log.findLastIndex((line) => line.startsWith('$ ')));
    return since.some((line) => /^error\b/.test(line)) || !begun ? 'failed' : 'ended';
  }

  metrics(name: string): readonly MetricsLine[] {
    return readMetrics(join(this.#folderOf(name).path, 'metrics.jsonl'));
  }

  /** The path of a picture of a run. @throws FILE_MISSING */
  picture(name: string, file: string): string {
    const folder = join(this.#folderOf(name).path, 'pictures');
    if (picturesIn(folder).some((picture) => picture.name === file)) return join(folder, file);
    throw new RcnnError('FILE_MISSING', { where: quoteName(file), problem: 'there is no such picture' });
  }

  /** The folder of a run. @throws INVALID_ARGUMENT for a name that leads elsewhere */
  folderOf(name: string): RunFolder {
    return this.#folderOf(name);
  }

  /**
   * Begins a training.
   * @throws INVALID_ARGUMENT, FILE_EXISTS
   */
  start({ name, steps, batchSize, learningRate }: StartRun, beginning: Beginning, lesson: Lesson): StudioRun {
    const run = this.#folderOf(name);
    if (existsSync(run.path) || existsSync(this.#logFile(name))) {
      throw new RcnnError('FILE_EXISTS', {
        where: quoteName(name),
        problem: 'there is a run of this name',
        hint: 'Choose another name, or resume that one.',
      });
    }
    makeFolderSync(this.folder);
    const perEpoch = Math.max(1, Math.floor(lesson.pictures / batchSize));
    const args = [
      'train',
      this.#options.data,
      ...(lesson.split === undefined ? [] : ['--split', lesson.split]),
      ...recipeOf(beginning),
      '--steps',
      String(steps),
      '--batch-size',
      String(batchSize),
      // The presets' own lengths of warm-up would outlast a short training.
      '--warmup-steps',
      String(Math.min(50, Math.floor(steps / 10))),
      ...(learningRate === undefined ? [] : ['--learning-rate', String(learningRate)]),
      '--evaluate-every',
      String(Math.max(1, Math.ceil(MEASURE_EVERY / perEpoch))),
      '--out',
      this.folder,
      '--name',
      name,
      '--progress',
      'plain',
    ];
    return this.#begin(name, args);
  }

  /** Goes on with a run, up to `steps` where they are more than it was begun with. @throws FILE_MISSING, LOCKED */
  resume(name: string, steps?: number): StudioRun {
    const run = this.#folderOf(name);
    const { state, canResume } = this.get(name);
    if (state === 'running' || state === 'starting' || state === 'stopping')
      throw new RcnnError('LOCKED', { where: quoteName(name), problem: 'the training is running' });
    if (!canResume) {
      throw new RcnnError('FILE_MISSING', {
        where: quoteName(name),
        problem: 'there is no state to go on from',
        expected: 'checkpoints/last.safetensors',
      });
    }
    const more = steps === undefined ? [] : ['--steps', String(steps)];
    return this.#begin(name, ['train', '--resume', run.path, ...more, '--progress', 'plain']);
  }

  #begin(name: string, args: readonly string[]): StudioRun {
    const { program, offline = false } = this.#options;
    const all = offline ? [...args, '--offline'] : args;
    const { child } = beginTraining(program, all, this.#logFile(name));
    this.#children.set(name, child);
    const end = (): void => {
      this.#children.delete(name);
      this.#stopping.delete(name);
    };
    child.once('exit', end);
    child.once('error', end);
    return this.get(name);
  }

  /** Asks a training to finish its step, save and leave. @throws INVALID_ARGUMENT when none runs */
  stop(name: string): StudioRun {
    const run = this.#folderOf(name);
    const child = this.#children.get(name);
    const holder = lockHolder(run.lock);
    const pid = child?.pid ?? (holder?.host === hostname() ? holder.pid : undefined);
    if (pid === undefined)
      throw new RcnnError('INVALID_ARGUMENT', { where: quoteName(name), problem: 'this training does not run here' });
    // A second signal would end it in the middle of a step.
    if (!this.#stopping.has(name)) process.kill(pid, 'SIGTERM');
    this.#stopping.add(name);
    return this.get(name);
  }

  /** Stops what this studio has begun, and waits until it is saved. */
  async stopAll(): Promise<readonly string[]> {
    const running = [...this.#children];
    await Promise.all(
      running.map(async ([name, child]) => {
        const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
        child.ref();
        this.stop(name);
        await ended;
      }),
    );
    return running.map(([name]) => name);
  }

  #folderOf(name: string): RunFolder {
    if (NAME.test(name)) return new RunFolder(join(this.folder, name));
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'run',
      problem: 'this cannot be the name of a run',
      found: quoteName(name),
      expected: 'letters, digits, points and dashes',
    });
  }

  #logFile(name: string): string {
    return join(this.folder, `${name}.log`);
  }

  #logOf(name: string): readonly string[] {
    const file = this.#logFile(name);
    return existsSync(file)
      ? readTextSync(file)
          .split('\n')
          .filter((line) => line !== '')
      : [];
  }
}

/** From nothing a small network, which learns in minutes; what knows photographs already, by the recipe for few of them. */
function recipeOf({ weights, arch, weightsBackbone }: Beginning): string[] {
  const isSmall = arch === undefined ? weights === undefined && weightsBackbone === undefined : arch.endsWith('_small');
  return [
    '--preset',
    isSmall ? 'quick' : 'few',
    ...(weights === undefined ? [] : ['--weights', weights]),
    ...(weightsBackbone === undefined ? [] : ['--weights-backbone', weightsBackbone]),
    ...(arch === undefined ? [] : ['--arch', arch]),
  ];
}

function timeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** What the page tells of a config; nothing of one that cannot be read. */
function configOf(file: string): { readonly arch?: string | undefined; readonly steps?: number | undefined } {
  try {
    const { arch, steps } = parseConfig(readFileSync(file, 'utf8'), file);
    return { arch, steps };
  } catch {
    return {};
  }
}

/** Of the last measurement. */
function scoresOf(metrics: readonly MetricsLine[]): Readonly<Record<string, number>> {
  const { kind: _, step: __, epoch: ___, ...scores } = metrics.findLast(({ kind }) => kind === 'epoch') ?? {};
  return scores as Readonly<Record<string, number>>;
}

function picturesIn(folder: string): StudioRun['pictures'] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^[\w-]+\.png$/.test(entry.name))
    .map(({ name }) => ({ name, changed: timeOf(join(folder, name)) }))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}
