import { execFile } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { findInstallation, isIntact } from '../src/installation.ts';
import { layout } from '../src/layout.ts';
import { setupTensorFlow } from '../src/setup.ts';
import { findTfjsNode } from '../src/tfjs-node.ts';
import { writeWheel } from './helpers/wheels.ts';
import { COMPILED, makeWorkshop, parts, type Workshop } from './helpers/workshop.ts';

const CHILD = fileURLToPath(new URL('./helpers/crash-child.mjs', import.meta.url));
const ENTRY = new URL('../dist/setup.js', import.meta.url).href;

beforeEach(() => vi.stubEnv('RCNN_TENSORFLOW_DIR', '/nowhere'));

interface Ending {
  readonly killed: boolean;
  readonly calls: number;
  readonly code?: string;
  readonly name?: string;
}

/** Runs a setup in a process of its own that fails at its `at`-th call of the file system. */
async function strike(workshop: Workshop, wheel: string, at: number, failure: string): Promise<Ending> {
  const { root, app, compiler } = workshop;
  const job = { at, failure, dir: root, from: app, wheel, expected: COMPILED, entry: ENTRY };
  const env = { ...process.env, CXX: compiler };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, JSON.stringify(job)], { env }, (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') resolve({ killed: true, calls: at });
      else if (stdout === '') reject(new Error(`the child said nothing: ${stderr}`));
      else resolve({ killed: false, ...(JSON.parse(stdout) as Omit<Ending, 'killed'>) });
    });
  });
}

/** Prepares the state of before: nothing, or a working TensorFlow 2.20.0. */
async function prepare(before: 'nothing' | 'an older TensorFlow'): Promise<{ workshop: Workshop; wheel: string }> {
  const workshop = makeWorkshop();
  vi.stubEnv('CXX', workshop.compiler);
  const path = (version: string) =>
    join(workshop.folder, `tensorflow_cpu-${version}-cp311-cp311-manylinux_2_27_x86_64.whl`);
  for (const version of ['2.20.0', '2.21.0']) await writeWheel(path(version), { version });
  if (before === 'an older TensorFlow') {
    await setupTensorFlow({ wheel: path('2.20.0'), dir: workshop.root, from: workshop.app }, parts);
  }
  return { workshop, wheel: path('2.21.0') };
}

/** Asserts that whatever is installed is whole, and that the next run makes it right and leaves nothing lying about. */
async function expectSound({ root, app }: Workshop, wheel: string, mustExist: boolean): Promise<void> {
  const tfjsNode = findTfjsNode('@tensorflow/tfjs-node', app)!;
  const found = findInstallation(layout(root), tfjsNode);
  if (mustExist) expect(found).toBeDefined();
  if (found !== undefined) expect(await isIntact(found)).toBe(true);
  await setupTensorFlow({ wheel, dir: root, from: app }, parts);
  const after = findInstallation(layout(root), tfjsNode);
  expect(after?.version).toBe('2.21.0');
  expect(await isIntact(after!)).toBe(true);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => name.includes('.staging-'))).toEqual([]);
}

/** All calls when asked for, which takes minutes; else every twenty-fifth, each scenario starting elsewhere. */
const STRIDE = process.env['RCNN_EXHAUSTIVE'] ? 1 : 25;

describe.each([
  ['kill', 'nothing', 1],
  ['kill', 'an older TensorFlow', 7],
  ['ENOSPC', 'nothing', 13],
  ['ENOSPC', 'an older TensorFlow', 19],
] as const)('%s where there was %s', (failure, before, start) => {
  test('at any call of the file system loses nothing', async () => {
    const { workshop, wheel } = await prepare(before);
    const clean = join(workshop.folder, 'clean');
    if (before !== 'nothing') cpSync(workshop.root, clean, { recursive: true });
    let struck = 0;
    for (let at = STRIDE === 1 ? 1 : start; ; at += STRIDE) {
      rmSync(workshop.root, { recursive: true, force: true });
      if (before !== 'nothing') cpSync(clean, workshop.root, { recursive: true });
      const ending = await strike(workshop, wheel, at, failure);
      if (!ending.killed && ending.calls < at) break; // it ran through: there is no such call
      struck++;
      // Where only tidying up failed, the setup has done its work all the same.
      if (ending.name !== undefined)
        expect(ending, `call ${at}`).toMatchObject({ name: 'RcnnError', code: 'DISK_FULL' });
      await expectSound(workshop, wheel, before !== 'nothing');
    }
    expect(struck * STRIDE).toBeGreaterThan(60);
  });
});
