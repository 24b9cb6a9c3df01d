import { Random, trainableParameters, useEngine, valueAndGradients } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { fixtureImage } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { AdamW } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { type SOLO, soloV2Small } from '../src/index.ts';

beforeAll(() => useEngine('onnxruntime'));

const build = (): SOLO =>
  soloV2Small({ numClasses: 3, minSize: 64, maxSize: 96, scoreThreshold: 0, random: new Random(1) });

test('training steps and predictions gain no tensor, and dispose frees all', async () => {
  const before = tf.memory().numTensors;
  const model = build();
  const parameters = trainableParameters(model);
  const optimizer = new AdamW(parameters);
  const image = await fixtureImage('a');
  const target = {
    boxes: Float32Array.of(20, 30, 120, 130),
    labels: Int32Array.of(2),
    masks: [Mask.fromBox([20, 30, 100, 100], [image.height, image.width])],
  };
  const step = async (): Promise<void> => {
    const { loss, gradients } = await valueAndGradients(
      async () => ({ loss: tf.addN(Object.values(await model.losses([image, image], [target, target]))) }),
      parameters,
    );
    optimizer.update({ gradients, settingsOf: () => ({ learningRate: 1e-3, weightDecay: 0 }) });
    tf.dispose([loss, ...gradients.values()]);
  };
  await step(); // the first makes the optimizer's moments
  await expectNoLeak(step, 5);
  const found = async (): Promise<void> => {
    for (const { mask } of (await model.detect([image])).flat()) mask.rle();
  };
  await found();
  await expectNoLeak(found, 5);
  optimizer.dispose();
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('a part that throws leaves nothing behind', async () => {
  const model = build();
  const image = await fixtureImage('a');
  await model.detect([image]); // the first folds the norms of the body
  model.head.forward = () => {
    throw new Error('a broken part');
  };
  const nothing = { boxes: new Float32Array(), labels: new Int32Array() };
  await expectNoLeak(() => model.detect([image]).catch(() => {}));
  await expectNoLeak(() => model.losses([image], [nothing]).catch(() => {}));
  model.dispose();
});
