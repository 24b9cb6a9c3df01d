import { loadStateDict, memorySource, stateDict } from '@rcnn/checkpoint';
import { type PixelImage, Random, trainableParameters, valueAndGradients, withoutInitialising } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { readImages } from '@rcnn/detector';
import {
  above,
  Fixture,
  fixtureImage,
  relativeError,
  relativeToMaximum,
  sampleChannelsFirst,
  shareOfBoxesFound,
  useFastEngine,
} from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { AnchorGenerator } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { architectureOf, classesOf } from '../src/from-checkpoint.ts';
import { architecture, type FasterRCNN, firstInOrderSampler, type RecipeOptions } from '../src/index.ts';
import { normErrors } from './support/detectron2.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

beforeAll(useFastEngine);

/** The file has small dense layers in place of those of 4096. */
function build(options: RecipeOptions): FasterRCNN {
  const small = { numClasses: 6, boxFeatures: 128, minSize: 160, maxSize: 224 };
  return withoutInitialising(() => architecture('fasterrcnn_vgg16')({ ...small, ...options }));
}

// torchvision 0.29.1's Faster R-CNN on the convolutions of its VGG-16, with RoIPool, on one image. The file's tolerances:
// maps and losses 1e-4 relative, detections 0.02 pixels and 1e-4 in score by position, gradients 5e-2, for the largest
// of a pool's cells can change.
test('the map, the first stage and the detections are torchvision’s', async () => {
  const fixture = await read('eval_fasterrcnn_vgg16_small');
  const model = build({ rpnPostNmsTopNTest: 100, boxDetectionsPerImg: 12 });
  const weights = fixture.weights((name) => name.replace(/^backbone\./, 'backbone.body.features.'));
  expect(architectureOf(weights)).toBe('fasterrcnn_vgg16');
  await loadStateDict(model, weights);
  const images = [await fixtureImage('a')];
  const batch = model.transform.forward(await readImages('test', images));
  const features = model.backbone.forward(batch.images);
  const outputs = model.rpn.forward(features);
  const errors: Record<string, number> = {};
  const maps = { 'rpn.objectness': outputs.logits[0]!, 'rpn.deltas': outputs.deltas[0]! };
  for (const [name, map] of Object.entries(maps)) {
    errors[name] = relativeToMaximum(sampleChannelsFirst(await map.data(), map.shape), fixture.floats(name));
  }
  const sample = sampleChannelsFirst(await features[0]!.data(), features[0]!.shape, { skip: 8, step: 1 });
  errors['features'] = relativeToMaximum(sample, fixture.floats('features.sample'));
  expect(above(errors, 1e-4)).toEqual({});
  const sizes = batch.placements.map(({ size }) => size);
  const [proposals] = await model.rpn.propose(outputs, sizes, batch.paddedSize, 'test');
  expect(shareOfBoxesFound(proposals!.boxes, fixture.floats('proposals.0'), 0.02)).toBe(1);
  const [found] = await model.detect(images);
  expect(found!.map(({ label }) => label)).toEqual([...fixture.integers('detections.0.labels')]);
  const boxes = found!.flatMap(({ box }) => [...box]);
  const scores = found!.map(({ score }) => score);
  expect(relativeToMaximum(boxes, fixture.floats('detections.0.boxes'), 1)).toBeLessThan(0.02);
  expect(relativeToMaximum(scores, fixture.floats('detections.0.scores'), 1)).toBeLessThan(1e-4);
  tf.dispose([batch.images, [...features], outputs.logits, outputs.deltas] as tf.TensorContainer);
  model.dispose();
});

test('losses, and the gradient of every parameter from the third stage on', async () => {
  const fixture = await read('train_fasterrcnn_vgg16_small');
  const model = build({
    rpnPostNmsTopNTrain: 100,
    rpnSampler: firstInOrderSampler({ batchSize: 256, positiveFraction: 0.5 }),
    boxSampler: firstInOrderSampler({ batchSize: 32, positiveFraction: 0.25 }),
  });
  await loadStateDict(
    model,
    fixture.weights((name) => name.replace(/^backbone\./, 'backbone.body.features.')),
  );
  const target = { boxes: fixture.floats('targets.0.boxes'), labels: fixture.integers('targets.0.labels') };
  const image = await fixtureImage('a');
  const { loss, gradients, extra } = await valueAndGradients(async () => {
    const parts = await model.losses([image], [target]);
    return { loss: tf.addN(Object.values(parts)), extra: parts };
  }, trainableParameters(model));
  const errors: Record<string, number> = {};
  for (const [name, value] of Object.entries(extra)) {
    errors[name] = relativeError((await value.data())[0]!, fixture.floats(`step0.${name}`)[0]!);
  }
  expect(Object.keys(errors)).toHaveLength(4);
  expect(above(errors, 1e-4)).toEqual({});
  const stored = fixture.names.filter((name) => name.startsWith('grad.stats.'));
  expect(gradients.size).toBe(stored.length);
  const theirs = (name: string): string => name.replace('backbone.body.features.', 'backbone.');
  expect(above(await normErrors(gradients, fixture, theirs), 5e-2)).toEqual({});
  tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
  model.dispose();
});

test('with norms and masks: it learns and detects, its weights make it again, and no tensor is left', async () => {
  const options = {
    numClasses: 4,
    norm: 'batch',
    trainableStages: 5,
    fpnChannels: 8,
    boxFeatures: 16,
    minSize: 64,
    maxSize: 96,
    rpnPostNmsTopNTrain: 20,
    rpnPostNmsTopNTest: 20,
    rpnAnchorGenerator: new AnchorGenerator({ sizes: [[16, 32, 64]] }),
    random: new Random(3),
  } as const;
  const model = architecture('maskrcnn_vgg16_bn')(options);
  const image: PixelImage = { data: new Uint8Array(64 * 80 * 3).fill(90), height: 64, width: 80, channels: 3 };
  const masks = [Mask.fromBitmap(new Uint8Array(64 * 80).fill(1, 900, 1800), [64, 80])];
  const target = { boxes: Float32Array.of(8, 8, 50, 50), labels: Int32Array.of(2), masks };
  const { loss, gradients, extra } = await valueAndGradients(async () => {
    const parts = await model.losses([image], [target]);
    return { loss: tf.addN(Object.values(parts)), extra: parts };
  }, trainableParameters(model));
  expect(Object.keys(extra)).toContain('loss_mask');
  expect(Number.isFinite((await loss.data())[0])).toBe(true);
  expect(gradients.size).toBe(trainableParameters(model).size);
  tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
  await model.detect([image]); // folds the norms
  await expectNoLeak(() => model.detect([image]));
  const weights = memorySource([...(await stateDict(model)).values()], 'weights');
  expect([architectureOf(weights), classesOf(weights)]).toEqual(['maskrcnn_vgg16_bn', 4]);
  const again = withoutInitialising(() => architecture('maskrcnn_vgg16_bn')({ ...options, norm: 'frozen' }));
  const { missing, unexpected } = await loadStateDict(again, weights);
  expect([missing, unexpected]).toEqual([[], []]);
  again.dispose();
  model.dispose();
});
