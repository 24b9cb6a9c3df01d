import '@tensorflow/tfjs-backend-cpu';
import type { Detector } from '@rcnn/core';
import { expect, test } from 'vitest';
import { fasterRcnnResnetFpn, maskRcnnSmall } from '../src/index.ts';

test('a Mask R-CNN says what it is', () => {
  const model: Detector = maskRcnnSmall({ numClasses: 3, minSize: [96, 128] });
  const { isPredictor, bytesOfStep, ...facts } = model.spec;
  expect(bytesOfStep!({ batchSize: 1, imageSize: [96, 128], slots: 1 })).toBeGreaterThan(0);
  expect(facts).toEqual({
    numClasses: 3,
    learnsFrom: ['masks'],
    finds: ['boxes', 'masks'],
    input: {
      resize: { rule: 'torchvision', minSize: 128, maxSize: 192, trainingSizes: [96, 128] },
      sizeDivisor: 32,
      channelOrder: 'rgb',
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    },
  });
  const predictors = [...model.namedParameters().keys()].filter((name) => isPredictor(name));
  expect(predictors).toEqual(
    ['box_predictor.cls_score', 'box_predictor.bbox_pred', 'mask_predictor.mask_fcn_logits'].flatMap((layer) => [
      `roi_heads.${layer}.weight`,
      `roi_heads.${layer}.bias`,
    ]),
  );
  model.dispose();
});

test('a Faster R-CNN learns from boxes and finds boxes', () => {
  const model = fasterRcnnResnetFpn({ body: 'resnet18', fpnChannels: 8, boxFeatures: 8, numClasses: 2 });
  expect(model.spec.learnsFrom).toEqual([]);
  expect(model.spec.finds).toEqual(['boxes']);
  model.dispose();
});
