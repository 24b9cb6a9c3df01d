import { Fixture, useFastEngine } from '@rcnn/fixtures';
import { beforeAll, expect, test } from 'vitest';
import { detectron2Rules } from '../src/detectron2-rules.ts';
import { cascadeMaskRcnnResnetFpn, pointRendResnetFpn } from '../src/index.ts';
import { expectAnswers, readModel } from './support/detectron2-model.ts';

beforeAll(useFastEngine);

const options = (detections: number) => ({
  ...detectron2Rules(),
  numClasses: 81,
  strideIn: '1x1' as const, // as in the body of Caffe's weights that they begin with
  maskPaste: 'detectron2' as const,
  boxScoreThresh: 0.02,
  rpnPreNmsTopNTest: 1000,
  rpnPostNmsTopNTest: 40,
  boxDetectionsPerImg: detections,
});

// detectron2-models.test.ts holds small models; these are the networks as their owners publish them, with all of their
// tensors' names and 72 and 60 million weights.
test.each([
  ['cascade_maskrcnn_resnet50_fpn', 'cascade_mask_rcnn', () => cascadeMaskRcnnResnetFpn(options(10)), 10],
  ['pointrend_resnet50_fpn', 'pointrend_rcnn', () => pointRendResnetFpn(options(4)), 4],
] as const)('%s as published finds what detectron2 finds', async (arch, file, make, detections) => {
  const fixture = await Fixture.read(new URL(`fixtures/eval_${file}_R_50_FPN.safetensors`, import.meta.url));
  expect(fixture.floats('detections.0.scores')).toHaveLength(detections);
  const model = await readModel(fixture, make, arch);
  await expectAnswers(model, fixture, { sizes: [[240, 320]], order: 'bgr' });
  model.dispose();
});
