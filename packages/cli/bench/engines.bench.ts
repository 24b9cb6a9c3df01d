/**
 * Every engine that is present, on the same work, in one run:
 *
 *   npm run bench -- engines [--engines a,b] [--threads N] [--only TEXT] [--rounds N] [--python PATH] [--clock wall|cpu] [--json FILE]
 *
 * The engines take turns, round by round, so that a busy moment of the machine meets all of them; medians are
 * reported. In its turn an engine does short work several times in a row, as a network would, and the mean counts. Convolutions and products in GFLOPS, the rest in milliseconds, and each as a ratio to `onnxruntime`.
 * `--clock cpu` counts the time of all threads instead: GFLOPS per core, steadier on a machine that others use.
 * For one core against one core, run it with `--threads 1` (wasm never has more in Node).
 */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { type EngineName, useEngine } from '@rcnn/core';
import { benchOptions, figure } from '@rcnn/shared/bench';
import { defaultThreads } from '@rcnn/tfjs-backend-onnxruntime';
import { BlockStack } from '@rcnn/tfjs-backend-onnxruntime/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { loaders } from '../src/engines/loaders.ts';
import { TorchPeer } from './engines/torch-peer.ts';
import {
  CONVOLUTIONS,
  convolutionWork,
  DEPTHWISE,
  depthwiseWork,
  GROUPED,
  groupedWork,
  OTHERS,
  type Pass,
  type Work,
} from './engines/work.ts';

const options = benchOptions({
  engines: { type: 'string', default: 'onnxruntime,tensorflow,wasm,cpu' },
  threads: { type: 'string', default: String(defaultThreads()) },
  only: { type: 'string', default: '' },
  rounds: { type: 'string', default: '7' },
  python: { type: 'string' },
  clock: { type: 'string', default: 'wall' },
  json: { type: 'string' },
});
const threads = Number(options.threads);
const rounds = Number(options.rounds);

interface Engine {
  readonly name: string;
  readonly trains: boolean;
}

interface Row {
  readonly group: string;
  readonly name: string;
  readonly operations: number | undefined;
  /** Median milliseconds by engine. */
  readonly ms: Record<string, number>;
}

/** A run that takes longer is not repeated. */
const LONG = 3000;

/** A turn of short work lasts about this long; a first run after another engine's would find cold caches and cores. */
const TURN = 60;

/** Passes of every convolution, in the order of a training step. */
const PASSES: readonly Pass[] = ['forward', 'input gradient', 'filter gradient'];

