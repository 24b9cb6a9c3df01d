import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { main } from '../src/main.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cli-train-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 2, val: 3 }, size: [48, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs one call of the program. */
async function call(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => (out += String(text)).length > 0);
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => (err += String(text)).length > 0);
  try {
    return { code: await main(args), out, err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

describe('train', () => {
  test('--print-config shows every option: preset, then file, then command line', async () => {
    const file = join(folder, 'my.yaml');
    writeFileSync(file, 'preset: balloon\nepochs: 7\nmilestones: [2, 4.5]\nseed: 5\n');
    const flags = [
      '--learning-rate',
      '5e-4',
      '--min-size',
      '64,96',
      '--learning-rates',
      'backbone.*=0.1',
      '--freeze',
      'a.*,b',
      '--seed',
      '6',
    ];
    const { code, out } = await call('train', 'some/data', '--config', file, ...flags, '--print-config');
    expect(code).toBe(0);
    expect(parse(out)).toMatchObject({
      data: 'some/data',
      epochs: 7,
      milestones: [2, 4.5],
      learningRate: 5e-4,
      model: { roisPerImage: 128, minSize: [64, 96] }, // the first is the preset's
      learningRates: { 'backbone.*': 0.1 },
      freeze: ['a.*', 'b'],
      seed: 6,
    });
  });

  test.each([
    [['--epoch', '3'], /unknown option '--epoch'[\s\S]*--epochs/],
    [['--optimizer', 'adam'], /adamw/],
    [['--epochs', 'ten'], /epochs[\s\S]*'ten'[\s\S]*a number/],
    [['--epochs', '0'], /epochs/],
    [['--learning-rates', 'backbone'], /pattern=factor/],
    [['--config', 'nowhere.yaml'], /nowhere\.yaml/],
  ])('%j is an error that helps', async (flags, message) => {
    const { code, err } = await call('train', 'data', ...flags, '--print-config');
    expect(code).toBeGreaterThan(0);
    expect(err).toMatch(message);
  });

  test('a typo in the file is found with its line', async () => {
    const file = join(folder, 'typo.yaml');
    writeFileSync(file, 'data: a\nlearningrate: 1\nepochs: no\n');
    const { code, err } = await call('train', '--config', file);
    expect(code).toBe(2);
    expect(err).toMatch(/typo\.yaml/);
    writeFileSync(file, 'data: a\nlearningrate: 1\n');
    expect((await call('train', '--config', file)).err).toMatch(
      /2:\d+.*no option 'learningrate'; did you mean 'learningRate'\?/,
    );
  });

  test.each([
    [['--steps', '-3'], /\(--steps\): expected a number of at least 1, found -3/],
    [['--learning-rate', 'abc'], /\(--learning-rate\): .*found 'abc', expected a number/],
    [['--learning-rates', 'backbone.*=-1'], /\(--learning-rates\): expected a number of at least 0, found -1/],
    [['--model.min-size', 'wide'], /\(--model\.min-size\): .*found 'wide', expected a number/],
  ])('%j is refused under the name that was typed, with what was found', async (options, message) => {
    const { code, err } = await call('train', 'anywhere', ...options);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test('without data it says what to write', async () => {
    expect((await call('train')).err).toMatch(/no data are given.*mask-rcnn train path\/to\/data/);
  });
});

describe('visualize', () => {
  test('draws the truth of a dataset, one file per image', async () => {
    const out = join(folder, 'pictures');
    const { code, out: printed } = await call(
      'visualize',
      join(folder, 'data'),
      '--split',
      'val',
      '--out',
      out,
      '--limit',
      '2',
    );
    expect(code).toBe(0);
    expect(readdirSync(out)).toHaveLength(2);
    expect(printed.trim().split('\n')).toEqual(readdirSync(out).map((name) => join(out, name)));
  });

  test('draws a list of results', async () => {
    const results = join(folder, 'results.json');
    writeFileSync(results, JSON.stringify([{ image_id: 3, category_id: 1, bbox: [4, 5, 20, 20], score: 0.9 }]));
    const flags = ['--split', 'val', '--predictions', results, '--out', join(folder, 'found')];
    expect((await call('visualize', join(folder, 'data'), ...flags)).code).toBe(0);
  });

  test.each([
    [['nowhere'], /no such image, folder or match/],
    [['{data}', '--split', 'test'], /there is no split 'test'/],
    [['{data}/val'], /plain images have no truth to draw.*--weights/],
    [['{data}', '--limit', 'all'], /'all' is invalid. It must be a whole number from 1/],
  ])('%j is an error that helps', async (args, message) => {
    const { code, err } = await call('visualize', ...args.map((arg) => arg.replace('{data}', join(folder, 'data'))));
    expect(code).toBeGreaterThan(0);
    expect(err).toMatch(message);
  });
});
