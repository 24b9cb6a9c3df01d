import { type Detection, type Detector, type MaskDetection, useEngine } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import { openOnnxModel } from '@rcnn/tfjs-backend-onnxruntime/model';
import { type FasterRCNN, maskRcnnResnetFpn } from '@rcnn/two-stage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExportOptions, exportOnnx, OnnxDetector } from '../src/index.ts';
import { models, picture, SIZES, tiny } from './support/models.ts';

beforeAll(() => useEngine('onnxruntime'));

/** The bounds of the promise: scores within 1e-3, boxes within 0.05 pixels. */
const SCORE = { absolute: 1e-3, relative: 0 };
const PIXELS = { absolute: 0.05, relative: 0 };

async function exported(model: Detector, options?: ExportOptions): Promise<OnnxDetector> {
  return OnnxDetector.open(await exportOnnx(model, options), openOnnxModel);
}

function expectSame(found: readonly Detection[], expected: readonly Detection[]): void {
  expect(found.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
  const scores = (list: readonly Detection[]) => Float32Array.from(list, ({ score }) => score);
  const boxes = (list: readonly Detection[]) => Float32Array.from(list.flatMap(({ box }) => [...box]));
  expectClose(scores(found), scores(expected), SCORE);
  expectClose(boxes(found), boxes(expected), PIXELS);
  for (const [i, { mask }] of expected.entries()) {
    const own = found[i]!.mask;
    expect(own === undefined).toBe(mask === undefined);
    if (mask === undefined || own === undefined || i > 4) continue;
    expectClose(own.soft(), mask.soft(), { absolute: 2e-3, relative: 0 });
  }
}

describe.each(Object.entries(models))('%s', (_name, make) => {
  let model: FasterRCNN;
  let detector: OnnxDetector;
  beforeAll(async () => {
    model = make();
    detector = await exported(model);
  });
  afterAll(() => {
    detector.dispose();
    model.dispose();
  });

  test.each(SIZES.map(([height, width], i) => ({ height, width, seed: 10 + i })))(
    'finds the same in $height x $width',
    async ({ height, width, seed }) => {
      const image = picture(height, width, seed);
      const [expected] = await model.detect([image]);
      const [found] = await detector.detect([image]);
      expect(expected!.length).toBeGreaterThan(3);
      expectSame(found!, expected!);
    },
  );
});

describe('one model', () => {
  const make = models['Mask R-CNN']!;

  test('every opset that may be asked for gives the same', async () => {
    const model = make();
    const image = picture(80, 100, 1);
    const [expected] = await model.detect([image]);
    for (const opset of [16, 21]) {
      const detector = await exported(model, { opset });
      expectSame((await detector.detect([image]))[0]!, expected!);
      detector.dispose();
    }
    model.dispose();
  });

  test('smaller weights make a smaller file that finds nearly the same', async () => {
    const model = make();
    const image = picture(80, 100, 1);
    const [expected] = await model.detect([image]);
    const full = (await exportOnnx(model)).length;
    for (const [weights, share, near] of [
      ['float16', 0.75, 0.02],
      ['int8', 0.65, 0.2],
    ] as const) {
      const bytes = await exportOnnx(model, { weights });
      expect(bytes.length / full).toBeLessThan(share);
      const detector = await OnnxDetector.open(bytes, openOnnxModel);
      const [found] = await detector.detect([image]);
      expect(Math.abs(found![0]!.score - expected![0]!.score)).toBeLessThan(near);
      expect(Math.abs(found!.length - expected!.length)).toBeLessThan(expected!.length / 4);
      detector.dispose();
    }
    model.dispose();
  });

  test('nothing found is a normal answer', async () => {
    const model = maskRcnnResnetFpn({ ...tiny(1), numClasses: 3, boxScoreThresh: 0.999 });
    const bytes = await exportOnnx(model);
    const session = openOnnxModel(bytes);
    const image = { data: new Float32Array(3 * 40 * 50), dims: [3, 40, 50] };
    const { boxes, labels, scores, masks } = await session.run({ image }, ['boxes', 'labels', 'scores', 'masks']);
    expect([boxes, labels, scores, masks].map((tensor) => [...tensor!.dims])).toEqual([
      [0, 4],
      [0],
      [0],
      [0, 1, 28, 28],
    ]);
    session.dispose();
    model.dispose();
  });

  test('exporting leaves no tensor behind, and detecting makes none', async () => {
    const model = make();
    await expectNoLeak(async () => void (await exportOnnx(model)));
    const detector = await exported(model);
    await expectNoLeak(async () => void (await detector.detect([picture(40, 50, 1)])));
    detector.dispose();
    await expect(detector.detect([picture(40, 50, 1)])).rejects.toThrow(/disposed/);
    model.dispose();
  });

  test('limits may be narrowed and not widened', async () => {
    const model = make();
    const bytes = await exportOnnx(model);
    const narrow = await OnnxDetector.open(bytes, openOnnxModel, { scoreThreshold: 0.5, detectionsPerImage: 2 });
    const [found] = await narrow.detect([picture(80, 100, 1)]);
    expect(found!.length).toBeLessThanOrEqual(2);
    expect(found!.every(({ score }) => score >= 0.5)).toBe(true);
    narrow.dispose();
    const wide = [{ scoreThreshold: 0.1 }, { detectionsPerImage: 101 }];
    for (const options of wide) {
      await expect(OnnxDetector.open(bytes, openOnnxModel, options)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
    model.dispose();
  });

  test('it predicts alone: what it is made of cannot learn', async () => {
    const model = make();
    const detector = await exported(model);
    expect(detector.namedParameters().size).toBe(0);
    await expect(detector.losses()).rejects.toMatchObject({ code: 'EXPORT_UNSUPPORTED' });
    expect(detector.spec).toMatchObject({ numClasses: 5, finds: ['boxes', 'masks'], learnsFrom: [] });
    const [[first]] = (await detector.detect([picture(80, 100, 1)])) as [[MaskDetection]];
    expect(first.mask.size).toEqual([80, 100]);
    detector.dispose();
    model.dispose();
  });
});
