import { type Detection, type Detector, engineModels, GroupNorm, useEngine } from '@rcnn/core';
import { LetterboxTransform } from '@rcnn/detector';
import { type FasterRCNN, maskRcnnResnetFpn, type RecipeOptions } from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, expect, test } from 'vitest';
import { CompiledDetector, compile, compileAs } from '../src/index.ts';
import { picture, tiny } from './support/models.ts';

beforeEach(() => useEngine('onnxruntime'));

const image = picture(60, 84, 10);
const small = (options: RecipeOptions = {}): FasterRCNN =>
  maskRcnnResnetFpn({ ...tiny(1), boxScoreThresh: 0, boxDetectionsPerImg: 4, numClasses: 2, ...options });
const grouped = (): FasterRCNN => small({ norm: (channels) => new GroupNorm(channels, { groups: 4 }) });
const corners = (found: readonly (readonly Detection[])[]): number[] => found.flat().flatMap(({ box }) => [...box]);

test('a norm that no graph has is refused, and nothing is left', async () => {
  const before = tf.memory().numTensors;
  const compiled = compile(grouped());
  await expect(compiled.detect([image])).rejects.toMatchObject({ code: 'EXPORT_UNSUPPORTED' });
  await expect(compiled.detect([image])).rejects.toMatchObject({ code: 'EXPORT_UNSUPPORTED' });
  compiled.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('where it may be left out, such a model predicts as it is', async () => {
  const model = grouped();
  const compiled = compile(model, { ifPossible: true });
  const found = corners(await compiled.detect([image]));
  expect(found.length).toBeGreaterThan(0);
  expect(found).toEqual(corners(await model.detect([image])));
  compiled.dispose();
});

test('by itself it is done for narrow networks, and left where the engine convolves wide maps quicker', async () => {
  const [narrow, wide] = [small(), small({ fpnChannels: 256 })];
  const compiled = compileAs(narrow);
  expect(compiled).toBeInstanceOf(CompiledDetector);
  expect(compileAs(narrow, 'off')).toBe(narrow);
  expect(compileAs(wide)).toBe(wide);
  const asked = compileAs(wide, 'on');
  expect(asked).toBeInstanceOf(CompiledDetector);
  expect(compileAs(wide, 'auto', { open: engineModels() })).toBeInstanceOf(CompiledDetector);
  for (const model of [compiled, asked]) model.dispose();
});

test('another kind of detector is named at once', () => {
  class Other {
    readonly spec = {};
  }
  const other = new Other() as unknown as Detector;
  expect(() => compile(other)).toThrow(/Other/);
  expect(compile(other, { ifPossible: true }).model).toBe(other);
});

test('an engine that runs no whole models is refused, or passed by', async () => {
  const model = small();
  await useEngine('cpu');
  expect(() => compile(model)).toThrow(expect.objectContaining({ code: 'ENGINE_CANNOT_COMPILE' }));
  const compiled = compile(model, { ifPossible: true });
  expect((await compiled.detect([image]))[0]!.length).toBeGreaterThan(0);
  compiled.dispose();
});

test.each<readonly [string, RecipeOptions]>([
  ['another rule of resizing', { transform: new LetterboxTransform({ size: [96, 96] }) }],
  [
    'anchors of no lattice',
    {
      rpnAnchorGenerator: {
        anchorsPerCell: [1, 1, 1, 1, 1],
        forward: (grids) => grids.map(([rows, columns]) => anchors(rows * columns)),
      },
    },
  ],
])('%s, which cannot be exported, is compiled', async (_what, options) => {
  const model = small(options);
  const compiled = compile(model);
  const expected = corners(await model.detect([image]));
  const found = corners(await compiled.detect([image]));
  expect(found.length).toBe(expected.length);
  for (const [i, corner] of expected.entries()) expect(Math.abs(found[i]! - corner)).toBeLessThan(0.05);
  compiled.dispose();
});

function anchors(count: number): Float32Array {
  return Float32Array.from({ length: 4 * count }, (_, i) => (i % 4 < 2 ? i % 17 : 20 + (i % 23)));
}
