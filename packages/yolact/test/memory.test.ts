import { Random, trainableParameters, valueAndGradients } from '@rcnn/core';
import { fixtureImage, useFastEngine } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { AdamW } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { yolactSmall } from '../src/index.ts';

beforeAll(useFastEngine);

test('training steps and predictions gain no tensor, and dispose frees all', async () => {
  const before = tf.memory().numTensors;
  const narrow = {
    planes: [8, 8, 16, 16],
    stemChannels: 8,
    fpnChannels: 16,
    numPrototypes: 8,
    imageSize: 64,
    detectionsPerImage: 5,
  };
  const model = yolactSmall({ ...narrow, numClasses: 3, random: new Random(2) });
  const optimizer = new AdamW(trainableParameters(model));
  const image = await fixtureImage('a');
  const bitmap = Uint8Array.from({ length: 240 * 320 }, (_, i) => (i % 320 > 80 && i % 320 < 200 ? 1 : 0));
  const boxes = Float32Array.of(80, 0, 200, 240);
  const target = { boxes, labels: Int32Array.of(1), masks: [Mask.fromBitmap(bitmap, [240, 320])] };
  const nothing = { boxes: new Float32Array(), labels: new Int32Array(), masks: [] };
  const step = async (learnt: readonly (typeof target)[]): Promise<void> => {
    const { loss, gradients } = await valueAndGradients(async () => {
      return { loss: tf.addN(Object.values(await model.losses(learnt.map(() => image), learnt))) }; // biome-ignore format: one line
    }, trainableParameters(model));
    optimizer.update({ gradients, settingsOf: () => ({ learningRate: 1e-3, weightDecay: 0 }) });
    tf.dispose([loss, ...gradients.values()]);
    for (const { mask } of (await model.detect([image])).flat()) mask.rle();
  };
  await step([target]); // makes the optimizer's own
  const after = tf.memory().numTensors;
  for (let i = 0; i < 10; i++) await step(i % 3 === 0 ? [target, nothing] : [i % 3 === 1 ? target : nothing]);
  expect(tf.memory().numTensors).toBe(after);
  optimizer.dispose();
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
