import { loadStateDict } from '@rcnn/checkpoint';
import { withoutInitialising } from '@rcnn/core';
import { prepare } from '@rcnn/detector';
import { above, Fixture, fixtureImage, relativeToMaximum, sampleChannelsFirst, useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  fromAuthorsNames,
  type YOLACT,
  yolactPlusResnetFpn,
  yolactResnet50Fpn,
  yolactResnetFpn,
} from '../src/index.ts';

beforeAll(useFastEngine);

// The authors' code at commit 902073d4, whole models with hashed weights under the authors' names. Tolerances: maps 1e-4
// of the largest value, scores 1e-4, boxes 1e-4 of the image by position, masks five pixels. Boxes come back as whole
// pixels there, cut off.
describe.each([
  {
    file: 'eval_yolact_resnet18_small',
    build: () => yolactResnetFpn({ body: 'resnet18', fpnChannels: 64, numClasses: 6, imageSize: 138 }),
    sample: { step: 1, skip: 4, priors: 1, coefficients: 4, proto: 2 },
  },
  {
    file: 'eval_yolact_resnet50_550layout',
    build: () => yolactResnet50Fpn({ imageSize: 138 }),
    sample: { step: 2, skip: 16, priors: 32, coefficients: 32, proto: 6 },
  },
  {
    // YOLACT++: its priors and its rescoring, ordinary convolutions in place of deformable ones.
    file: 'eval_yolact_plus_resnet18_small',
    build: () =>
      yolactPlusResnetFpn({
        body: 'resnet18',
        fpnChannels: 64,
        numClasses: 6,
        imageSize: 138,
        maskRescoring: [8, 16, 32],
      }),
    sample: { step: 2, skip: 16, priors: 16, coefficients: 16, proto: 4 },
  },
])('$file', ({ file, build, sample }) => {
  let fixture: Fixture;
  let model: YOLACT;

  beforeAll(async () => {
    fixture = await Fixture.read(new URL(`fixtures/${file}.safetensors`, import.meta.url));
    model = withoutInitialising(build);
    await loadStateDict(model, fromAuthorsNames(fixture.weights()));
    return () => model.dispose();
  });

  test('levels, prototypes and what is said of each prior', async () => {
    const images = [await fixtureImage('a'), await fixtureImage('b')];
    const batch = await prepare('test', model.transform, images);
    const features = model.backbone.forward(batch.images);
    const { deltas, logits, coefficients } = model.head.forward(features);
    const prototypes = model.protoNet.forward(features[0]!);
    const errors: Record<string, number> = {};
    for (const [i, map] of features.entries()) {
      const own = sampleChannelsFirst(map.dataSync(), map.shape, sample);
      errors[`p${i + 3}`] = relativeToMaximum(own, fixture.floats(`features.p${i + 3}`));
    }
    errors['deltas'] = relativeToMaximum(everyRow(deltas, sample.priors), fixture.floats('raw.loc'));
    errors['logits'] = relativeToMaximum(everyRow(logits, sample.priors), fixture.floats('raw.conf'));
    errors['coefficients'] = relativeToMaximum(everyRow(coefficients, sample.coefficients), fixture.floats('raw.mask'));
    errors['prototypes'] = relativeToMaximum(everyCell(prototypes, sample.proto), fixture.floats('proto'));
    expect(above(errors, 1e-4)).toEqual({});
    tf.dispose([batch.images, ...features, deltas, logits, coefficients, prototypes]);
  });

  test('what is found in two images, by position', async () => {
    const images = [await fixtureImage('a'), await fixtureImage('b')];
    const found = await model.detect(images);
    for (const [i, detections] of found.entries()) {
      const { height, width } = images[i]!;
      const at = `detections.${i}`;
      const boxes = Float32Array.from(
        detections.flatMap(({ box: [x1, y1, x2, y2] }) => [x1 / width, y1 / height, x2 / width, y2 / height]),
      );
      const expected = fixture.floats(`${at}.boxes_relative`).map((share) => Math.min(1, Math.max(0, share)));
      const errors = {
        scores: relativeToMaximum(detections.map(({ score }) => score), fixture.floats(`${at}.scores`)), // biome-ignore format: one line
        boxes: relativeToMaximum(boxes, expected, 1),
      };
      expect(above(errors, 1e-4)).toEqual({});
      const ofMasks = detections.flatMap(({ maskScore }) => maskScore ?? []);
      expect(ofMasks.length > 0).toBe(fixture.has(`${at}.mask_scores`));
      if (ofMasks.length > 0) {
        expect(relativeToMaximum(ofMasks, fixture.floats(`${at}.mask_scores`))).toBeLessThan(1e-4);
      }
      expect(detections.map(({ label }) => label - 1)).toEqual([...fixture.integers(`${at}.classes`)]);
      const pixels = fixture.integers(`${at}.boxes`);
      const cut = detections.flatMap(({ box }) => box.map(Math.trunc));
      expect(cut.filter((side, k) => Math.abs(side - pixels[k]!) > 1)).toEqual([]);
      const [name] = fixture.names.flatMap((key) => key.startsWith(`${at}.masks.first`) ? [key.replace(/\.\w+$/, '')] : []); // biome-ignore format: one line
      const { bitmaps } = fixture.bitmaps(name!);
      for (const [k, bitmap] of bitmaps.entries()) {
        const own = detections[k]!.mask.bitmap();
        expect(own.reduce((count, value, p) => count + Math.abs(value - bitmap[p]!), 0)).toBeLessThanOrEqual(5);
      }
      const areas = fixture.integers(`${at}.mask_areas`);
      for (let k = 0; k < detections.length; k += 9) {
        const area = detections[k]!.mask.bitmap().reduce((sum, value) => sum + value, 0);
        expect(Math.abs(area - areas[k]!), `area of mask ${k}`).toBeLessThanOrEqual(5);
      }
    }
  });
});

/** Every so many rows of each image: `[N, P, width]` at `[:, ::step]`. */
function everyRow(x: tf.Tensor3D, step: number): Float32Array {
  const [, rows, width] = x.shape;
  return x.dataSync<'float32'>().filter((_, i) => (Math.floor(i / width) % rows) % step === 0);
}

/** Every so many rows and columns: `[N, H, W, k]` at `[:, ::step, ::step]`. */
function everyCell(x: tf.Tensor4D, step: number): Float32Array {
  const [, height, width, count] = x.shape;
  return x.dataSync<'float32'>().filter((_, i) => {
    const cell = Math.floor(i / count);
    return (Math.floor(cell / width) % height) % step === 0 && (cell % width) % step === 0;
  });
}
