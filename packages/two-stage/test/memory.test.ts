import { Random, trainableParameters, valueAndGradients } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { Fixture, fixtureImage, useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MaskRCNN, maskRcnnSmall } from '../src/index.ts';

let model: MaskRCNN;

beforeAll(async () => {
  await useFastEngine();
  model = maskRcnnSmall({ numClasses: 6, random: new Random(1), boxScoreThresh: 0.01 });
});

afterAll(() => model.dispose());

test('predictions gain no tensor', async () => {
  const images = [await fixtureImage('a'), await fixtureImage('b')];
  expect((await model.detect(images)).flat().length).toBeGreaterThan(0); // the first folds the norms
  await expectNoLeak(async () => {
    for (const { mask } of (await model.detect(images)).flat()) mask!.rle();
  }, 5);
});

test('losses gain no tensor, with a tape and without', async () => {
  const fixture = await Fixture.read(new URL('fixtures/train_maskrcnn_resnet18_fpn.safetensors', import.meta.url));
  const images = [await fixtureImage('a'), await fixtureImage('b')];
  const targets = [fixture.target(0), fixture.target(1)];
  await expectNoLeak(async () => tf.dispose(Object.values(await model.losses(images, targets, { phase: 'predict' }))));
  await expectNoLeak(async () => {
    const { loss, gradients } = await valueAndGradients(
      async () => ({ loss: tf.addN(Object.values(await model.losses(images, targets))) }),
      trainableParameters(model),
    );
    tf.dispose([loss, ...gradients.values()]);
  });
});

test('a part that throws leaves nothing behind', async () => {
  const images = [await fixtureImage('a')];
  const { detect } = model.roiHeads;
  model.roiHeads.detect = () => Promise.reject(new Error('a broken part'));
  try {
    await expectNoLeak(() => model.detect(images).catch(() => {}));
  } finally {
    model.roiHeads.detect = detect;
  }
});

test('dispose frees everything, also what predicting made', async () => {
  const before = tf.memory().numTensors;
  const other = maskRcnnSmall({ numClasses: 2, version: 2, norm: 'frozen', random: new Random(2) });
  await other.detect([await fixtureImage('a')]);
  other.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
