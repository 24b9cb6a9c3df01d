/**
 * A training beside torchvision's own Mask R-CNN R50-FPN: the same body and first weights, pictures, order, flips, sizes,
 * rates and updates; each with its own losses and samplers. Then each one's checkpoint in the other's program.
 *
 *   npm run bench -- learn --data FOLDER --weights-backbone FILE --python PATH [--preset balloon] [--config FILE]
 *     [--steps N] [--seed S] [--engine NAME] [--threads 2] [--out runs/learn] [--only ours|peer|table]
 *
 * PATH is a Python with torch, torchvision and pycocotools. Everything is kept in the folder: called again, it goes on
 * with what is unfinished, whichever half that is. Writes comparison.md, comparison.json and comparison.svg there.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { loadStateDict } from '@rcnn/checkpoint';
import { loadCheckpoint } from '@rcnn/checkpoint/node';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { benchOptions, machine } from '@rcnn/shared/bench';
import { dryRun, evaluateModel, type PartialConfig, parseConfig, readMetrics } from '@rcnn/train';
import { stringify } from 'yaml';
import { loaders } from '../src/engines/loaders.ts';
import { drawChart } from './learn/chart.ts';
import { distance, medianStepTime, scoresOf, smoothedLoss, WINDOW } from './learn/compare.ts';
import { type Task, writeTask } from './learn/task.ts';
import { runWatched, type Usage } from './learn/usage.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PROGRAM = here('../bin/mask-rcnn.js');
const PEER = here('../../../tools/reference/train_peer.py');

interface Options {
  readonly data: string;
  readonly weightsBackbone: string;
  readonly python: string | undefined;
  readonly config: string | undefined;
  readonly preset: string;
  readonly steps: number | undefined;
  readonly seed: number;
  readonly engine: string;
  readonly threads: number;
  readonly out: string;
  readonly only: string | undefined;
}

function readOptions(): Options {
  const text = { type: 'string' } as const;
  const known = { data: text, 'weights-backbone': text, python: text, config: text, preset: text, steps: text, seed: text, engine: text, threads: text, out: text, only: text }; // biome-ignore format: one line
  const values = benchOptions(known);
  const needed = (name: 'data' | 'weights-backbone'): string => {
    if (values[name] !== undefined) return values[name];
    throw new RcnnError('INVALID_ARGUMENT', { where: 'bench learn', place: `--${name}`, problem: 'it is needed' });
  };
  const whole = (name: 'steps' | 'seed' | 'threads', least: number): number | undefined => {
    const given = values[name];
    if (given === undefined) return undefined;
    if (/^\d+$/.test(given) && Number(given) >= least) return Number(given);
    const expected = `a whole number from ${least}`;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'bench learn',
      place: `--${name}`,
      problem: 'it is no such number',
      found: given,
      expected,
    });
  };
  if (values.only !== undefined && !['ours', 'peer', 'table'].includes(values.only)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'bench learn',
      place: '--only',
      problem: 'there is no such part',
      found: values.only,
      expected: 'ours, peer or table',
    });
  }
  return {
    data: needed('data'),
    weightsBackbone: needed('weights-backbone'),
    python: values.python,
    config: values.config,
    preset: values.preset ?? 'balloon',
    steps: whole('steps', 1),
    seed: whole('seed', 0) ?? 0,
    engine: values.engine ?? 'auto',
    threads: whole('threads', 1) ?? 2,
    out: values.out ?? join('runs', 'learn'),
    only: values.only,
  };
}

function configOf({ data, weightsBackbone, config, preset, steps, seed, engine, threads }: Options): PartialConfig {
  const file = config === undefined ? {} : parseConfig(readFileSync(config, 'utf8'), config);
  return { preset, ...file, data, weightsBackbone, seed, engine, threads, ...(steps !== undefined && { steps }) };
}

/** The task of the folder, made when it has none. @throws CONFIG_INVALID when it has another one */
async function taskOf(options: Options): Promise<Task> {
  const file = join(options.out, 'task.json');
  if (!existsSync(file)) return writeTask(options.out, configOf(options), options.threads);
  const task = JSON.parse(readFileSync(file, 'utf8')) as Task;
  const run = await dryRun(configOf(options), { loaders });
  await run.close();
  const [before, now] = [task.recipe, run.config].map((recipe) => ({ ...recipe, engine: '', threads: 0 }));
  const changed = Object.keys({ ...before, ...now }).filter((name) => !sameOption(before!, now!, name));
  if (changed.length === 0) return task;
  throw new RcnnError('CONFIG_INVALID', {
    where: options.out,
    problem: 'the folder has a comparison by another recipe',
    found: `other values of ${changed.join(', ')}`,
    hint: 'Name another folder with --out, or repeat the options of then.',
  });
}

