// One update of 6.2 million weights in 62 tensors, in one pass and by the engine's operations, in turns; beside PyTorch's
// own optimizers with --python, a Python that has torch.
//   npm run bench -- optim [--rounds 11] [--python PATH]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Parameter, useEngine } from '@rcnn/core';
import { benchOptions } from '@rcnn/shared/bench';
import * as tf from '@tensorflow/tfjs-core';
import { AdamW, type Optimizer, SGD, WeightAverage } from '../src/index.ts';

const TENSORS = 62;
const SIZE = 100_000;

const values = benchOptions({ rounds: { type: 'string', default: '11' }, python: { type: 'string' } });
const rounds = Number(values.rounds);

await useEngine('onnxruntime');
const names = Array.from({ length: TENSORS }, (_, i) => `weight${i}`);
const gradients = new Map(names.map((name, i) => [name, tf.randomNormal([SIZE], 0, 1, 'float32', i) as tf.Tensor]));
const settingsOf = () => ({ learningRate: 1e-3, weightDecay: 1e-2 });

const updates: Record<string, () => void> = {};
for (const onHost of [true, false]) {
  const how = onHost ? 'one pass' : 'operations';
  updates[`sgd, ${how}`] = stepsOf((parameters) => new SGD(parameters, { onHost }));
  updates[`adamw, ${how}`] = stepsOf((parameters) => new AdamW(parameters, { onHost }));
}
const average = new WeightAverage(makeParameters());
updates['average, one pass'] = () => average.update();

const times: Record<string, number[]> = Object.fromEntries(Object.keys(updates).map((name) => [name, []]));
for (let round = -2; round < rounds; round++) {
  for (const [name, update] of Object.entries(updates)) {
    const start = performance.now();
    update();
    if (round >= 0) times[name]!.push(performance.now() - start);
  }
}
if (values.python !== undefined) Object.assign(times, timesOfTorch(values.python));

console.log(`${TENSORS * SIZE} weights, ${rounds} rounds: median (least) in milliseconds`);
for (const [name, list] of Object.entries(times)) {
  console.log(`${name.padEnd(24)}${median(list).toFixed(1).padStart(8)} (${Math.min(...list).toFixed(1)})`);
}

function makeParameters(): Map<string, Parameter> {
  return new Map(names.map((name, i) => [name, new Parameter(tf.randomNormal([SIZE], 0, 1, 'float32', 100 + i))]));
}

function stepsOf(make: (parameters: ReadonlyMap<string, Parameter>) => Optimizer): () => void {
  const optimizer = make(makeParameters());
  return () => optimizer.update({ gradients, gradientScale: 0.5, settingsOf });
}

function timesOfTorch(python: string): Record<string, number[]> {
  const script = fileURLToPath(new URL('../../../tools/reference/time_optimizers.py', import.meta.url));
  const arguments_ = [script, String(TENSORS), String(SIZE), String(rounds)];
  const { status, stdout, stderr } = spawnSync(python, arguments_, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${python} ended with status ${status}:\n${stderr}`);
  return JSON.parse(stdout) as Record<string, number[]>;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
