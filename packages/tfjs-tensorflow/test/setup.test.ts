import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type SetupOptions, type SetupResult, type SetupStep, setupTensorFlow } from '../src/setup.ts';
import { type WheelChoices, writeWheel } from './helpers/wheels.ts';
import { COMPILED, installTfjsNode, makeWorkshop, parts, type Workshop } from './helpers/workshop.ts';

beforeEach(() => vi.stubEnv('RCNN_TENSORFLOW_DIR', '/nowhere'));
afterEach(() => vi.unstubAllEnvs());

interface Run {
  readonly result: SetupResult;
  readonly steps: SetupStep[];
}

async function runSetup(workshop: Workshop, options: SetupOptions = {}, replaced = parts): Promise<Run> {
  vi.stubEnv('CXX', workshop.compiler);
  const steps: SetupStep[] = [];
  const onProgress = (step: SetupStep) => {
    if (steps.at(-1) !== step) steps.push(step);
  };
  const result = await setupTensorFlow({ dir: workshop.root, from: workshop.app, onProgress, ...options }, replaced);
  return { result, steps };
}

async function workshopWithWheel(choices: WheelChoices = {}): Promise<{ workshop: Workshop; wheel: string }> {
  const workshop = makeWorkshop();
  const version = choices.version ?? '2.21.0';
  const name = choices.distribution ?? 'tensorflow_cpu';
  const wheel = join(workshop.folder, `${name}-${version}-cp311-cp311-manylinux_2_27_x86_64.whl`);
  await writeWheel(wheel, choices);
  return { workshop, wheel };
}

/** Every file below a folder with its time of change, so that "nothing changed" can be seen. */
function snapshot(folder: string): Record<string, number> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return Object.fromEntries(files.map((name) => [name, statSync(join(folder, name)).mtimeMs]));
}

describe('setting up', () => {
  test('unpacks the libraries and the headers that are needed, and compiles', async () => {
    const { workshop, wheel } = await workshopWithWheel();
    const { result, steps } = await runSetup(workshop, { wheel });
    expect(result).toMatchObject({ changed: true, version: '2.21.0', distribution: 'tensorflow-cpu', gpu: false });
    expect(steps).toEqual(['unpack', 'compile', 'check', 'done']);
    expect(readFileSync(result.binding, 'utf8')).toBe(COMPILED);
    const unpacked = readdirSync(result.libraries, { recursive: true, encoding: 'utf8' }).toSorted();
    expect(unpacked).toContain('libtensorflow_cc.so.2');
    expect(unpacked).toContain(join('include', 'tensorflow', 'c', 'eager', 'c_api.h'));
    expect(unpacked).not.toContain(join('include', 'unreached.h'));
  });

  test('a second time changes nothing', async () => {
    const { workshop, wheel } = await workshopWithWheel();
    await runSetup(workshop, { wheel });
    const before = snapshot(workshop.root);
    const { result, steps } = await runSetup(workshop, { wheel });
    expect(result.changed).toBe(false);
    expect(steps).toEqual(['check', 'done']);
    expect(snapshot(workshop.root)).toEqual(before);
  });

  test('writes nothing into node_modules, so a reinstall takes nothing away', async () => {
    const { workshop, wheel } = await workshopWithWheel();
    const before = snapshot(workshop.app);
    await runSetup(workshop, { wheel });
    expect(snapshot(workshop.app)).toEqual(before);
    rmSync(join(workshop.app, 'node_modules'), { recursive: true });
    installTfjsNode(workshop.app);
    expect((await runSetup(workshop, { wheel })).result.changed).toBe(false);
  });

  test('again for another version of tfjs-node compiles again, and unpacks nothing', async () => {
    const { workshop, wheel } = await workshopWithWheel();
    await runSetup(workshop, { wheel });
    installTfjsNode(workshop.app, '@tensorflow/tfjs-node', '4.23.0');
    const { steps, result } = await runSetup(workshop, { wheel });
    expect(steps).toEqual(['compile', 'check', 'done']);
    expect(result.binding).toContain('4.23.0');
  });

  test('for the GPU takes tfjs-node-gpu and the distribution with CUDA', async () => {
    const { workshop, wheel } = await workshopWithWheel({ distribution: 'tensorflow' });
    installTfjsNode(workshop.app, '@tensorflow/tfjs-node-gpu');
    const { result } = await runSetup(workshop, { wheel, gpu: true });
    expect(result).toMatchObject({ package: '@tensorflow/tfjs-node-gpu', distribution: 'tensorflow' });
  });

  test('sweeps what killed runs have left, and leaves what others are doing', async () => {
    const { workshop, wheel } = await workshopWithWheel();
    await runSetup(workshop, { wheel });
    const { hostname } = await import('node:os');
    const dead = join(workshop.root, 'libraries', `.staging-${hostname()}-999999999-abcd`);
    const alive = join(workshop.root, 'libraries', `.staging-${hostname()}-${process.pid}-abcd`);
    const elsewhere = join(workshop.root, 'libraries', '.staging-other-host-1-abcd');
    for (const path of [dead, alive, elsewhere]) writeFileSync(path, 'x');
    installTfjsNode(workshop.app, '@tensorflow/tfjs-node', '4.23.0');
    await runSetup(workshop, { wheel });
    expect([dead, alive, elsewhere].map((path) => existsSync(path))).toEqual([false, true, true]);
  });
});

