/**
 * A thousand training steps of a small network on every engine that can train: no tensor may be gained, and the memory
 * of the process must stay flat within 5 % after warm-up.
 *
 *   npm run bench -- endurance [--engines a,b] [--steps 1000] [--warmup 500] [--json FILE] [--verbose]
 *
 * Each engine has a process of its own. Warm-up is 500 steps by default: until then pools, sessions and shaders of every
 * size are there and V8 has compiled what is hot. Memory is read after a full collection, because V8 collects its old
 * space when it likes, and a small network makes little garbage there; the highest reading without one is shown beside
 * it. The young generation has its full size from the start, else its one growth (32 MiB) comes at a step of V8's choice.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { benchOptions } from '@rcnn/shared/bench';
import type { Ending, Sample } from './endurance/sample.ts';

const options = benchOptions({
  engines: { type: 'string', default: 'onnxruntime,tensorflow,webgpu,cpu' },
  steps: { type: 'string', default: '1000' },
  warmup: { type: 'string', default: '500' },
  json: { type: 'string' },
  verbose: { type: 'boolean', default: false },
});

/** Growth after warm-up that passes. */
const FLAT = 0.05;

interface Result {
  readonly engine: string;
  /** Why the engine could not be tried. */
  readonly missing?: string;
  readonly samples: readonly Sample[];
}

/** MiB of V8's young generation, per half: the largest that current versions choose by themselves. */
const YOUNG = 32;

function train(engine: string): Promise<Result> {
  const script = fileURLToPath(new URL('./endurance/train.ts', import.meta.url));
  const young = [`--min-semi-space-size=${YOUNG}`, `--max-semi-space-size=${YOUNG}`];
  const child = spawn(
    process.execPath,
    ['--expose-gc', ...young, '--import', 'tsx', script, engine, options.warmup, options.steps],
    { stdio: ['ignore', 'pipe', options.verbose ? 'inherit' : 'ignore'], env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' } }, // biome-ignore format: one line
  );
  const samples: Sample[] = [];
  let missing: string | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return; // tfjs-node greets on stdout
    const report = JSON.parse(line) as Sample | Ending;
    if ('missing' in report) missing = report.missing;
    else samples.push(report);
    if (options.verbose && !('missing' in report)) process.stderr.write(`${engine} ${line}\n`);
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      if (code !== 0) missing ??= `ended by ${signal ?? `exit code ${code}`} after ${samples.at(-1)?.step ?? 0} steps`;
      resolve({ engine, samples, ...(missing !== undefined && { missing }) });
    });
  });
}

/** Least squares: MiB per thousand steps. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number) => samples.reduce((sum, s) => sum + of(s), 0) / samples.length;
  const [step, held] = [mean((s) => s.step), mean((s) => s.held)];
  const above = samples.reduce((sum, s) => sum + (s.step - step) * (s.held - held), 0);
  const below = samples.reduce((sum, s) => sum + (s.step - step) ** 2, 0);
  return (above / below / 2 ** 20) * 1000;
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

/** Prints one row; whether the engine kept its memory flat. */
function report({ engine, missing, samples }: Result): boolean {
  if (missing !== undefined) {
    console.log(`| ${engine} | – | ${missing} |`);
    return samples.length === 0; // an engine that is not there is no failure; one that died is
  }
  const [warm, end] = [samples[0]!, samples.at(-1)!];
  const gained = end.tensors - warm.tensors;
  const growth = end.held / warm.held - 1;
  const highest = Math.max(...samples.map(({ asItWas }) => asItWas));
  const cells = [
    engine,
    end.step - warm.step,
    gained,
    mib(warm.held),
    mib(end.held),
    `${growth >= 0 ? '+' : ''}${(100 * growth).toFixed(1)} %`,
    slope(samples).toFixed(1),
    mib(highest),
    end.seconds.toFixed(0),
  ];
  console.log(`| ${cells.join(' | ')} |`);
  return gained === 0 && growth <= FLAT;
}

console.log(`Node ${process.version}; warm-up of ${options.warmup} steps; resident memory in MiB`);
const titles = ['engine', 'steps', 'tensors gained', 'after warm-up', 'at the end', 'growth', 'slope per 1,000 steps', 'highest, uncollected', 'seconds']; // biome-ignore format: one line
console.log(`| ${titles.join(' | ')} |\n|---${'|---:'.repeat(titles.length - 1)}|`);
const results: Result[] = [];
let flat = true;
for (const engine of options.engines.split(',')) {
  const result = await train(engine);
  results.push(result);
  flat = report(result) && flat;
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
process.exitCode = flat ? 0 : 1;
