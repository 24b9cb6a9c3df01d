import { type Detection, useEngine } from '@rcnn/core';
import * as ort from 'onnxruntime-web';
import { beforeAll, expect, test } from 'vitest';
import { compile, exportOnnx, OnnxDetector, webModels } from '../src/index.ts';
import { models, moreModels, picture } from './support/models.ts';

// onnxruntime-web as browsers have it: the same WebAssembly, in Node.
ort.env.wasm.numThreads = 1;
const open = webModels(ort);

beforeAll(() => useEngine('onnxruntime'));

function expectSame(found: readonly Detection[], expected: readonly Detection[]): void {
  expect(found.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
  for (const [i, { score, box, mask }] of expected.entries()) {
    expect(Math.abs(found[i]!.score - score)).toBeLessThan(1e-3);
    for (const [k, corner] of box.entries()) expect(Math.abs(found[i]!.box[k]! - corner)).toBeLessThan(0.05);
    const [own, other] = [found[i]!.mask?.bitmap(), mask?.bitmap()];
    expect(own?.length).toBe(other?.length);
    if (own && other)
      expect(own.filter((pixel, at) => pixel !== other[at]).length).toBeLessThanOrEqual(own.length / 1000);
  }
}

const image = picture(60, 84, 10);

test('an exported file finds the same on onnxruntime-web', async () => {
  const model = models['Mask R-CNN']!();
  const [expected] = await model.detect([image]);
  expect(expected!.length).toBeGreaterThan(3);
  const detector = await OnnxDetector.open(await exportOnnx(model), open);
  expectSame((await detector.detect([image]))[0]!, expected!);
  detector.dispose();
  model.dispose();
});

test.each(Object.entries({ 'Mask R-CNN': models['Mask R-CNN']!, ...moreModels }))(
  'compiled for onnxruntime-web, %s finds the same, calls at once included',
  async (_name, make) => {
    const model = make();
    const [expected] = await model.detect([image]);
    expect(expected!.length).toBeGreaterThan(0);
    const compiled = compile(model, { open });
    const answers = await Promise.all([compiled.detect([image]), compiled.detect([image])]);
    for (const [found] of answers) expectSame(found!, expected!);
    compiled.dispose();
  },
);
