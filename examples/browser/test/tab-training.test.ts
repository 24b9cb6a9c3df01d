import { blobSource, loadStateDict, openCheckpoint } from '@rcnn/checkpoint';
import '@rcnn/tfjs-backend-onnxruntime';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { LOSSES, trainTiny } from './tiny.ts';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

test('learns, looks and measures; the weights can be saved; no tensor is left', async () => {
  const before = tf.memory().numTensors;
  const { training, losses } = await trainTiny();
  expect(losses).toHaveLength(LOSSES.length);
  for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(LOSSES[i]!, 4);
  const examples = await training.look(2);
  expect(examples.map(({ target }) => target.labels.length)).toEqual(
    [...training.data.val.images.keys()].map((i) => training.data.val.annotations(i).length),
  );
  expect((await training.evaluate())['segm/AP50']).toBeGreaterThanOrEqual(0);
  const checkpoint = await openCheckpoint(blobSource(await training.weights()));
  expect(checkpoint.profile?.input.resize).toMatchObject({ minSize: 64, maxSize: 64 });
  const report = await loadStateDict(training.model, checkpoint.weights);
  expect(report.loaded.length).toBe(training.model.namedParameters().size);
  training.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
