import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commands } from '../src/commands/index.ts';
import { createProgram } from '../src/index.ts';
import { patchesArchitecture, savePatches } from './support/patches-architecture.ts';
import { type Call, callWith } from './support/program.ts';

// Names of files to write that are no names: '' of a shell variable that is not set, and '-'.
const root = mkdtempSync(join(tmpdir(), 'cli-output-files-'));
const home = process.cwd();
const call = (...args: string[]): Promise<Call> => callWith({ architectures: [patchesArchitecture] }, ...args);
const MODEL = ['--weights', 'weights.safetensors', '--engine', 'cpu'];
const TRUTH = 'set/annotations/instances_val.json';

beforeAll(async () => {
  process.chdir(root);
  await savePatches('weights.safetensors');
  await writeShapes('set', { splits: { val: 2 }, size: [32, 32], tiny: 0 });
});
afterAll(() => {
  process.chdir(home);
  rmSync(root, { recursive: true, force: true });
});

const WITH_OUT: Readonly<Record<string, readonly string[]>> = {
  train: ['set', '--workers', '0'],
  export: [],
  predict: ['set/val/000001.png', ...MODEL],
  visualize: ['set'],
  preview: ['set'],
};

test('the commands that are tried are those with --out', () => {
  const all = commands.map(({ name }) => createProgram().commands.find((command) => command.name() === name)!);
  const have = all.filter(({ options }) => options.some(({ long }) => long === '--out')).map((found) => found.name());
  expect(have.sort()).toEqual(Object.keys(WITH_OUT).sort());
});

test.each([
  ...Object.entries(WITH_OUT).map(([command, args]) => [command, ...args, '--out', '']),
  ['predict', 'set/val/000001.png', ...MODEL, '--no-save', '--out', ''],
  ['evaluate', '--gt', TRUTH, '--dt', 'none.json', '--plots', ''],
  ['evaluate', '--gt', TRUTH, '--dt', 'none.json', '--numbers', ''],
  ['evaluate', '--gt', TRUTH, '--dt', 'none.json', '--arrays', ''],
  ['evaluate', '--gt', TRUTH, '--dt', 'none.json', '--arrays', '-'],
  ['val', 'set', ...MODEL, '--results', ''],
  ['predict', 'set/val/000001.png', ...MODEL, '--results', ''],
  ['predict', 'set/val/000001.png', ...MODEL, '--results', '-', '--json'],
  ['merge', 'parts', '--results', ''],
  ['merge', 'parts', '--results', '-', '--json'],
  ['val', 'set', ...MODEL, '--results', '-', '--json'],
])('%s %s %s %s %s %s %s %s is refused before the work, and leaves nothing', async (...args) => {
  const before = readdirSync(root);
  const { code, err } = await call(...args);
  expect(code).toBe(2);
  expect(err.match(/^error .*/gm)).toEqual([expect.stringMatching(/^error (INVALID_ARGUMENT|CONFIG_INVALID): /)]);
  expect(readdirSync(root)).toEqual(before);
});

test('val --results -: the list alone on stdout, the numbers on stderr', async () => {
  const words = await call('val', 'set', ...MODEL, '--results', 'found.json', '--no-losses');
  const list = await call('val', 'set', ...MODEL, '--results', '-', '--no-losses', '--per-class');
  expect(JSON.parse(list.out)).toEqual(JSON.parse(readFileSync('found.json', 'utf8')));
  expect(JSON.parse(list.out)).not.toHaveLength(0);
  const summary = words.out.split('\n').filter((line) => line.includes('Average'));
  expect(summary.length).toBeGreaterThanOrEqual(12);
  expect(list.err.split('\n')).toEqual(expect.arrayContaining(summary));
  expect(list.err).toContain('circle');
  expect(readdirSync(root)).not.toContain('-');
});

test('evaluate --numbers -: the same as --json', async () => {
  await call('val', 'set', ...MODEL, '--results', 'found.json', '--no-losses');
  const evaluate = (...args: string[]): Promise<Call> => call('evaluate', '--gt', TRUTH, '--dt', 'found.json', ...args);
  const json = await evaluate('--json');
  expect((await evaluate('--numbers', '-')).out).toBe(json.out);
  expect((await evaluate('--numbers', '-', '--json')).out).toBe(json.out);
  expect(Object.keys(JSON.parse(json.out) as object)).toEqual(['bbox', 'segm']);
  expect(readdirSync(root)).not.toContain('-');
});