function sameOption(a: object, b: object, name: string): boolean {
  // As both would be read from a file: without what is undefined, in whatever order the names stand.
  const [left, right] = [a, b].map((recipe) => JSON.parse(JSON.stringify({ ...recipe })) as Record<string, unknown>);
  return isDeepStrictEqual(left![name], right![name]);
}

/** What both halves took of the machine, over all calls. */
type Usages = Partial<Record<'ours' | 'peer', Usage>>;

function addUsage(folder: string, half: 'ours' | 'peer', usage: Usage): void {
  const file = join(folder, 'usage.json');
  const usages = readUsages(folder);
  const before = usages[half];
  const sum = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : a + b); // biome-ignore format: one line
  usages[half] = {
    seconds: usage.seconds + (before?.seconds ?? 0),
    cpuSeconds: before === undefined ? usage.cpuSeconds : sum(before.cpuSeconds, usage.cpuSeconds),
    peakBytes: Math.max(usage.peakBytes ?? 0, before?.peakBytes ?? 0) || undefined,
  };
  writeFileSync(file, JSON.stringify(usages, null, 1));
}

function readUsages(folder: string): Usages {
  const file = join(folder, 'usage.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Usages) : {};
}

const metricsOf = (folder: string, half: string) => readMetrics(join(folder, half, 'metrics.jsonl'));

function isFinished(folder: string, half: 'ours' | 'peer', { steps }: Task): boolean {
  if (half === 'peer' && !existsSync(join(folder, 'peer', 'model.pth'))) return false; // its last act
  return metricsOf(folder, half).some(({ kind, step }) => kind === 'epoch' && step === steps.length);
}

async function runOurs({ out, engine }: Options, task: Task): Promise<void> {
  const folder = join(out, 'ours');
  const recipe = join(out, 'recipe.yaml');
  const begun = existsSync(join(folder, 'checkpoints', 'last.safetensors'));
  if (!begun) writeFileSync(recipe, stringify({ ...task.recipe, out, name: 'ours' }));
  const how = begun ? ['--resume', folder] : ['--config', recipe];
  const { output: ignored, ...usage } = await runWatched(process.execPath, [PROGRAM, 'train', ...how, '--engine', engine, '--progress', 'plain']); // biome-ignore format: one line
  void ignored;
  addUsage(out, 'ours', usage);
}

async function runPeer({ out, python, threads }: Options): Promise<void> {
  const env = { OMP_NUM_THREADS: String(threads) };
  const { output: ignored, ...usage } = await runWatched(needPython(python), [PEER, 'train', out], env);
  void ignored;
  addUsage(out, 'peer', usage);
}

function needPython(python: string | undefined): string {
  if (python !== undefined) return python;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'bench learn',
    place: '--python',
    problem: 'it is needed to run torchvision',
    expected: 'a Python with torch, torchvision and pycocotools',
  });
}

/** AP of each one's weights in both programs. */
type Exchange = Record<'oursInTorchvision' | 'peerInOurs', Readonly<Record<string, number>>>;

/** Each checkpoint in the other's program; asked for once. */
async function exchange(options: Options): Promise<Exchange> {
  const file = join(options.out, 'exchange.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Exchange;
  const ours = join(options.out, 'ours', 'checkpoints', 'last.safetensors');
  const { output } = await runWatched(needPython(options.python), [PEER, 'evaluate', options.out, ours]);
  const result: Exchange = {
    oursInTorchvision: JSON.parse(output.trim().split('\n').at(-1)!) as Record<string, number>,
    peerInOurs: await evaluateHere(options, join(options.out, 'peer', 'model.pth')),
  };
  writeFileSync(file, JSON.stringify(result, null, 1));
  return result;
}

async function evaluateHere(options: Options, weights: string): Promise<Record<string, number>> {
  const { data, model, close } = await dryRun(configOf(options), { loaders });
  const checkpoint = await loadCheckpoint(weights);
  try {
    await loadStateDict(model, checkpoint.weights);
    return { ...(await evaluateModel(model, data.val!, { losses: false })).scores };
  } finally {
    await checkpoint.close();
    await close();
  }
}

const KINDS = ['segm/AP', 'segm/AP50', 'bbox/AP', 'bbox/AP50'] as const;
const figure = (value: number | undefined, digits = 4): string =>
  value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits);

