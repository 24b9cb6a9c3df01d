import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '@rcnn/core/random';
import { afterAll, beforeAll, expect, test } from 'vitest';

// Whole processes: a toy model trained by the real loop, with a checkpoint after every step (see toy-process.ts).
// RCNN_KILLS sets how many; a release run asks for 200.
const KILLS = Number(process.env.RCNN_KILLS ?? 8);
const script = fileURLToPath(new URL('toy-process.ts', import.meta.url));
const STEPS = 40;

let folder: string;
let wanted: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kill-'));
  await ended(start(join(folder, 'whole')));
  wanted = digest(join(folder, 'whole'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(path: string): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', script, path, String(STEPS)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
}

/** Resolves when the process has printed `count` steps. */
async function steps(child: ChildProcess, count: number): Promise<void> {
  await new Promise<void>((resolve) => {
    let seen = 0;
    child.stdout!.on('data', (chunk: Buffer) => {
      seen += chunk.toString().split('\n').length - 1;
      if (seen >= count) resolve();
    });
    child.once('exit', () => resolve());
  });
}

const digest = (path: string): string =>
  createHash('sha256')
    .update(readFileSync(join(path, 'last.safetensors')))
    .digest('hex');

test(`kill -9 at ${KILLS} random moments: the folder always resumes and ends with the same bits`, async () => {
  const random = new Random(11);
  const path = join(folder, 'killed');
  let landed = 0;
  while (landed < KILLS) {
    const child = start(path);
    const exit = ended(child);
    await steps(child, 1 + random.integer(6));
    await new Promise((resolve) => setTimeout(resolve, random.uniform(0, 12))); // anywhere in a save
    child.kill('SIGKILL');
    const { signal } = await exit;
    if (signal === 'SIGKILL') landed++;
    else {
      expect(digest(path)).toBe(wanted); // it was done before the signal: begin again
      rmSync(path, { recursive: true });
    }
  }
  await ended(start(path));
  expect(digest(path)).toBe(wanted);
  expect(readdirSync(path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  expect(existsSync(join(path, 'run.lock'))).toBe(false);
});

test('SIGTERM: the step is finished and saved, the process leaves well; resumed, it ends with the same bits', async () => {
  const path = join(folder, 'stopped');
  const child = start(path);
  const exit = ended(child);
  await steps(child, 5);
  child.kill('SIGTERM');
  expect(await exit).toEqual({ code: 0, signal: null });
  expect(existsSync(join(path, 'run.lock'))).toBe(false);
  expect(digest(path)).not.toBe(wanted);
  await ended(start(path));
  expect(digest(path)).toBe(wanted);
});
