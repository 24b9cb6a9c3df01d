import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeShapes } from '@rcnn/coco-data/node';
import { Random } from '@rcnn/core/random';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The program itself, training a whole YOLACT: files, augmentation, engine, AdamW, run folder. `train` has the same test
// of a toy, which takes more kills in less time.
// RCNN_KILLS sets how many; a release run asks for 200.
const KILLS = Number(process.env['RCNN_KILLS'] ?? 2);
const STEPS = 12;
const PROGRAM = fileURLToPath(new URL('../bin/mask-rcnn.js', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'one-stage-kill-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 6 }, size: [64, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null; errors: string }>;
}

/** Goes on where the folder has a checkpoint, and begins anew where a kill came before the first. */
function start(run: string): Run {
  const begun = existsSync(checkpoint(run));
  if (!begun) rmSync(run, { recursive: true, force: true });
  const recipe = ['--preset', 'quick', '--arch', 'yolact_small', '--model.image-size', '64', '--batch-size', '2'];
  const course = ['--workers', '0', '--steps', String(STEPS), '--save-every', '1', '--evaluate-every', '99'];
  const anew = [join(folder, 'data'), ...recipe, ...course, '--out', dirname(run), '--name', basename(run)];
  const child = spawn(process.execPath, [PROGRAM, 'train', ...(begun ? ['--resume', run] : anew)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => void (errors += chunk.toString()));
  return {
    child,
    ended: new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, errors }))),
  };
}

/** Resolves when the folder has had `count` new checkpoints, or the process has ended. */
async function saves(child: ChildProcess, run: string, count: number): Promise<void> {
  const file = checkpoint(run);
  let [seen, time] = [0, changed(file)];
  while (seen < count && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const now = changed(file);
    if (now !== time) seen++;
    time = now;
  }
}

const changed = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

const checkpoint = (run: string): string => join(run, 'checkpoints', 'last.safetensors');

const digest = (run: string): string =>
  createHash('sha256')
    .update(readFileSync(checkpoint(run)))
    .digest('hex');

/** How a process ended, with what it said where that was not well. */
const endOf = ({ code, signal, errors }: Awaited<Run['ended']>) => ({ code, signal, errors: code === 0 ? '' : errors });

const WELL = { code: 0, signal: null, errors: '' };

test(`YOLACT, killed -9 at ${KILLS} random moments: its folder always resumes and ends with the same bits`, async () => {
  const whole = join(folder, 'whole');
  expect(endOf(await start(whole).ended)).toEqual(WELL);
  const wanted = digest(whole);

  const random = new Random(29);
  const run = join(folder, 'killed');
  let landed = 0;
  let finished = 0;
  while (landed < KILLS) {
    const { child, ended } = start(run);
    await saves(child, run, random.integer(4)); // none: while it starts, or goes on
    await new Promise((resolve) => setTimeout(resolve, random.uniform(0, 300))); // anywhere in a step or a save
    child.kill('SIGKILL');
    const end = await ended;
    if (end.signal === 'SIGKILL') landed++;
    else {
      expect(endOf(end)).toEqual(WELL); // it was done before the signal: begin again
      expect(digest(run)).toBe(wanted);
      rmSync(run, { recursive: true });
      finished++;
    }
  }
  expect(endOf(await start(run).ended)).toEqual(WELL);
  expect(digest(run)).toBe(wanted);
  expect(readdirSync(run, { recursive: true }).filter((name) => String(name).endsWith('.tmp'))).toEqual([]);
  expect(existsSync(join(run, 'run.lock'))).toBe(false);
  if (process.env['RCNN_KILLS'] !== undefined) console.log(`${landed} kills, ${finished + 1} trainings ended`);
});
