import { loadStateDict } from '@rcnn/checkpoint';
import { type PixelImage, trainableParameters, valueAndGradients, withoutInitialising } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { AffinePlacement, type HostImage, layOut, type ModelTransform } from '@rcnn/detector';
import {
  above,
  fixtureImage,
  relativeError,
  relativeToMaximum,
  sampleChannelsFirst,
  useFastEngine,
} from '@rcnn/fixtures';
import type { Mask } from '@rcnn/masks';
import { SGD } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { decoupledSoloResnetFpn, ownName, SOLO, soloV2ResnetFpn } from '../src/index.ts';
import { readFixture, SELECT, SMALL_LEVELS, targetsOf } from './support/fixtures.ts';

beforeAll(useFastEngine);

const RECIPES = { decoupled: decoupledSoloResnetFpn, solov2: soloV2ResnetFpn } as const;

/** What the files' models are given: no resizing, padding to 128x192, another size to go back to. */
class GivenSizes implements ModelTransform {
  readonly input = {
    resize: { rule: 'fixed', size: [128, 192] },
    sizeDivisor: 1,
    channelOrder: 'rgb',
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  } as const;

  forward(images: readonly HostImage[]) {
    const placements = images.map(({ size }) => new AffinePlacement({ originalSize: size, resizedSize: size }));
    return layOut(images, placements, [128, 192], this.input);
  }
}

function modelOf(kind: keyof typeof RECIPES): SOLO {
  const recipe = RECIPES[kind]({
    ...SELECT,
    numClasses: 6,
    body: 'resnet18',
    fpnChannels: 64,
    headChannels: 64,
    headDepth: 2,
    maskChannels: 64,
    kernelLength: 64,
    grids: SMALL_LEVELS.map(({ grid }) => grid),
    scaleRanges: SMALL_LEVELS.map(({ range }) => range),
  });
  return new SOLO({ transform: new GivenSizes(), backbone: recipe.backbone, head: recipe.head }, SELECT);
}

async function pictures(): Promise<PixelImage[]> {
  const crop = (image: PixelImage, [top, left]: [number, number], [height, width]: [number, number]): PixelImage => {
    const data = new Uint8Array(height * width * 3);
    for (let row = 0; row < height; row++) {
      const from = ((top + row) * image.width + left) * 3;
      data.set((image.data as Uint8Array).subarray(from, from + width * 3), row * width * 3);
    }
    return { data, height, width, channels: 3 };
  };
  const [a, b] = [await fixtureImage('a'), await fixtureImage('b')];
  return [crop(a, [40, 60], [128, 192]), crop(b, [50, 30], [120, 150])];
}

