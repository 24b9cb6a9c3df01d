import { Random, useEngine } from '@rcnn/core';
import { describeDetector } from '@rcnn/detector/testing';
import { cascadeSmall, keypointRcnnSmall, maskRcnnSmall, pointRendSmall, type RecipeOptions } from '@rcnn/two-stage';
import { beforeAll, describe, test } from 'vitest';
import { compile } from '../src/index.ts';

beforeAll(() => useEngine('onnxruntime'));

const runner = { describe, test };

/** Narrow, so that the contract is done in seconds; finds a few objects with its first weights. */
const tiny = (): RecipeOptions => ({
  numClasses: 3,
  body: 'resnet18',
  blocks: [1, 1, 1, 1],
  planes: [8, 8, 16, 16],
  stemChannels: 8,
  fpnChannels: 16,
  boxFeatures: 16,
  norm: 'batch',
  trainableStages: 5,
  minSize: 64,
  maxSize: 96,
  boxScoreThresh: 0.01,
  boxDetectionsPerImg: 3,
  boxBatchSizePerImage: 16,
  rpnPostNmsTopNTrain: 20,
  rpnPostNmsTopNTest: 20,
  random: new Random(3),
});

describeDetector('a compiled Mask R-CNN', () => compile(maskRcnnSmall(tiny())), runner);
describeDetector('a compiled Cascade Mask R-CNN', () => compile(cascadeSmall(tiny())), runner);
describeDetector(
  'a compiled Keypoint R-CNN',
  () => compile(keypointRcnnSmall({ ...tiny(), keypointChannels: [8], numKeypoints: 5 })),
  runner,
);
describeDetector('a compiled PointRend', () => compile(pointRendSmall(tiny())), runner);