/** Milliseconds, of the wall or of all threads of this process. */
function clock(): number {
  if (options.clock !== 'cpu') return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

async function openEngines(): Promise<Engine[]> {
  const engines: Engine[] = [];
  for (const name of options.engines.split(',') as EngineName[]) {
    try {
      const { ability, version, device } = await useEngine(name, { threads, loaders });
      engines.push({ name, trains: ability === 'train' });
      say(`${name}: ${version}, ${device}, can ${ability}`);
    } catch (error) {
      say(`${name}: left out. ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }
  return engines;
}

/** Mean milliseconds of `repeats` runs. */
async function timeTurn(engine: Engine, work: Work, inputs: tf.Tensor[], repeats: number): Promise<number> {
  await tf.setBackend(engine.name);
  const start = clock();
  for (let i = 0; i < repeats; i++) {
    const result = tf.tidy(() => work.run(inputs));
    if (engine.name === 'webgpu') await result.data();
    result.dispose();
  }
  return (clock() - start) / repeats;
}

interface Runner {
  readonly name: string;
  /** Mean milliseconds of so many runs; undefined for work that it does not know. */
  turn(repeats: number): Promise<number | undefined>;
}

/** Median milliseconds by name of the runner. */
async function takeTurns(runners: readonly Runner[]): Promise<Record<string, number>> {
  const samples = new Map<Runner, { repeats: number; times: number[] }>();
  for (const runner of runners) {
    const cold = await runner.turn(1);
    if (cold === undefined) continue;
    const long = cold > LONG;
    const warm = long ? cold : (await runner.turn(1))!;
    const repeats = Math.max(1, Math.round(TURN / Math.max(warm, 1)));
    samples.set(runner, { repeats, times: long ? [cold] : [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const [runner, { repeats, times }] of samples) {
      if (!(times[0]! > LONG)) times.push((await runner.turn(repeats))!);
    }
  }
  return Object.fromEntries([...samples].map(([{ name }, { times }]) => [name, median(times)]));
}

async function measure(work: Work, engines: readonly Engine[], torch: TorchPeer | undefined): Promise<Row> {
  const able = engines.filter(
    ({ name, trains }) => (trains || work.needs === 'predict') && !(work.long && name === 'cpu'),
  );
  const runners: Runner[] = [];
  const inputs: tf.Tensor[] = [];
  for (const engine of able) {
    await tf.setBackend(engine.name);
    const own = work.inputs();
    inputs.push(...own);
    runners.push({ name: engine.name, turn: (repeats) => timeTurn(engine, work, own, repeats) });
  }
  if (torch && work.peer) runners.push({ name: 'torch', turn: (repeats) => torch.time(work.peer!, repeats) });
  const ms = await takeTurns(runners);
  tf.dispose(inputs);
  return { group: work.group, name: work.name, operations: work.operations, ms };
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!;

/** One step of a stack of ResNet-18 blocks on one 28x28 map of 64 channels: small enough for the `cpu` backend. */
async function measureStep(engines: readonly Engine[]): Promise<Row> {
  const stages = [64, 64, 128, 128].map((channels, i) => ({ channels, stride: i === 2 ? 2 : 1 }));
  const ms: Record<string, number> = {};
  for (const { name } of engines.filter(({ trains }) => trains)) {
    await tf.setBackend(name);
    const network = new BlockStack(64, stages, 10);
    const images = tf.randomUniform<tf.Rank.R4>([1, 28, 28, 64], -1, 1, 'float32', 1);
    const labels = tf.tensor2d([[1, ...new Array<number>(9).fill(0)]]);
    const times: number[] = [];
    const repeats = name === 'cpu' ? 1 : 2 + 3 * rounds; // two to warm up
    for (let i = 0; i < repeats; i++) {
      const start = clock();
      network.step(images, labels, 0.01);
      times.push(clock() - start);
    }
    ms[name] = median(times.slice(repeats > 2 ? 2 : 0));
    network.dispose();
    tf.dispose([images, labels]);
  }
  return { group: 'training step', name: 'four ResNet-18 blocks, one map 28x28x64', operations: undefined, ms };
}

function print(rows: readonly Row[], names: readonly string[]): void {
  const groups = [...new Set(rows.map(({ group }) => group))];
  for (const group of groups) {
    const inGroup = rows.filter((row) => row.group === group);
    const unit = inGroup[0]!.operations === undefined ? 'ms' : 'GFLOPS';
    say(`\n| ${group} (${unit}; in brackets: speed relative to onnxruntime) | ${names.join(' | ')} |`);
    say(`|---|${names.map(() => '---:|').join('')}`);
    for (const row of inGroup) say(`| ${row.name} | ${names.map((name) => cell(row, name)).join(' | ')} |`);
  }
}

function cell({ ms, operations }: Row, name: string): string {
  const own = ms[name];
  if (own === undefined) return '–';
  const figure = operations === undefined ? own.toFixed(own < 10 ? 2 : 0) : (operations / own / 1e6).toFixed(0);
  const ratio =
    ms['onnxruntime'] === undefined || name === 'onnxruntime' ? '' : ` (${(ms['onnxruntime'] / own).toPrecision(2)})`;
  return figure + ratio;
}

/** Means over the shapes of a pass, and each engine's speed: what a README has room for. */
function summarize(rows: readonly Row[]): void {
  for (const group of new Set(rows.filter(({ operations }) => operations !== undefined).map(({ group }) => group))) {
    const inGroup = rows.filter((row) => row.group === group);
    const seen = (name: string) => {
      const speeds = inGroup.flatMap(({ ms, operations }) =>
        ms[name] === undefined ? [] : [operations! / ms[name] / 1e6],
      );
      if (speeds.length < inGroup.length) return undefined;
      const value = Math.exp(speeds.reduce((sum, speed) => sum + Math.log(speed), 0) / speeds.length);
      return { says: `${value.toFixed(0)} GFLOPS`, value, unit: 'GFLOPS' } as const;
    };
    const ours = seen('onnxruntime');
    if (ours === undefined) continue;
    const peers = Object.keys(inGroup[0]!.ms).flatMap((who) => {
      const theirs = who === 'onnxruntime' ? undefined : seen(who);
      return theirs === undefined ? [] : [{ who, ...theirs }];
    });
    figure({ work: `${group}, geometric mean of ${inGroup.length} shapes`, ours, peers });
  }
}

const load = loadavg();
say(
  `load average before: ${load.map((value) => value.toFixed(2)).join(' ')}; ${threads} threads; medians of ${rounds} rounds, ${options.clock} time`,
);
const engines = await openEngines();
const torch = options.python === undefined ? undefined : await TorchPeer.start(options.python, threads, options.clock);
if (torch) say(torch.version);
const small = DEPTHWISE.at(-1)!; // dense, too: what a depthwise layer is held against
const work = [
  ...PASSES.flatMap((pass) => [...CONVOLUTIONS, small].map((shape) => convolutionWork(shape, pass))),
  ...PASSES.flatMap((pass) => DEPTHWISE.map((shape) => depthwiseWork(shape, pass))),
  ...[false, true].flatMap((trains) => GROUPED.map((shape) => groupedWork(shape, trains))),
  ...OTHERS,
];
const rows: Row[] = [];
for (const item of work) {
  if (!`${item.group}: ${item.name}`.includes(options.only)) continue;
  rows.push(await measure(item, engines, torch));
  process.stderr.write('.');
}
if ('training step'.includes(options.only)) rows.push(await measureStep(engines));
process.stderr.write('\n');
torch?.stop();
print(rows, [...engines.map(({ name }) => name), ...(torch ? ['torch'] : [])]);
summarize(rows);
if (options.json !== undefined) {
  const report = {
    threads,
    rounds,
    clock: options.clock,
    node: process.version,
    loadBefore: load,
    torch: torch?.version,
    rows,
  };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
