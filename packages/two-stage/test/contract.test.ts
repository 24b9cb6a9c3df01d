import { Random } from '@rcnn/core';
import { FixedSizeTransform } from '@rcnn/detector';
import { describeDetector } from '@rcnn/detector/testing';
import { useFastEngine } from '@rcnn/fixtures';
import { beforeAll, describe, test } from 'vitest';
import {
  cascadeRcnnResnetFpn,
  cascadeSmall,
  fasterRcnnResnetFpn,
  htcSmall,
  keypointRcnnSmall,
  maskRcnnResnetC4,
  maskRcnnResnetC5,
  maskRcnnResnetDC5,
  maskRcnnSmall,
  type RecipeOptions,
  rfcnResnet,
} from '../src/index.ts';

beforeAll(useFastEngine);

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

describeDetector('Faster R-CNN', () => fasterRcnnResnetFpn(tiny()), runner);
describeDetector('Mask R-CNN', () => maskRcnnSmall(tiny()), runner);
describeDetector('Cascade Mask R-CNN', () => cascadeSmall(tiny()), runner);
describeDetector('Cascade R-CNN', () => cascadeRcnnResnetFpn(tiny()), runner);
describeDetector('Mask R-CNN on C4', () => maskRcnnResnetC4(tiny()), runner);
describeDetector('Mask R-CNN on C5', () => maskRcnnResnetC5(tiny()), runner);
describeDetector('Mask R-CNN on dilated C5', () => maskRcnnResnetDC5(tiny()), runner);
describeDetector('R-FCN', () => rfcnResnet(tiny()), runner);
describeDetector('Hybrid Task Cascade', () => htcSmall(tiny()), runner);
describeDetector(
  'Keypoint R-CNN',
  () => keypointRcnnSmall({ ...tiny(), keypointChannels: [8], numKeypoints: 5 }),
  runner,
);
describeDetector(
  'Mask R-CNN at one size',
  () => maskRcnnSmall({ ...tiny(), transform: new FixedSizeTransform({ size: [64, 64] }) }),
  runner,
);
