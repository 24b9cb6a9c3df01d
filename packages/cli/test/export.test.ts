import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateDict } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { Random, useEngine } from '@rcnn/core';
import { architectures, findArchitecture, profileOf } from '@rcnn/models';
import { readDescription } from '@rcnn/onnx';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';

const directory = mkdtempSync(join(tmpdir(), 'rcnn-export-'));
const file = (name: string): string => join(directory, name);
const weights = file('weights.safetensors');
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => void vi.restoreAllMocks());

beforeAll(async () => {
  await useEngine('onnxruntime');
  const small = findArchitecture(architectures, 'maskrcnn_small');
  const options = { minSize: 64, maxSize: 96 };
  const model = small.build({ numClasses: 3, options, random: new Random(1) });
  for (const [name, parameter] of model.namedParameters()) {
    const gain = name.endsWith('cls_score.weight') || name.endsWith('rpn.head.cls_logits.weight') ? 60 : 1;
    tf.tidy(() => parameter.assign(tf.mul(parameter.value, gain)));
  }
  const classes = [
    { label: 1, categoryId: 7, name: 'circle' },
    { label: 2, categoryId: 9, name: 'square' },
  ];
  const profile = profileOf(small, model, options, { source: 'a test', classes });
  await saveCheckpoint(weights, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
  const pixels = Uint8Array.from({ length: 80 * 60 * 3 }, (_, i) => (i * 37 + Math.floor(i / 200) * 11) % 256);
  await sharp(pixels, { raw: { width: 80, height: 60, channels: 3 } })
    .png()
    .toFile(file('picture.png'));
});

/** Runs the program in this process; gives its exit code and what it wrote. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  const code = await main(args);
  vi.restoreAllMocks();
  return { code, ...written };
}

interface Result {
  readonly category_id: number;
  readonly score: number;
  readonly bbox: readonly number[];
}

async function predicted(model: string): Promise<Result[]> {
  const results = file('results.json');
  const { code, err } = await run(
    'predict',
    file('picture.png'),
    '--weights',
    model,
    '--results',
    results,
    '--no-save',
  );
  expect(err).not.toMatch(/error/i);
  expect(code).toBe(0);
  return JSON.parse(readFileSync(results, 'utf8')) as Result[];
}

test('what is exported predicts what its checkpoint does, under the same categories', async () => {
  const out = file('model.onnx');
  expect(await run('export', weights, '--out', out)).toMatchObject({ code: 0, out: `${out}\n` });
  expect(readDescription(readFileSync(out), out)).toMatchObject({ architecture: 'maskrcnn_small', numClasses: 3 });
  const expected = await predicted(weights);
  const found = await predicted(out);
  expect(expected.length).toBeGreaterThan(3);
  expect(found.map((one) => one.category_id)).toEqual(expected.map((one) => one.category_id));
  for (const [i, { score, bbox }] of expected.entries()) {
    expect(Math.abs(found[i]!.score - score)).toBeLessThan(1e-3);
    for (const [k, value] of bbox.entries()) expect(Math.abs(found[i]!.bbox[k]! - value)).toBeLessThan(0.05);
  }
});

test('three parts, and half floats, under names of their own', async () => {
  const out = file('p.onnx');
  const parts = ['image', 'box', 'mask'].map((part) => file(`p.${part}.onnx`));
  expect((await run('export', weights, '--out', out, '--three-parts')).out.trimEnd().split('\n')).toEqual(parts);
  expect(existsSync(out)).toBe(false);
  expect((await run('predict', file('picture.png'), '--weights', parts[1]!)).err).toMatch(
    /CHECKPOINT_MISMATCH.*box part/,
  );
  const half = file('half.onnx');
  expect((await run('export', weights, '--out', half, '--half')).code).toBe(0);
  expect(statSync(half).size).toBeLessThan(0.6 * statSync(weights).size);
});

test('what is there stays, unless --force is said; wrong names are told before the model is read', async () => {
  const out = file('taken.onnx');
  writeFileSync(out, 'mine');
  expect((await run('export', weights, '--out', out)).err).toMatch(/FILE_EXISTS/);
  expect(readFileSync(out, 'utf8')).toBe('mine');
  expect((await run('export', weights, '--out', file('model.pb'))).err).toMatch(/INVALID_ARGUMENT.*\.onnx/);
  expect((await run('export', weights, '--out', file('none/model.onnx'))).err).toMatch(/FILE_MISSING/);
  expect((await run('export', weights, '--opset', '15')).err).toMatch(/16 to 21/);
  expect((await run('export', weights, '--out', file('x.onnx'), '--half', '--int8')).err).toMatch(/exclude/);
});

test('what an exported model has fixed cannot be said again, and a damaged file is told by name', async () => {
  const out = file('fixed.onnx');
  await run('export', weights, '--out', out);
  const picture = file('picture.png');
  expect((await run('predict', picture, '--weights', out, '--min-size', '99')).err).toMatch(/--min-size.*fixed/);
  expect((await run('predict', picture, '--weights', out, '--score-threshold', '0.01')).err).toMatch(/another limit/);
  const cut = file('cut.onnx');
  writeFileSync(cut, readFileSync(out).subarray(0, 1e6));
  expect((await run('predict', picture, '--weights', cut)).err).toMatch(/FILE_MALFORMED.*cut\.onnx/);
  expect((await run('predict', picture, '--weights', file('none.onnx'))).err).toMatch(/FILE_MISSING/);
});
