// Trainings on disks that fill, in a process of its own that may mount: full-disk-process.ts FOLDER HOW-MANY SEED.
// Prints what went wrong, one JSON line for each disk.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCheckpoint } from '@rcnn/checkpoint/node';
import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { readMetrics } from '../src/files/metrics.ts';
import { trainToy } from './toy-training.ts';

const [folder = '', disks = '5', seed = '1'] = process.argv.slice(2);
const STEPS = 30;
/** Bytes of the disk. */
const SIZE = 2 ** 20;

const digest = (path: string): string =>
  createHash('sha256')
    .update(readFileSync(join(path, 'last.safetensors')))
    .digest('hex');

const disk = join(folder, 'disk');
mkdirSync(disk);
await trainToy(join(folder, 'whole'), STEPS, () => undefined);
const wanted = digest(join(folder, 'whole'));

for (let number = 0; number < Number(disks); number++) {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', disk]);
  try {
    console.log(JSON.stringify(await oneDisk(new Random(Number(seed)).fork('disk', number))));
  } finally {
    execFileSync('umount', [disk]);
  }
}

async function oneDisk(random: Random): Promise<Readonly<Record<string, unknown>>> {
  const run = join(disk, 'run');
  const filler = join(disk, 'filler');
  mkdirSync(run);
  // At a random step all is taken but a part of what the next checkpoint needs.
  const at = 1 + random.integer(STEPS - 1);
  const share = random.uniform(0, 1.2);
  let saved = 0;
  let full: unknown;
  try {
    await trainToy(run, STEPS, (step) => {
      saved = step;
      if (step === at) fill(filler, share * statSync(join(run, 'last.safetensors')).size);
    });
  } catch (error) {
    full = error;
  }
  const file = join(run, 'last.safetensors');
  const typed = full === undefined || isRcnnError(full, 'DISK_FULL');
  const whole = existsSync(file) && (await isWhole(file));
  const locked = existsSync(join(run, 'run.lock'));
  rmSync(filler, { force: true });
  const begun = await trainToy(run, STEPS, () => undefined);
  // The last step of an epoch is saved twice.
  const steps = [...new Set(readMetrics(join(run, 'metrics.jsonl')).map(({ step }) => step))];
  return {
    failed: full !== undefined,
    problem: typed ? undefined : String((full as Error).stack),
    whole,
    locked,
    lost: full === undefined ? 0 : saved - begun,
    sameBits: digest(run) === wanted,
    gaps: steps.length !== STEPS || steps.some((step, i) => step !== i + 1) ? steps.join() : '',
    left: readdirSync(run).filter((name) => name.endsWith('.tmp') || name.endsWith('.lock')),
  };
}

/** Fills the disk up to `left` bytes: in whole pages, and the last one up to its end. */
function fill(filler: string, left: number): void {
  const free = Number(execFileSync('df', ['--output=avail', '-B1', disk], { encoding: 'utf8' }).split('\n')[1]);
  writeFileSync(filler, Buffer.alloc(Math.max(0, Math.floor(free - left))));
}

async function isWhole(file: string): Promise<boolean> {
  try {
    const checkpoint = await loadCheckpoint(file);
    await checkpoint.verify();
    await checkpoint.close();
    return true;
  } catch {
    return false;
  }
}
