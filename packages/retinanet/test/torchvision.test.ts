import { loadStateDict, memorySource } from '@rcnn/checkpoint';
import { type Parameter, Random, trainableParameters, valueAndGradients, withoutInitialising } from '@rcnn/core';
import { prepare } from '@rcnn/detector';
import {
  above,
  Fixture,
  fixtureImage,
  relativeError,
  relativeToMaximum,
  sampleChannelsFirst,
  useFastEngine,
} from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { type RetinaNet, retinaNetResnetFpn } from '../src/index.ts';

beforeAll(useFastEngine);

const BIAS = 'head.classification_head.cls_logits.bias';

// torchvision 0.29's RetinaNet on ResNet-18 with a pyramid 64 wide, made by tools/reference/retinanet.py. Maps and losses
// 1e-4 of the largest value, boxes 0.02 pixels and scores 1e-4 by position, gradients 1e-2.
describe.each([1, 2] as const)('version %i', (version) => {
  let fixture: Fixture;
  let model: RetinaNet;

  beforeAll(async () => {
    fixture = await Fixture.read(new URL(`fixtures/retinanet_resnet18_v${version}.safetensors`, import.meta.url));
    model = withoutInitialising(() =>
      retinaNetResnetFpn({
        body: 'resnet18',
        version,
        fpnChannels: 64,
        numClasses: 6,
        minSize: 128,
        maxSize: 192,
        norm: 'frozen',
        trainableStages: 5,
        detectionsPerImg: 60,
      }),
    );
    const { tensors } = fixture.weights();
    const bias = fixture.entry(`weights.${BIAS}`, BIAS);
    await loadStateDict(
      model,
      memorySource([...tensors.values()].map((entry) => (entry.name === BIAS ? bias : entry))),
    );
    return () => model.dispose();
  });

  test('levels, and what is said of each anchor', async () => {
    const batch = await prepare('test', model.transform, [await fixtureImage('a'), await fixtureImage('b')]);
    const features = model.backbone.forward(batch.images);
    const { logits, deltas } = model.head.forward(features);
    const errors: Record<string, number> = {};
    for (const [i, map] of features.entries()) {
      const own = sampleChannelsFirst(map.dataSync(), map.shape, { step: 2, skip: 16 });
      errors[`p${i + 3}`] = relativeToMaximum(own, fixture.floats(`p${i + 3}`));
    }
    errors['logits'] = relativeToMaximum(everyRow(logits, 16), fixture.floats('logits'));
    errors['deltas'] = relativeToMaximum(everyRow(deltas, 16), fixture.floats('deltas'));
    expect(above(errors, 1e-4)).toEqual({});
    tf.dispose([batch.images, ...features, logits, deltas]);
  });

  test('what is found in two images, by position', async () => {
    const found = await model.detect([await fixtureImage('a'), await fixtureImage('b')]);
    for (const [i, detections] of found.entries()) {
      const at = `detections.${i}`;
      expect(detections.map(({ label }) => label)).toEqual([...fixture.integers(`${at}.labels`)]);
      const boxes = detections.flatMap(({ box }) => [...box]);
      const scores = detections.map(({ score }) => score);
      const errors = {
        boxes: relativeToMaximum(boxes, fixture.floats(`${at}.boxes`), 1) / 0.02,
        scores: relativeToMaximum(scores, fixture.floats(`${at}.scores`), 1) / 1e-4,
      };
      expect(above(errors, 1)).toEqual({});
    }
  });

  test.each(['both', 'one'] as const)('losses and gradients, objects in %s', async (which) => {
    const images = [await fixtureImage('a'), await fixtureImage('b')];
    const nothing = { boxes: new Float32Array(), labels: new Int32Array() };
    const targets = which === 'both' ? [fixture.objects(0), fixture.objects(1)] : [fixture.objects(0), nothing];
    const { loss, gradients, extra } = await valueAndGradients(async () => {
      const parts = await model.losses(images, targets, { random: new Random(1) });
      return { loss: tf.addN(Object.values(parts)), extra: parts };
    }, trainableParameters(model));
    const errors: Record<string, number> = {};
    for (const [name, value] of Object.entries(extra)) {
      errors[name] = relativeError(value.dataSync()[0]!, fixture.floats(`${which}.${name}`)[0]!);
    }
    expect(Object.keys(errors)).toEqual(['classification', 'bbox_regression']);
    expect(above(errors, 1e-4)).toEqual({});

    const wrong: Record<string, number> = {};
    const parameters = model.namedParameters();
    const prefix = `${which}.grad.stats.`;
    const theirs = fixture.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    expect([...gradients.keys()].sort()).toEqual(theirs.sort());
    for (const [name, gradient] of gradients) {
      const values = inTorchOrder(gradient, parameters.get(name)!);
      const [norm, , largest] = fixture.floats(prefix + name) as unknown as [number, number, number];
      wrong[`norm of ${name}`] = relativeError(Math.sqrt(values.reduce((sum, v) => sum + v * v, 0)), norm);
      wrong[`maximum of ${name}`] = relativeError(values.reduce((most, v) => Math.max(most, Math.abs(v)), 0), largest); // biome-ignore format: one line
      const full = `${which}.grad.full.${name}`;
      if (fixture.has(full)) wrong[`entries of ${name}`] = relativeToMaximum(values, fixture.floats(full));
    }
    expect(above(wrong, 1e-2)).toEqual({});
    tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
  });
});

/** Every so many rows of each image: `[N, A, width]` at `[:, ::step]`. */
function everyRow(x: tf.Tensor3D, step: number): Float32Array {
  const [, rows, width] = x.shape;
  return x.dataSync<'float32'>().filter((_, i) => (Math.floor(i / width) % rows) % step === 0);
}

/** A filter `[h, w, I, O]` as `[O, I, h, w]`; others as they are. */
function inTorchOrder(values: tf.Tensor, { layout }: Parameter): Float32Array {
  return tf.tidy(() => (layout === 'conv' ? tf.transpose(values, [3, 2, 0, 1]) : values).dataSync() as Float32Array);
}
