import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findInstallation } from '../src/installation.ts';
import { layout } from '../src/layout.ts';
import { findTfjsNode } from '../src/tfjs-node.ts';

/**
 * The real setup, killed as by `kill -9` at random moments. It takes half a minute for each kill, a real wheel and a
 * compiler, so it runs when asked for: `RCNN_KILLS=40 RCNN_WHEEL=FILE RCNN_TFJS_NODE_APP=FOLDER`. What a kill does at
 * each call of the file system is tested beside it, on a made-up wheel, always.
 */
const KILLS = Number(process.env['RCNN_KILLS'] ?? 0);
const wheel = process.env['RCNN_WHEEL'];
const from = process.env['RCNN_TFJS_NODE_APP'];
const ready = KILLS > 0 && wheel !== undefined && from !== undefined;

const CHILD = fileURLToPath(new URL('./helpers/setup-child.mjs', import.meta.url));
const DIST = new URL('../dist/index.js', import.meta.url).href;

interface Run {
  readonly killed: boolean;
  readonly output: string;
  readonly errors: string;
  readonly milliseconds: number;
}

/** Runs the child; after `limit` milliseconds it is killed. Its compiler is not: an orphan goes on, as in real life. */
async function run(what: 'setup' | 'load', dir: string, limit?: number): Promise<Run> {
  const start = performance.now();
  const options = JSON.stringify(what === 'setup' ? { dir, from, wheel } : { dir, from });
  const child = spawn(process.execPath, [CHILD, DIST, what, options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  const text = { output: '', errors: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.errors += chunk));
  const timer = limit === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), limit);
  return new Promise((resolve) => {
    child.once('exit', (_code, signal) => {
      clearTimeout(timer);
      setImmediate(() => resolve({ killed: signal === 'SIGKILL', ...text, milliseconds: performance.now() - start }));
    });
  });
}

/** Convolves in a process of its own; says 'loads', or what went wrong. */
async function load(dir: string): Promise<string> {
  const { output, errors } = await run('load', dir);
  return /"version":"TensorFlow .*"sum":162/.test(output) ? 'loads' : output + errors; // 9 windows of 18 ones
}

describe.skipIf(!ready)(
  `a real setup, killed ${KILLS} times`,
  { meta: { whySkipped: 'needs RCNN_KILLS, RCNN_WHEEL and RCNN_TFJS_NODE_APP' } },
  () => {
    let whole = 0;

    const folders: string[] = [];
    /** A folder of its own for each, because the compiler of a killed setup goes on for a while. */
    const fresh = (): string => {
      const folder = mkdtempSync(join(tmpdir(), 'tensorflow-kill-'));
      folders.push(folder);
      return folder;
    };
    const clear = (): void => {
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
    };

    beforeAll(async () => {
      const dir = fresh();
      const { output, errors, milliseconds } = await run('setup', dir);
      if (output !== '{"changed":true}') throw new Error(`the setup does not even run undisturbed: ${errors}`);
      whole = milliseconds;
    });

    afterEach(clear);

    test.each(Array.from({ length: KILLS }, (_, i) => i))('kill %i', async (i) => {
      const dir = fresh();
      // One moment in each of as many slices of a whole setup, so that every phase is met; every third is killed twice.
      const limits = [((i + Math.random()) / KILLS) * whole, ...(i % 3 === 2 ? [Math.random() * whole] : [])];
      const moment = limits.map((limit) => `${limit.toFixed(0)} of ${whole.toFixed(0)} ms`).join(', then ');
      for (const limit of limits) {
        await run('setup', dir, limit);
        const tfjsNode = findTfjsNode('@tensorflow/tfjs-node', from)!;
        const counts = findInstallation(layout(dir), tfjsNode) !== undefined;
        if (counts) expect({ moment, engine: await load(dir) }).toEqual({ moment, engine: 'loads' });
      }
      const { output, errors } = await run('setup', dir);
      expect({ moment, output, errors }).toMatchObject({ output: expect.stringContaining('"changed":') });
      expect({ moment, engine: await load(dir) }).toEqual({ moment, engine: 'loads' });
      const again = await run('setup', dir);
      expect(again).toMatchObject({ output: '{"changed":false}' });
      const left = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.staging-'));
      expect({ moment, left }).toEqual({ moment, left: [] });
      console.log(`killed at ${moment}: works`);
    });
  },
);