// By the authors' heads on mmdetection 3.3's ResNet-18 and FPN; the files' tolerances.
describe.each(['decoupled', 'solov2'] as const)('a whole model of %s', (kind) => {
  test('features, and the objects of two pictures by position', async () => {
    const fixture = await readFixture(`eval_${kind}_resnet18_small`);
    const model = withoutInitialising(() => modelOf(kind));
    await loadStateDict(
      model,
      fixture.weights((name) => ownName(name) ?? undefined),
    );
    const images = await pictures();
    const batch = model.transform.forward(
      images.map(({ data, height, width }) => ({ data, size: [height, width], scale: 1 / 255 }) as const),
    );
    const errors: Record<string, number> = {};
    const sample = sampleChannelsFirst(batch.images.dataSync(), batch.images.shape, { step: 8 });
    errors['batch'] = relativeToMaximum(sample, fixture.floats('batch.sample'));
    for (const [l, map] of model.backbone.forward(batch.images).entries()) {
      const [n, h, w, c] = map.shape;
      // Of the finest map every eighth channel is stored, of the others the first eight.
      const all = sampleChannelsFirst(map.dataSync(), map.shape, { skip: l === 0 ? 8 : 1 });
      const kept = l === 0 ? 8 : c;
      const first = Array.from({ length: n }, (_, i) => [
        ...all.subarray(i * kept * h * w, (i * kept + 8) * h * w),
      ]).flat();
      errors[`p${l + 2}`] = relativeToMaximum(first, fixture.floats(`features.p${l + 2}`));
      map.dispose();
    }
    batch.images.dispose();
    expect(above(errors, 1e-4)).toEqual({});

    const found = await model.detect(images);
    for (const [image, detections] of found.entries()) {
      const name = `detections.${image}`;
      // The reference lists objects that lie in the padding alone, without a pixel.
      const inside = [...fixture.integers(`${name}.areas`).entries()].flatMap(([k, area]) => (area > 0 ? [k] : []));
      expect(detections.map(({ label }) => label - 1)).toEqual(
        inside.map((k) => fixture.integers(`${name}.labels`)[k]),
      );
      const scores = detections.map(({ score }) => score);
      expectClose(scores, inside.map((k) => fixture.floats(`${name}.scores`)[k]!), { absolute: 1e-4, relative: 0 }); // biome-ignore format: one line
      if (image === 0) continue; // the file goes back to another size than the picture has
      const areas = detections.map(({ mask }) => mask.bitmap().reduce((sum, bit) => sum + bit, 0));
      const apart = areas.map((area, k) => Math.abs(area - fixture.integers(`${name}.areas`)[inside[k]!]!));
      expect(apart.filter((pixels) => pixels > 5)).toEqual([]);
      for (const [k, bitmap] of fixture.bitmaps(`${name}.masks.first2`).bitmaps.entries()) {
        if (!inside.includes(k)) continue;
        const own = detections[inside.indexOf(k)]!.mask.bitmap();
        expect(own.filter((bit, i) => bit !== bitmap[i]).length).toBeLessThanOrEqual(5);
      }
    }
    model.dispose();
  });

  test('three steps of training: losses, gradients, and the parameters after them', async () => {
    const fixture = await readFixture(`train_${kind}_resnet18_small`);
    const model = withoutInitialising(() => modelOf(kind));
    await loadStateDict(
      model,
      fixture.weights((name) => ownName(name) ?? undefined),
    );
    const images = await pictures();
    const targets = targetsOf(fixture).map(({ masks, ...target }, i) => {
      const size = [images[i]!.height, images[i]!.width] as const; // the file's masks are padded
      return { ...target, masks: masks!.map((mask) => (mask as Mask).crop(0, 0, size)) };
    });
    const trainable = trainableParameters(model);
    const optimizer = new SGD(trainable, { momentum: 0.9 });
    const origin = new Map(
      Object.keys(JSON.parse(fixture.metadata.get('weights')!) as object).map((name) => [ownName(name), name]),
    );
    for (let step = 0; step < 3; step++) {
      const { loss, gradients, extra } = await valueAndGradients(async () => {
        const parts = { ...(await model.losses(images, targets)) };
        return { loss: tf.addN(Object.values(parts)), extra: parts };
      }, trainable);
      const errors: Record<string, number> = {
        mask: relativeError(extra['loss_mask']!.dataSync()[0]!, fixture.floats(`step${step}.loss_ins`)[0]!),
        category: relativeError(extra['loss_cls']!.dataSync()[0]!, fixture.floats(`step${step}.loss_cate`)[0]!),
      };
      expect(above(errors, step === 0 ? 1e-4 : 1e-3)).toEqual({});
      if (step === 0) {
        const wrong: Record<string, number> = {};
        for (const [name, gradient] of gradients) {
          const stats = `grad.stats.${origin.get(name)!}`;
          const norm = Math.sqrt(squares(gradient));
          // Levels without an object have no gradient there, and one of 0 here.
          wrong[name] = relativeError(norm, fixture.has(stats) ? fixture.floats(stats)[0]! : 0);
        }
        expect([...gradients.keys()].sort()).toEqual([...trainable.keys()].sort());
        expect(above(wrong, 1e-2)).toEqual({});
      }
      const norm = Math.sqrt([...gradients.values()].reduce((sum, gradient) => sum + squares(gradient), 0));
      expect(above({ norm: relativeError(norm, fixture.floats(`step${step}.grad_norm`)[0]!) }, 1e-2)).toEqual({});
      optimizer.update({
        gradients,
        gradientScale: Math.min(1, 35 / norm),
        settingsOf: () => ({ learningRate: 0.01, weightDecay: 1e-4 }),
      });
      tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
    }
    const after: Record<string, number> = {};
    for (const [name, { value }] of trainable) {
      if (!fixture.has(`after.${origin.get(name)!}`)) continue;
      after[name] = relativeError(
        tf.tidy(() => tf.norm(value).dataSync()[0]!),
        fixture.floats(`after.${origin.get(name)!}`)[0]!,
      );
    }
    expect(above(after, 1e-3)).toEqual({});
    optimizer.dispose();
    model.dispose();
  });
});

const squares = (gradient: tf.Tensor): number => tf.tidy(() => tf.sum(tf.square(gradient)).dataSync()[0]!);
