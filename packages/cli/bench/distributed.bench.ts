/**
 * Training steps of two processes with one thread each beside one process with one thread, at the same batch a process, so
 * at twice the pictures: in turns, because a shared machine is never the same for long. And how much of a step two
 * processes spend on bringing their gradients together. Two that train apart at the same time stand beside them: two
 * cores are rarely twice as quick as one.
 *
 *   npm run bench -- distributed [--model small|r50] [--turns 5] [--steps 4] [--batch 2] [--only one|apart|together]
 *     [--overlap] [--json FILE]
 *
 * `--model r50` is Mask R-CNN R50-FPN at 512x512. A thousand steps, and whether a process gains a tensor by them, are
 * `--only together --turns 10 --steps 100`. `--overlap` measures something else: what it would save at most to bring
 * gradients together while the backward walk goes on, as work of the same size beside a reduction and after it. It takes
 * TensorFlow (mask-rcnn setup tensorflow) and Linux: the processes run in a network of their own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { benchOptions } from '@rcnn/shared/bench';
import { mayOwnNetwork, OWN_NETWORK } from '../src/ranks/own-network.ts';
import type { Held, Turn } from './distributed/turn.ts';

const options = benchOptions({
  model: { type: 'string', default: 'small' },
  turns: { type: 'string', default: '5' },
  steps: { type: 'string', default: '4' },
  batch: { type: 'string', default: '2' },
  only: { type: 'string' },
  overlap: { type: 'boolean', default: false },
  json: { type: 'string' },
});
if (!mayOwnNetwork()) {
  console.error('This process may not make a network of its own: it takes Linux, unshare and ip.');
  process.exit(2);
}

/** Processes that work together whenever they are asked to. */
class Team {
  readonly size: number;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(size: number, mode: string, how: 'together' | 'apart' = 'together') {
    this.size = size;
    const [program, ...args] = OWN_NETWORK;
    const script = fileURLToPath(new URL('distributed/team.ts', import.meta.url));
    const words = [String(size), how, mode, options.batch, options.steps];
    this.#child = spawn(program!, [...args, process.execPath, '--import', 'tsx', script, ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** What each of them measured. */
  async next(): Promise<(Turn & Held)[]> {
    this.#child.stdin!.write('again\n');
    const turns: (Turn & Held)[] = [];
    while (turns.length < this.size) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error('a process ended before it answered; the lines above say why');
      turns.push(JSON.parse(value) as Turn & Held);
    }
    return turns;
  }

  end(): void {
    this.#child.stdin!.end();
  }
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

/** Medians over turns of the mean over the processes of a team. */
function medians(turns: readonly (readonly Turn[])[]): Turn {
  const of = (key: keyof Turn): number =>
    median(turns.map((team) => team.reduce((sum, turn) => sum + turn[key], 0) / team.length));
  return {
    wall: of('wall'),
    cpu: of('cpu'),
    waiting: of('waiting'),
    meeting: of('meeting'),
    meetingCpu: of('meetingCpu'),
  };
}

async function inTurns(teams: readonly (readonly [name: string, team: Team])[]): Promise<Map<string, Turn>> {
  const seen = new Map(teams.map(([name]) => [name, [] as (Turn & Held)[][]]));
  for (let turn = 0; turn <= Number(options.turns); turn++) {
    for (const [name, team] of teams) {
      const measured = await team.next();
      if (turn > 0) seen.get(name)!.push(measured); // the first one makes what is kept
    }
    console.log(`  turn ${turn} of ${options.turns}, load ${loadavg()[0]!.toFixed(1)}`);
  }
  for (const [, team] of teams) team.end();
  for (const [name, turns] of seen) sayHeld(name, turns);
  return new Map([...seen].map(([name, turns]) => [name, medians(turns)]));
}

/** What each process held after its first turn and after its last. */
function sayHeld(name: string, turns: readonly (readonly Held[])[]): void {
  const of = (turn: readonly Held[]): string =>
    turn
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ tensors, mebibytes }) => `${tensors} tensors, ${mebibytes} MiB`)
      .join(' and ');
  if (turns.length > 1) console.log(`  ${name}: ${of(turns[0]!)} at first, ${of(turns.at(-1)!)} at last`);
}

const seconds = (value: number): string => `${value.toFixed(2)} s`;
const percent = (value: number): string => `${(100 * value).toFixed(0)} %`;

if (options.overlap) {
  console.log('178 MB of gradients and work of about as long, two processes with one thread each');
  const both = await inTurns([['after', new Team(2, 'after')], ['beside', new Team(2, 'beside')]]); // biome-ignore format: one line
  for (const [name, { wall, cpu }] of both)
    console.log(`  ${name.padEnd(7)} ${seconds(wall)}, CPU ${seconds(cpu)} a process`);
  save(both);
} else {
  console.log(`Steps of ${options.model} with ${options.batch} images a process, one thread each`);
  const makers: Readonly<Record<string, () => Team>> = {
    one: () => new Team(1, options.model),
    apart: () => new Team(2, options.model, 'apart'),
    together: () => new Team(2, options.model),
  };
  const names = Object.keys(makers).filter((name) => options.only === undefined || name === options.only);
  const all = await inTurns(names.map((name) => [name, makers[name]!()] as const));
  const titles: Readonly<Record<string, string>> = {
    one: 'one process',
    apart: 'two at once, each by itself',
    together: 'two together',
  };
  for (const [name, { wall, cpu }] of all) {
    console.log(`  ${titles[name]!.padEnd(28)} ${seconds(wall)} a step, CPU ${seconds(cpu)} each`);
  }
  const two = all.get('together');
  for (const name of ['one', 'apart']) {
    const than = all.get(name);
    if (than === undefined || two === undefined) continue;
    const ratios = `time ${(two.wall / than.wall).toFixed(2)}x, CPU of a process ${(two.cpu / than.cpu).toFixed(2)}x`;
    console.log(`  together beside ${titles[name]}: ${ratios}`);
  }
  if (two !== undefined) {
    console.log(
      `  of a step together: ${percent(two.meeting / two.wall)} of the time and ${percent(two.meetingCpu / two.cpu)} of the CPU to bring gradients together (${seconds(two.meeting)}, CPU ${seconds(two.meetingCpu)}), ${percent(two.waiting / two.wall)} waiting for the other one`,
    );
  }
  save(all);
}

function save(results: ReadonlyMap<string, Turn>): void {
  if (options.json === undefined) return;
  writeFileSync(
    options.json,
    `${JSON.stringify({ options, load: loadavg(), ...Object.fromEntries(results) }, null, 1)}\n`,
  );
}
