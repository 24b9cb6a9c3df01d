import { type Detection, type PixelImage, useEngine } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import type { FasterRCNN } from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CompiledDetector, compile } from '../src/index.ts';
import { models, moreModels, picture, SIZES } from './support/models.ts';

beforeAll(() => useEngine('onnxruntime'));

const SCORE = { absolute: 1e-4, relative: 0 };
const PIXELS = { absolute: 0.05, relative: 0 };

/** The same objects in the same order: at least 999 of 1,000 pixels of each mask, key points within a pixel's fraction. */
function expectSame(found: readonly Detection[], expected: readonly Detection[]): void {
  expect(found.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
  expectClose(
    Float32Array.from(found, ({ score }) => score),
    Float32Array.from(expected, ({ score }) => score),
    SCORE,
  );
  expectClose(boxesOf(found), boxesOf(expected), PIXELS);
  for (const [i, { mask, keypoints }] of expected.entries()) {
    expect(keypoints === undefined).toBe(found[i]!.keypoints === undefined);
    if (keypoints) expectClose(found[i]!.keypoints!.flat(), keypoints.flat(), { absolute: 0.05, relative: 1e-4 });
    expect(mask === undefined).toBe(found[i]!.mask === undefined);
    if (mask) expect(shareOfEqual(found[i]!.mask!.bitmap(), mask.bitmap())).toBeGreaterThanOrEqual(0.999);
  }
}

const boxesOf = (list: readonly Detection[]): Float32Array => Float32Array.from(list.flatMap(({ box }) => [...box]));

function shareOfEqual(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  let equal = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) equal++;
  return equal / a.length;
}

const pictures = SIZES.map(([height, width], i) => picture(height, width, 10 + i));

describe.each(Object.entries({ ...models, ...moreModels }))('%s', (_name, make) => {
  let model: FasterRCNN;
  let compiled: CompiledDetector;
  beforeAll(() => {
    model = make();
    compiled = compile(model);
  });
  afterAll(() => compiled.dispose());

  test.each(pictures)('compiled, it finds the same in $height x $width', async (image) => {
    const [expected] = await model.detect([image]);
    const [found] = await compiled.detect([image]);
    expect(expected!.length).toBeGreaterThan(0);
    expectSame(found!, expected!);
  });

  test('in a batch of two', async () => {
    const batch = pictures.slice(0, 2);
    const expected = await model.detect(batch);
    const found = await compiled.detect(batch);
    for (const [i, ofImage] of expected.entries()) expectSame(found[i]!, ofImage);
  });

  test('where nothing is found', async () => {
    const never = make();
    const bias = [...never.namedParameters()].filter(([name]) => name.endsWith('cls_score.bias'));
    for (const [, parameter] of bias) {
      const sure = Float32Array.from({ length: parameter.size }, (_, label) => (label === 0 ? 1e4 : 0));
      tf.tidy(() => parameter.assign(tf.tensor(sure, [...parameter.shape])));
    }
    const nothing = compile(never);
    expect(await nothing.detect(pictures.slice(0, 2))).toEqual([[], []]);
    nothing.dispose();
  });
});

describe('one model', () => {
  const make = models['Mask R-CNN']!;
  const [image] = pictures as [PixelImage];

  test('weights that have changed are seen at the next image, and the graphs of before are gone', async () => {
    const model = make();
    const compiled = compile(model);
    await compiled.detect([image]);
    const again = model.namedParameters().get('roi_heads.box_predictor.cls_score.weight')!;
    tf.tidy(() => again.assign(tf.mul(again.value, -1)));
    const [expected] = await model.detect([image]);
    expectSame((await compiled.detect([image]))[0]!, expected!);
    compiled.dispose();
  });

  test('weights that stay are compiled once, at the first image, by however many calls', async () => {
    const model = make();
    let opened = 0;
    let open = 0;
    const { openOnnxModel } = await import('@rcnn/tfjs-backend-onnxruntime/model');
    const compiled = compile(model, {
      open(bytes) {
        const session = openOnnxModel(bytes);
        opened++;
        open++;
        return {
          run: (...args) => session.run(...args),
          dispose() {
            open--;
            session.dispose();
          },
        };
      },
    });
    expect(opened).toBe(0);
    await Promise.all([compiled.detect([image]), compiled.detect([image])]);
    await compiled.detect([image]);
    expect([opened, open]).toEqual([3, 3]);
    compiled.release();
    await Promise.resolve();
    expect(open).toBe(0);
    await compiled.detect([image]);
    expect([opened, open]).toEqual([6, 3]);
    compiled.dispose();
    compiled.dispose();
    await Promise.resolve();
    expect(open).toBe(0);
  });

  test('no tensor is left by compiling', async () => {
    const compiled = compile(make());
    await expectNoLeak(() => compiled.detect([image]));
    compiled.dispose();
  });

  test('half and int8 weights find nearly the same', async () => {
    const model = make();
    const [expected] = await model.detect([image]);
    for (const weights of ['float16', 'int8'] as const) {
      const compiled = compile(model, { weights });
      const [found] = await compiled.detect([image]);
      expect(Math.abs(found!.length - expected!.length)).toBeLessThanOrEqual(Math.ceil(0.2 * expected!.length));
      compiled.release();
    }
    model.dispose();
  });
});