describe('an installation that was damaged is set up again', () => {
  const damages: [string, (result: SetupResult) => void][] = [
    ['by a missing binding', ({ binding }) => rmSync(binding)],
    ['by a missing library', ({ libraries }) => rmSync(join(libraries, 'libtensorflow_cc.so.2'))],
    ['by a longer library', ({ libraries }) => appendFileSync(join(libraries, 'libtensorflow_cc.so.2'), 'x')],
    ['by a cut manifest', ({ libraries }) => writeFileSync(join(libraries, 'manifest.json'), '{"format": 1, "fil')],
    ['by a binding of other bytes', ({ binding }) => writeFileSync(binding, 'COMPILED\n')],
  ];
  test.each(damages)('%s', async (_what, damage) => {
    const { workshop, wheel } = await workshopWithWheel();
    const { result } = await runSetup(workshop, { wheel });
    damage(result);
    const again = await runSetup(workshop, { wheel });
    expect(again.result.changed).toBe(true);
    expect(readFileSync(again.result.binding, 'utf8')).toBe(COMPILED);
    expect((await runSetup(workshop, { wheel })).result.changed).toBe(false);
  });
});

describe('what is missing is said, and nothing is left behind', () => {
  async function expectFailure(
    { workshop, wheel }: { workshop: Workshop; wheel: string },
    expected: { code: string; message: RegExp },
    replaced = parts,
  ): Promise<void> {
    const error: unknown = await runSetup(workshop, { wheel }, replaced).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'RcnnError', code: expected.code });
    expect((error as Error).message).toMatch(expected.message);
    const left = statSync(workshop.root, { throwIfNoEntry: false })?.isDirectory()
      ? readdirSync(workshop.root, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.staging-'))
      : [];
    expect(left).toEqual([]);
  }

  test('tfjs-node', async () => {
    const prepared = await workshopWithWheel();
    rmSync(join(prepared.workshop.app, 'node_modules'), { recursive: true });
    await expectFailure(prepared, {
      code: 'SETUP_FAILED',
      message: /not installed here.*npm install --ignore-scripts/,
    });
  });

  test('the sources in tfjs-node', async () => {
    const prepared = await workshopWithWheel();
    rmSync(join(prepared.workshop.app, 'node_modules', '@tensorflow', 'tfjs-node', 'binding'), { recursive: true });
    await expectFailure(prepared, { code: 'SETUP_FAILED', message: /does not hold the sources/ });
  });

  test('a compiler', async () => {
    const prepared = await workshopWithWheel();
    rmSync(prepared.workshop.compiler);
    await expectFailure(prepared, { code: 'SETUP_FAILED', message: /no C\+\+ compiler.*apt-get install g\+\+/ });
  });

  test('a compiler that works', async () => {
    const prepared = await workshopWithWheel();
    writeFileSync(prepared.workshop.compiler, '#!/bin/sh\necho "fatal error: no such thing" >&2\nexit 1\n');
    await expectFailure(prepared, { code: 'SETUP_FAILED', message: /cannot compile.*fatal error: no such thing/ });
  });

  test('a newer wheel', async () => {
    const prepared = await workshopWithWheel({ files: { 'tensorflow/libtensorflow_cc.so.2': undefined } });
    await expectFailure(prepared, { code: 'SETUP_FAILED', message: /has no libtensorflow_cc\.so\.2.*2\.14 or newer/ });
  });

  test('a wheel for this platform', async () => {
    const prepared = await workshopWithWheel({ tag: 'cp311-cp311-win_amd64' });
    await expectFailure(prepared, { code: 'SETUP_FAILED', message: /another platform; found win_amd64/ });
  });

  test('a wheel at all', async () => {
    const { workshop } = await workshopWithWheel();
    await expectFailure({ workshop, wheel: '/nowhere/x.whl' }, { code: 'FILE_MISSING', message: /no such file/ });
  });

  test('a machine that TensorFlow supports', async () => {
    const prepared = await workshopWithWheel();
    const refuse = () => {
      throw new Error('unsupported');
    };
    await expect(
      runSetup(prepared.workshop, { wheel: prepared.wheel }, { ...parts, checkMachine: refuse }),
    ).rejects.toThrow('unsupported');
    expect(existsSync(prepared.workshop.root)).toBe(false);
  });

  test('a place to write', async () => {
    const prepared = await workshopWithWheel();
    writeFileSync(prepared.workshop.root, 'a file in the way');
    await expectFailure(prepared, { code: 'IO_FAILED', message: /--dir/ });
  });
});
