import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadTensorFlow } from '../src/load.ts';
import { supplyRemovedUtilities } from '../src/node-utilities.ts';
import { setupTensorFlow } from '../src/setup.ts';
import { writeWheel } from './helpers/wheels.ts';
import { COMPILED, installTfjsNode, makeWorkshop, parts, type Workshop } from './helpers/workshop.ts';

afterEach(() => vi.unstubAllEnvs());

async function setUp(workshop: Workshop, gpu = false): Promise<void> {
  vi.stubEnv('CXX', workshop.compiler);
  const distribution = gpu ? 'tensorflow' : 'tensorflow_cpu';
  const wheel = join(workshop.folder, `${distribution}-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl`);
  await writeWheel(wheel, { distribution });
  await setupTensorFlow({ wheel, gpu, dir: workshop.root, from: workshop.app }, parts);
}

test('the functions that Node 23 removed are there', () => {
  const util = createRequire(import.meta.url)('node:util') as Record<string, ((value: unknown) => boolean) | undefined>;
  const before = { ...util };
  try {
    Object.assign(util, { isArray: undefined, isNullOrUndefined: undefined });
    supplyRemovedUtilities();
    expect(util['isArray']?.([])).toBe(true);
    expect([null, undefined, 0, ''].map((value) => util['isNullOrUndefined']?.(value))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  } finally {
    const { isArray, isNullOrUndefined } = before;
    Object.assign(util, { isArray, isNullOrUndefined });
  }
});

describe('loading', () => {
  test('gives tfjs-node the binding that was set up', async () => {
    const workshop = makeWorkshop();
    await setUp(workshop);
    const loaded = loadTensorFlow({ from: workshop.app, dir: workshop.root });
    expect(loaded).toEqual({ version: 'TensorFlow 2.21.0, tfjs-node 4.22.0', gpu: false });
    const required = createRequire(join(workshop.app, 'x.js'))('@tensorflow/tfjs-node') as { path: string };
    expect(required.path.startsWith(workshop.root)).toBe(true);
  });

  test('leaves node-pre-gyp as it was', async () => {
    const workshop = makeWorkshop();
    await setUp(workshop);
    loadTensorFlow({ from: workshop.app, dir: workshop.root });
    const require = createRequire(join(workshop.app, 'x.js'));
    expect((require('@mapbox/node-pre-gyp') as { find(): string }).find()).toBe('/nowhere/tfjs_binding.node');
  });

  test('prefers the package for GPUs when both are set up', async () => {
    const workshop = makeWorkshop();
    await setUp(workshop);
    installTfjsNode(workshop.app, '@tensorflow/tfjs-node-gpu');
    await setUp(workshop, true);
    expect(loadTensorFlow({ from: workshop.app, dir: workshop.root }).version).toContain('tfjs-node-gpu');
  });

  test('takes the other package when the first is not set up', async () => {
    const workshop = makeWorkshop();
    await setUp(workshop);
    installTfjsNode(workshop.app, '@tensorflow/tfjs-node-gpu');
    expect(loadTensorFlow({ from: workshop.app, dir: workshop.root }).version).toContain('tfjs-node 4.22.0');
  });

  test('uses the binding of the package itself where its own installation worked', () => {
    const workshop = makeWorkshop();
    const folder = join(workshop.app, 'node_modules', '@tensorflow', 'tfjs-node');
    mkdirSync(join(folder, 'lib', 'napi-v8'), { recursive: true });
    const own = join(folder, 'lib', 'napi-v8', 'tfjs_binding.node');
    writeFileSync(own, COMPILED);
    const finder = join(workshop.app, 'node_modules', '@mapbox', 'node-pre-gyp', 'index.js');
    writeFileSync(finder, `exports.find = () => ${JSON.stringify(own)};`);
    expect(loadTensorFlow({ from: workshop.app, dir: workshop.root }).version).toBe('tfjs-node 4.22.0');
  });

  test('says when nothing is installed', () => {
    const workshop = makeWorkshop();
    rmSync(join(workshop.app, 'node_modules'), { recursive: true });
    expect(() => loadTensorFlow({ from: workshop.app, dir: workshop.root })).toThrow(
      /neither @tensorflow\/tfjs-node nor @tensorflow\/tfjs-node-gpu is installed/,
    );
  });

  test('says when it is installed and not set up', () => {
    const workshop = makeWorkshop();
    expect(() => loadTensorFlow({ from: workshop.app, dir: workshop.root })).toThrow(
      /tfjs-node 4\.22\.0 is installed but not set up.*mask-rcnn setup tensorflow/,
    );
  });

  test('says when the binding does not load, and can be tried again', async () => {
    const workshop = makeWorkshop();
    await setUp(workshop);
    const { findInstallation } = await import('../src/installation.ts');
    const { layout } = await import('../src/layout.ts');
    const { findTfjsNode } = await import('../src/tfjs-node.ts');
    const { binding } = findInstallation(layout(workshop.root), findTfjsNode('@tensorflow/tfjs-node', workshop.app)!)!;
    writeFileSync(binding, 'COMPILED\n');
    const load = () => loadTensorFlow({ from: workshop.app, dir: workshop.root });
    expect(load).toThrow(/does not load: .*bad binding/);
    writeFileSync(binding, COMPILED);
    expect(load().gpu).toBe(false);
  });
});
