// Single operations beside torchvision, on the same numbers, in turns, each in a process of its own:
//   npm run bench -- ops [--python PATH] [--runs 10] [--rounds 3]
// --python: a Python that has torch, torchvision and pycocotools.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { benchOptions, figure } from '@rcnn/shared/bench';
import type { OpResult } from './ops-work.ts';

type Results = Record<string, OpResult>;

const values = benchOptions({
  python: { type: 'string' },
  runs: { type: 'string', default: '10' },
  rounds: { type: 'string', default: '3' },
});

const rounds = Array.from({ length: Number(values.rounds) }, () => {
  const ours = measure(process.execPath, ['--expose-gc', '--import', 'tsx', here('ops-work.ts'), values.runs]);
  if (values.python === undefined) return { ours };
  return { ours, theirs: measure(values.python, [here('../../../tools/reference/time_ops.py'), values.runs]) };
});
console.log(`Median (least) of ${values.rounds} rounds of ${values.runs} runs, milliseconds`);
let before: { ours: number; theirs: number } | undefined;
for (const name of Object.keys(rounds[0]!.ours)) {
  const ours = rounds.flatMap((round) => round.ours[name]!.times);
  const theirs = rounds.flatMap((round) => round.theirs?.[name]!.times ?? []);
  console.log(row(name, ours, theirs, rounds[0]!.ours[name]!.check, rounds[0]!.theirs?.[name]!.check));
  const now = { ours: median(ours), theirs: median(theirs) };
  const seen = (value: number) => ({ says: `${value.toFixed(1)} ms`, value, unit: 'ms' }) as const;
  figure({
    work: name,
    ours: seen(now.ours),
    peers: theirs.length === 0 ? [] : [{ who: 'torchvision', ...seen(now.theirs) }],
  });
  // torch times its backward pass alone only through autograd too, so both are differences.
  if (name.endsWith('and backward')) {
    const label = name.replace('forward and backward', 'backward (difference)');
    console.log(row(label, [now.ours - before!.ours], theirs.length ? [now.theirs - before!.theirs] : []));
  }
  before = now;
}

function row(name: string, ours: number[], theirs: number[], check?: number, theirCheck?: number): string {
  const cell = (times: number[]): string =>
    `${median(times).toFixed(1)} (${Math.min(...times).toFixed(1)})`.padStart(16);
  const compared = theirs.length === 0 ? '' : `${cell(theirs)}  ${(median(theirs) / median(ours)).toFixed(1)}x`;
  // Which boxes survive can differ by a near tie; sums of many numbers differ in their last digits.
  const differs = theirCheck !== undefined && Math.abs(check! - theirCheck) > 1e-3 * Math.abs(theirCheck);
  return `${name.padEnd(52)}${cell(ours)}${compared}${differs ? `  DIFFERS: ${check} and ${theirCheck}` : ''}`;
}

function measure(program: string, args: readonly string[]): Results {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 24 });
  if (status !== 0) throw new Error(`${program} ended with status ${status}:\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Results;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function here(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}
