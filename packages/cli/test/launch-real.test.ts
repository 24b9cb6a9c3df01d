import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCheckpoint } from '@rcnn/checkpoint/node';
import { writeShapes } from '@rcnn/coco-data/node';
import { isRcnnError } from '@rcnn/core/errors';
import { loadTensorFlow } from '@rcnn/tfjs-tensorflow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mayOwnNetwork, OWN_NETWORK } from '../src/ranks/own-network.ts';

// The program itself on a real TensorFlow, in networks of their own.
const program = fileURLToPath(new URL('../bin/mask-rcnn.js', import.meta.url));
const missing = unavailable();

/** Kills of a random process at a random step. A release asks for 50. */
const KILLS = Number(process.env['RCNN_RANK_KILLS'] ?? 0);
/** Steps of the run that they disturb. */
const STEPS = 12;
/** Seconds within which all processes must have left. */
const LEAVE = 30;

function unavailable(): string | undefined {
  if (!mayOwnNetwork()) return 'no network of its own can be made here (unshare, ip)';
  try {
    loadTensorFlow();
    return undefined;
  } catch (error) {
    if (isRcnnError(error, 'ENGINE_MISSING')) return 'TensorFlow is not set up';
    throw error;
  }
}

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cli-launch-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 8, val: 1 }, size: [48, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const OPTIONS = [
  '--preset',
  'quick',
  '--batch-size',
  '1',
  '--warmup-steps',
  '1',
  '--workers',
  '0',
  '--save-every',
  '1',
];

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** @param onLine sees each line of output; may act */
function run(args: readonly string[], onLine?: (line: string) => void): Promise<Ended> {
  return ended([process.execPath, program, ...args], onLine);
}

function ended([first, ...args]: readonly string[], onLine: (line: string) => void = () => undefined): Promise<Ended> {
  const child = spawn(first!, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      text.split('\n').forEach(onLine);
    });
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

const together = (name: string, steps: number, ...more: string[]): string[] => {
  const named = ['--name', name, '--steps', String(steps), '--progress', 'plain', '--threads', '1', ...more];
  return ['launch', '-n', '2', 'train', 'data', ...OPTIONS, ...named];
};

/** The learned weights of a run, as they lie in its last state. */
async function weightsOf(name: string): Promise<Map<string, Buffer>> {
  const checkpoint = await loadCheckpoint(join(folder, 'runs', name, 'checkpoints', 'last.safetensors'));
  const weights = new Map<string, Buffer>();
  for (const [tensor, entry] of checkpoint.weights.tensors) {
    if (!/running_|num_batches/.test(tensor)) weights.set(tensor, Buffer.from((await entry.read()).slice()));
  }
  await checkpoint.close();
  return weights;
}

async function expectSameWeights(first: string, second: string): Promise<void> {
  const [one, other] = await Promise.all([weightsOf(first), weightsOf(second)]);
  const differing = [...one].filter(([name, bytes]) => other.get(name)?.equals(bytes) !== true);
  expect(differing.map(([name]) => name)).toEqual([]);
  expect(one.size).toBeGreaterThan(20);
}

describe.skipIf(missing !== undefined)('launch', { meta: { whySkipped: missing } }, () => {
  test('two processes are one that accumulates two batches, bit for bit', async () => {
    const two = await run(together('two', 3));
    expect(two.output).toContain('3 steps of 2 images, 1 in each of 2 processes');
    expect(two.code).toBe(0);
    const alone = ['train', 'data', ...OPTIONS, '--name', 'one', '--steps', '3', '--accumulate', '2'];
    expect((await run([...alone, '--engine', 'tensorflow', '--threads', '1'])).code).toBe(0);
    await expectSameWeights('two', 'one');
  });

  test('a process that is killed ends the other, and the run goes on to the same end', async () => {
    killAfterFirstSave(1, 'killed');
    const first = await run(together('killed', 3));
    expect(first.output).toContain('rank 1 is gone');
    expect(first.code).toBe(137);
    const again = await run(['launch', '-n', '2', 'train', '--resume', 'runs/killed', '--threads', '1']);
    expect(again.code).toBe(0);
    await expectSameWeights('killed', 'two');
  });

  test('with restarts it goes on by itself, to the same end', async () => {
    killAfterFirstSave(0, 'restarted');
    const [launching, ...rest] = together('restarted', 3);
    const { code, output } = await run([launching!, '--max-restarts', '1', ...rest]);
    expect(output).toMatch(/Exit code 137; restart 1 of 1, 2 processes, from the last save of runs\/restarted/);
    expect(code).toBe(0);
    await expectSameWeights('restarted', 'two');
  });

  test('a process that is started again joins the one that stayed, to the same end', async () => {
    killAfterFirstSave(1, 'joined');
    const options = [...OPTIONS, '--progress', 'plain', '--threads', '1'].join(' ');
    const rank = (index: number, words: string): string => {
      const place = { cluster: { worker: ['127.0.0.1:29500', '127.0.0.1:29501'] }, task: { type: 'worker', index } };
      return `TF_CONFIG='${JSON.stringify(place)}' LOCAL_RANK=${index} "${process.execPath}" "${program}" train ${words}`;
    };
    const stays = rank(0, `data ${options} --name joined --steps 3 --max-rejoins 1`);
    const [dies, comes] = [`data ${options} --name joined --steps 3`, '--resume runs/joined --threads 1'].map((words) => rank(1, words)); // biome-ignore format: one line
    const script = `${stays} & first=$!; ${dies}; ${comes}; wait $first`;
    const { code, output } = await ended([...OWN_NETWORK, 'sh', '-c', script]);
    expect(output).toContain('Waiting for it to come back');
    expect(code).toBe(0);
    await expectSameWeights('joined', 'two');
  });

  test('processes whose norms count their batches as one train to the same weights, and no tensor is gained', async () => {
    const { code, output } = await run(together('shared', 3, '--sync-batch-norm'));
    expect(code).toBe(0);
    expect(output).not.toContain('had drifted');
    const lines = readFileSync(join(folder, 'runs', 'shared', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const tensors = lines
      .map((line) => (JSON.parse(line) as { tensors?: number }).tensors)
      .filter((n) => n !== undefined);
    expect(tensors.length).toBeGreaterThan(1);
    expect(new Set(tensors.slice(1)).size).toBe(1);
    const [own, shared] = await Promise.all([weightsOf('two'), weightsOf('shared')]);
    expect([...own].some(([name, bytes]) => !shared.get(name)!.equals(bytes))).toBe(true);
  });
});

const byHand = { meta: { whySkipped: missing ?? 'takes many minutes: set RCNN_RANK_KILLS to how many' } };
describe.skipIf(missing !== undefined || KILLS === 0)(`launch, killed ${KILLS} times`, byHand, () => {
  test('each time all leave soon, and the run ends with the weights of an undisturbed one', async () => {
    expect((await run(together('whole', STEPS))).code).toBe(0);
    let slowest = 0;
    let ends = 0;
    for (let kills = 0; kills < KILLS; ends++) {
      const name = `disturbed-${ends}`;
      for (;;) {
        // One that was killed before its first save has nothing to go on from.
        const begun = existsSync(join(folder, 'runs', name, 'checkpoints', 'last.safetensors'));
        if (!begun) rmSync(join(folder, 'runs', name), { recursive: true, force: true });
        const args = begun
          ? ['launch', '-n', '2', 'train', '--resume', `runs/${name}`, '--progress', 'plain', '--threads', '1']
          : together(name, STEPS);
        const { code, output, seconds } = await killedOnTheWay(args, name, kills < KILLS);
        if (code === 0) break;
        if (seconds === undefined) throw new Error(`it ended with ${code} before anything was killed:\n${output}`);
        expect(seconds).toBeLessThan(LEAVE);
        expect(output).toMatch(/rank [01] is gone/);
        kills++;
        slowest = Math.max(slowest, seconds);
        console.log(`kill ${kills}: all left after ${seconds.toFixed(1)} s`);
      }
      await expectSameWeights(name, 'whole');
      rmSync(join(folder, 'runs', name), { recursive: true });
    }
    console.log(
      `${KILLS} kills, ${ends} runs that ended as the undisturbed one; slowest leave ${slowest.toFixed(1)} s`,
    );
  });
});

/** Starts or resumes a run and kills one of its processes some steps on; `seconds` from there until the last one left. */
async function killedOnTheWay(
  args: readonly string[],
  name: string,
  kill: boolean,
): Promise<Ended & { readonly seconds?: number }> {
  const rank = Math.floor(2 * Math.random());
  let left = kill ? 1 + Math.floor(4 * Math.random()) : Infinity;
  let at = 0;
  const ended = await run(args, (line) => {
    if (!/step \d+\/\d+/.test(line) || --left > 0 || at > 0) return;
    at = performance.now();
    setTimeout(() => killRank(rank, name), 300 * Math.random());
  });
  return { ...ended, ...(at > 0 && { seconds: (performance.now() - at) / 1000 }) };
}

/** Kills the process of a rank as soon as its run has something to go on from. How often steps are told depends on their time. */
function killAfterFirstSave(rank: number, name: string): void {
  const timer = setInterval(() => {
    if (!existsSync(join(folder, 'runs', name, 'checkpoints', 'last.safetensors'))) return;
    clearInterval(timer);
    killRank(rank, name);
  }, 5);
  timer.unref();
}

/** Kills the process of a rank that trains a run of this name. */
function killRank(rank: number, name: string): void {
  for (const pid of pids()) {
    const [line, env] = ['cmdline', 'environ'].map((file) => read(`/proc/${pid}/${file}`));
    const ours =
      [`--name\0${name}\0`, `runs/${name}\0`].some((named) => line!.includes(named)) &&
      env!.includes(`LOCAL_RANK=${rank}`) &&
      env!.includes('TF_CONFIG');
    if (ours && !line!.includes('launch')) process.kill(pid, 'SIGKILL');
  }
}

function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // gone meanwhile
  }
}