function writeComparison(out: string, task: Task, exchanged: Exchange | undefined): void {
  const lines = { ours: metricsOf(out, 'ours'), peer: metricsOf(out, 'peer') };
  const usages = readUsages(out);
  const apart = distance(lines.ours, lines.peer);
  const halves = ['ours', 'peer'] as const;
  const last = (half: 'ours' | 'peer', name: string): number | undefined => scoresOf(lines[half], name).at(-1)?.[1];
  const table: string[][] = [
    ['steps taken', ...halves.map((half) => String(lines[half].filter(({ kind }) => kind === 'step').length))],
    ...KINDS.map((name) => [`${name} at the end`, ...halves.map((half) => figure(last(half, name)))]),
    ['seconds per step, median', ...halves.map((half) => figure(medianStepTime(lines[half]), 2))],
    [
      'processor seconds in all',
      ...halves.map((half) => usages[half]?.cpuSeconds?.toFixed(0) ?? '–'),
    ],
    [
      'peak memory, GiB',
      ...halves.map((half) => (usages[half]?.peakBytes === undefined ? '–' : (usages[half].peakBytes / 2 ** 30).toFixed(2))),
    ],
    ...(exchanged === undefined
      ? []
      : KINDS.map((name) => [
          `${name} of these weights in the other program`,
          figure(exchanged.oursInTorchvision[name]),
          figure(exchanged.peerInOurs[name]),
        ])),
  ]; // biome-ignore format: rows of a table
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const curves =
    apart === undefined
      ? 'Too few steps for running means of the loss.'
      : `Running means of the total loss over ${WINDOW} steps, from step ${WINDOW} to ${apart.upTo}: ${percent(apart.mean)} apart in the mean, ${percent(apart.largest)} at most, ${percent(apart.last)} at the last one.`;
  const where = machine();
  const text = [
    `# ${task.recipe.data}, seed ${task.seed}: ours beside torchvision`,
    '',
    where,
    '',
    '| | ours | torchvision |',
    '|---|---:|---:|',
    ...table.map((row) => `| ${row.join(' | ')} |`),
    '',
    curves,
    '',
    '![losses and AP by step](comparison.svg)',
    '',
  ].join('\n');
  writeFileSync(join(out, 'comparison.md'), text);
  const record = { machine: where, recipe: task.recipe, usages, apart, exchanged, scores: Object.fromEntries(halves.map((half) => [half, Object.fromEntries(KINDS.map((name) => [name, scoresOf(lines[half], name)]))])) }; // biome-ignore format: one line
  writeFileSync(join(out, 'comparison.json'), `${JSON.stringify(record, null, 1)}\n`);
  const named = (of: (half: 'ours' | 'peer') => ReturnType<typeof scoresOf>) => [
    { name: 'ours', points: of('ours') },
    { name: 'torchvision', points: of('peer') },
  ];
  const panels = [
    { title: `Total loss, mean of ${WINDOW} steps`, curves: named((half) => smoothedLoss(lines[half])) },
    { title: 'AP of masks on the validation images', curves: named((half) => scoresOf(lines[half], 'segm/AP')) },
  ];
  writeFileSync(join(out, 'comparison.svg'), drawChart('Ours and torchvision: losses and AP by step', panels));
  console.log(text);
}

async function main(): Promise<void> {
  const options = readOptions();
  const { only, out } = options;
  if (only !== 'ours' && only !== 'table') needPython(options.python);
  const task = await taskOf(options);
  if ((only ?? 'ours') === 'ours' && !isFinished(out, 'ours', task)) await runOurs(options, task);
  if ((only ?? 'peer') === 'peer' && !isFinished(out, 'peer', task)) await runPeer(options);
  const both = isFinished(out, 'ours', task) && isFinished(out, 'peer', task);
  writeComparison(out, task, both && options.python !== undefined ? await exchange(options) : undefined);
}

try {
  await main();
} catch (error) {
  const mistaken = isRcnnError(error) || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  if (!mistaken) throw error;
  console.error((error as Error).message);
  process.exitCode = 2;
}
