/**
 * Bulk prediction in parts, of which some are killed on the way: tiny pictures in tar archives, once by one process, once
 * in shards that are started again where they were killed; merged, the second must be the bytes of the first. And how many
 * pictures a second two shards at once get through, beside one at a time.
 *
 *   npm run bench -- shards [--pictures 100000] [--shards 200] [--kills 40] [--at-once 2] [--weights FILE] [--seed 1]
 *     [--pin] [--json FILE]
 *
 * Each process has one thread for its network. Without --weights a small network with random weights looks at the pictures.
 * With --pin each process has one core and no more, as schedulers that count processors give it (taskset, Linux): without
 * it one process alone may use the core that another one would have, for its pictures and its garbage.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Random } from '@rcnn/core/random';
import { benchOptions, machine } from '@rcnn/shared/bench';
import { writeArchives } from './shards/archives.ts';
import { Program } from './shards/program.ts';
import { saveSmallNetwork } from './shards/small-network.ts';

const options = benchOptions({
  pictures: { type: 'string', default: '100000' },
  shards: { type: 'string', default: '200' },
  kills: { type: 'string', default: '40' },
  'at-once': { type: 'string', default: '2' },
  weights: { type: 'string' },
  seed: { type: 'string', default: '1' },
  pin: { type: 'boolean', default: false },
  json: { type: 'string' },
});
const [pictures, shards, kills, atOnce] = [options.pictures, options.shards, options.kills, options['at-once']].map(
  Number,
) as [number, number, number, number];
if (kills > shards) {
  console.error(`--kills ${kills} of --shards ${shards}: a shard is killed at most once.`);
  process.exit(2);
}

/** Shards whose time is taken one at a time, and as many at once. */
const TIMED = 4;

const folder = mkdtempSync(join(tmpdir(), 'rcnn-shards-'));
try {
  await writeArchives(folder, pictures, shards);
  const weights = options.weights === undefined ? await saveSmallNetwork(folder) : resolve(options.weights);
  const words = ['predict', '--list', 'all.txt', '--weights', weights, '--min-size', '48', '--proposals', '30', '--detections', '3', '--threads', '1']; // biome-ignore format: one line
  const program = new Program(folder, words, options.pin);

  const alone = await timed(() => program.run(['--results', 'whole.json', '--no-save']));
  say(`one process: ${pictures} pictures in ${alone.toFixed(0)} s, ${(pictures / alone).toFixed(1)} a second`);

  const part = (index: number, parts: string): readonly string[] => ['--shard', `${index}/${shards}`, '--parts', parts];
  const first = [...Array(TIMED).keys()];
  const inTurn = await timed(() => eachOf(first, 1, (index, core) => program.run(part(index, 'timed-1'), core)));
  const together = await timed(() => eachOf(first, atOnce, (index, core) => program.run(part(index, 'timed-2'), core)));
  say(`${TIMED} shards in turn ${inTurn.toFixed(1)} s, ${atOnce} at once ${together.toFixed(1)} s: ${(inTurn / together).toFixed(2)}x the pictures a second`); // biome-ignore format: one line

  const random = new Random(Number(options.seed));
  const doomed = new Set(random.shuffle([...Array(shards).keys()]).slice(0, kills));
  let killed = 0;
  const inParts = await timed(() =>
    eachOf([...Array(shards).keys()], atOnce, async (index, core) => {
      const life = (random.uniform() * inTurn * 1000) / TIMED;
      if (doomed.has(index) && (await program.killedAfter(life, part(index, 'parts'), core))) killed++;
      await program.run(part(index, 'parts'), core);
    }),
  );
  say(`${shards} shards, ${atOnce} at once: ${inParts.toFixed(0)} s; ${killed} were killed and started again, ${kills - killed} had ended before`); // biome-ignore format: one line

  const merging = await timed(() => program.other(['merge', 'parts', '--results', 'merged.json']));
  const same = ['json', 'jsonl'].every((ending) => digest(`whole.${ending}`) === digest(`merged.${ending}`));
  const bytes = readFileSync(join(folder, 'whole.json')).length;
  say(`merged in ${merging.toFixed(1)} s: ${bytes} bytes, ${same ? 'equal' : 'NOT EQUAL'} to those of one process`);
  say(`files in the folder of parts: ${readdirSync(join(folder, 'parts')).length}`);
  const seen = {
    machine: machine(),
    pinned: options.pin,
    pictures,
    shards,
    kills: killed,
    alone,
    inTurn,
    together,
    inParts,
    merging,
    same,
  };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(seen, undefined, 2)}\n`);
  if (!same) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function say(line: string): void {
  console.log(line);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Works on all, `many` at the same time, each of these on a core of its own if need be. */
async function eachOf(
  all: readonly number[],
  many: number,
  work: (index: number, core: number) => Promise<unknown>,
): Promise<void> {
  const waiting = all.toReversed();
  const worker = async (_: unknown, core: number): Promise<void> => {
    for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) await work(index, core);
  };
  await Promise.all(Array.from({ length: many }, worker));
}

function digest(file: string): string {
  return createHash('sha256')
    .update(readFileSync(join(folder, file)))
    .digest('hex');
}
