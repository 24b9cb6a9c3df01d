import { describeBackbone } from '@rcnn/backbone-resnet/testing';
import { expectNoLeak } from '@rcnn/core/testing';
import { Random, seedLayers, useEngine } from 'mask-rcnn';
import { beforeAll, describe, expect, test } from 'vitest';
import { TinyMobileNet } from '../src/tiny-mobile-net.ts';
import { buildModel, drawnSquare, trainStep } from '../src/train-step.ts';

beforeAll(async () => {
  await useEngine('onnxruntime');
  seedLayers(1);
});

describeBackbone('a small MobileNet', () => new TinyMobileNet([4, 4, 8, 8, 8]), { describe, test });

test('trains in Mask R-CNN: the loss falls, and every step leaves no tensor', async () => {
  const model = buildModel();
  const sum = (losses: Record<string, number>): number => Object.values(losses).reduce((a, b) => a + b, 0);
  const first = await trainStep(model, 0.01, new Random(2));
  expect(Object.keys(first).sort()).toEqual([
    'loss_box_reg',
    'loss_classifier',
    'loss_mask',
    'loss_objectness',
    'loss_rpn_box_reg',
  ]);
  await expectNoLeak(() => trainStep(model, 0.01, new Random(2)), 4);
  expect(sum(await trainStep(model, 0.01, new Random(2)))).toBeLessThan(sum(first) * 0.8);
  const [found] = await model.detect([drawnSquare().image]);
  for (const { mask } of found!) expect(mask!.size).toEqual([96, 120]);
  model.dispose();
});
