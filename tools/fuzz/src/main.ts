import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type Failure, fileOf, type Tally } from './campaign.ts';
import { runOnce } from './judge.ts';
import { shrunk } from './shrink.ts';
import type { Target } from './target.ts';
import { targets } from './targets/index.ts';
import type { Task } from './worker.ts';

// By hand: npm run fuzz -- --runs 1000000 --seed 7 --only rle,coco
// --runs is for each parser, unless --spread shares them out as the tests do. What fails lies in failures/, made small.
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    spread: { type: 'boolean', default: false },
    out: { type: 'string', default: 'failures' },
  },
});

/** Seconds after which a file of a few kilobytes counts as a hang. */
const PATIENCE = 5;

/** Runs of one task; what hangs or ends the thread costs no more. */
const TASK = 200_000;

/** The thread that does the tasks one after another: reading all parsers takes it longer than thousands of runs. */
let thread: Worker | undefined;
const startThread = (): Worker => new Worker(new URL('worker-start.mjs', import.meta.url));

const only = values.only?.split(',');
const chosen = targets.filter(({ name }) => only === undefined || only.includes(name));
const unknown = only?.filter((name) => !targets.some((target) => target.name === name)) ?? [];
if (unknown.length > 0 || chosen.length === 0) {
  console.error(`no parser ${unknown.join(', ')}; there are ${targets.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const shares = chosen.reduce((sum, { share }) => sum + share, 0);
let failed = 0;
let all = 0;
for (const target of chosen) {
  const runs = values.spread ? Math.ceil((Number(values.runs) * target.share) / shares) : Number(values.runs);
  const begin = performance.now();
  const tally = await runAll(target, Number(values.seed), Number(values.from), runs);
  const seconds = (performance.now() - begin) / 1000;
  const { read, refused, failures, hardest, hardestRun } = tally;
  console.log(
    `${target.name}: ${runs} runs, ${read} read, ${refused} refused, ${failures.length} failed; ` +
      `hardest ${(hardest / 1000).toFixed(0)} ms (run ${hardestRun}); ${Math.round(runs / seconds)} a second`,
  );
  for (const failure of distinct(failures)) await keep(target, failure);
  failed += failures.length;
  all += runs;
}
await thread?.terminate();
console.log(`${all} runs, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

async function runAll(target: Target, seed: number, first: number, runs: number): Promise<Tally> {
  const total: Tally = { read: 0, refused: 0, hardest: 0, hardestRun: first, failures: [] };
  for (let from = first; from < first + runs; ) {
    const { tally, next } = await runTask(target, seed, from, Math.min(TASK, first + runs - from));
    total.read += tally.read;
    total.refused += tally.refused;
    if (tally.hardest > total.hardest) {
      total.hardest = tally.hardest;
      total.hardestRun = tally.hardestRun;
    }
    total.failures.push(...tally.failures);
    from = next;
  }
  return total;
}

/** One task in the thread. A run that hangs, or takes the thread down, is a failure; the next task goes on behind it. */
async function runTask(
  target: Target,
  seed: number,
  from: number,
  runs: number,
): Promise<{ readonly tally: Tally; readonly next: number }> {
  const current = new Int32Array(new SharedArrayBuffer(4)).fill(from - 1);
  const task: Task = { target: target.name, seed, from, runs, current };
  const worker = (thread ??= startThread());
  const lost = (fault: string): { tally: Tally; next: number } => {
    const run = Math.max(from, Atomics.load(current, 0));
    const failures: Failure[] = [{ target: target.name, seed, run, fault, bytes: fileOf(target, seed, run) }];
    return { tally: { read: 0, refused: 0, hardest: 0, hardestRun: run, failures }, next: run + 1 };
  };
  let seen = from - 1;
  let since = performance.now();
  return new Promise((resolve, reject) => {
    worker.removeAllListeners();
    const watch = setInterval(() => {
      const run = Atomics.load(current, 0);
      if (run !== seen) {
        seen = run;
        since = performance.now();
      } else if (run >= from && performance.now() - since > PATIENCE * 1000) {
        clearInterval(watch);
        thread = undefined;
        void worker.terminate().then(() => resolve(lost(`no end in ${PATIENCE} s`)));
      }
    }, 200);
    const end = (answer: { tally: Tally; next: number }): void => {
      clearInterval(watch);
      resolve(answer);
    };
    worker.once('message', (tally: Tally) => end({ tally, next: from + runs }));
    worker.once('error', (error) => {
      thread = undefined;
      // Before its first run the thread itself is at fault, and no parser.
      if (Atomics.load(current, 0) < from) {
        clearInterval(watch);
        reject(error);
      } else end(lost(`the thread ended: ${error instanceof Error ? error.message : error}`));
    });
    worker.postMessage(task, []);
  });
}

/** One of each fault: the same line of code fails in a thousand files. */
function distinct(failures: readonly Failure[]): readonly Failure[] {
  const faultOf = ({ fault }: Failure): string => fault.replace(/\d+/g, '#').split('\n').slice(0, 3).join('\n');
  return [...new Map(failures.map((failure) => [faultOf(failure), failure])).values()];
}

/** Makes the file small, and writes it down. A hang cannot be asked again and again: it stays as it is. */
async function keep(target: Target, { run, seed, fault, bytes }: Failure): Promise<void> {
  const first = fault.split('\n')[0]!.replace(/\d+/g, '#');
  const holds = async (smaller: Uint8Array): Promise<boolean> =>
    (await runOnce(target, smaller)).fault?.split('\n')[0]!.replace(/\d+/g, '#') === first;
  const small = fault.startsWith('untyped') || fault.startsWith('raw') ? await shrunk(bytes, holds) : bytes;
  mkdirSync(values.out, { recursive: true });
  const file = join(values.out, `${target.name}-${seed}-${run}`);
  writeFileSync(file, small);
  console.log(
    `  run ${run}: ${fault}\n  ${file}: ${JSON.stringify(Buffer.from(small.subarray(0, 300)).toString('latin1'))}`,
  );
}
