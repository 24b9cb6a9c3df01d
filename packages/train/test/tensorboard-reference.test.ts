import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCanvas, encodePng } from '@rcnn/visualize/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EventWriter } from '../src/index.ts';

// Read back by the real TensorBoard: RCNN_TENSORBOARD_PYTHON names a Python that has it.
const python = process.env.RCNN_TENSORBOARD_PYTHON;
const reader = fileURLToPath(new URL('../../../tools/reference/read_tensorboard.py', import.meta.url));
const writing = fileURLToPath(new URL('events-process.ts', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorboard-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Seen {
  readonly scalars: Readonly<Record<string, [step: number, value: number][]>>;
  readonly images: Readonly<Record<string, [step: number, width: number, height: number, sha256: string][]>>;
}

function read(): Seen {
  const { stdout, stderr, status } = spawnSync(python!, [reader, folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Seen;
}

describe.skipIf(python === undefined)(
  'TensorBoard reads',
  { meta: { whySkipped: 'needs RCNN_TENSORBOARD_PYTHON, a Python with TensorBoard' } },
  () => {
    test('scalars, to the bit of a float, and images', () => {
      const png = encodePng(createCanvas(30, 20));
      const writer = new EventWriter(folder, { firstStep: 1 });
      const values = [0.1, 1 / 3, 1e-30, -2.5e10];
      for (const [i, value] of values.entries()) writer.scalars(i + 1, { 'loss/total': value });
      writer.image(2, 'batch/0', png);
      writer.close();
      const { scalars, images } = read();
      expect(scalars).toEqual({ 'loss/total': values.map((value, i) => [i + 1, Math.fround(value)]) });
      expect(images).toEqual({ 'batch/0': [[2, 30, 20, createHash('sha256').update(png).digest('hex')]] });
    });

    test('everything but the last record of a file that was cut', () => {
      const writer = new EventWriter(folder, { firstStep: 1 });
      for (let step = 1; step <= 10; step++) writer.scalars(step, { loss: step });
      writer.close();
      truncateSync(writer.path, readFileSync(writer.path).length - 5);
      expect(read().scalars['loss']!.map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    test('a run that was killed three times and resumed: each step once, with the value of the last run', async () => {
      let first = 1;
      let last = 0;
      for (let run = 0; run < 3; run++) {
        last = await killedAfter(first, 40);
        first = last - 10; // the checkpoint is older than the last event
      }
      const writer = new EventWriter(folder, { firstStep: first });
      writer.scalars(first, { 'loss/total': 7 });
      writer.close();
      const seen = read().scalars['loss/total']!;
      const steps = Array.from({ length: first }, (_, i) => i + 1);
      expect(seen.map(([step]) => step)).toEqual(steps);
      expect(seen.map(([, value]) => value)).toEqual(steps.map((step) => Math.fround(step === first ? 7 : 1 / step)));
    });
  },
);

/** Kills a process with `kill -9` after it has written so many steps. @returns a step that it has certainly written */
async function killedAfter(first: number, steps: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', writing, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = 0;
  await new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      last = Number(text.trim().split('\n').at(-1));
      if (last >= first + steps) resolve();
    });
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  return last;
}
