import '@rcnn/tfjs-backend-onnxruntime';
import { loadStateDict } from '@rcnn/checkpoint';
import { Random, trainableParameters } from '@rcnn/core';
import { Fixture, fixtureImage, hashedWeights, relativeError } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { firstInOrderSampler, maskRcnnResnetFpn } from 'mask-rcnn';
import { expect, test } from 'vitest';
import { type BatchSource, createSchedule, groupParameters, runTraining, SGD, type StepReport } from '../src/index.ts';

/** Losses of three steps and the weights after them, by torchvision 0.29.1 with PyTorch's SGD at 0.002. */
test("three steps of the real training loop are torchvision's", async () => {
  await tf.setBackend('onnxruntime');
  const fixture = await Fixture.read(
    new URL('../../two-stage/test/fixtures/train_maskrcnn_resnet18_fpn.safetensors', import.meta.url),
  );
  const model = maskRcnnResnetFpn({
    body: 'resnet18',
    numClasses: 6,
    minSize: 192,
    maxSize: 256,
    rpnPostNmsTopNTrain: 300,
    rpnSampler: firstInOrderSampler({ batchSize: 256, positiveFraction: 0.5 }),
    boxSampler: firstInOrderSampler({ batchSize: 512, positiveFraction: 0.25 }),
    random: new Random(1),
  });
  await loadStateDict(model, hashedWeights(model, fixture.salt));
  const batch = {
    images: [await fixtureImage('a'), await fixtureImage('b')],
    targets: [fixture.target(0), fixture.target(1)],
  };
  const data: BatchSource = {
    batchesPerEpoch: 3,
    async *batches(_, first) {
      for (let i = first; i < 3; i++) yield batch;
    },
  };
  const parameters = model.namedParameters();
  const steps: StepReport[] = [];
  await runTraining({
    model,
    data,
    optimizer: new SGD(parameters),
    groups: groupParameters(parameters, { weightDecay: 1e-4 }),
    schedule: createSchedule({}, { stepsPerEpoch: 3, totalSteps: 3 }),
    learningRate: 0.002,
    totalSteps: 3,
    hooks: { onEvent: (event) => event.kind === 'step' && steps.push(event) },
  });

  expect(steps).toHaveLength(3);
  const worst: Record<string, number> = {};
  for (const [i, { losses }] of steps.entries()) {
    for (const [name, loss] of Object.entries(losses)) {
      const error = relativeError(loss, fixture.floats(`step${i}.${name}`)[0]!);
      worst[`step ${i}, ${name}`] = error / (i === 0 ? 1e-3 : 1e-2);
    }
  }
  for (const [name, { value }] of trainableParameters(model)) {
    const values = (await value.data()) as Float32Array;
    const norm = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
    worst[name] = relativeError(norm, fixture.floats(`after.${name}`)[0]!) / 1e-3;
  }
  expect(Object.entries(worst).filter(([, share]) => !(share < 1))).toEqual([]); // as shares of the tolerance
});
