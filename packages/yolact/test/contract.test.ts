import { Random } from '@rcnn/core';
import { LetterboxTransform } from '@rcnn/detector';
import { describeDetector } from '@rcnn/detector/testing';
import { useFastEngine } from '@rcnn/fixtures';
import { beforeAll, describe, test } from 'vitest';
import { type YOLACTRecipeOptions, yolactPlusResnetFpn, yolactPlusSmall, yolactSmall } from '../src/index.ts';

beforeAll(useFastEngine);

const runner = { describe, test };

/** Narrow, so that the contract is done in seconds; finds a few objects with its first weights. */
const tiny = (): YOLACTRecipeOptions => ({
  numClasses: 3,
  planes: [8, 8, 16, 16],
  stemChannels: 8,
  fpnChannels: 16,
  numPrototypes: 8,
  imageSize: 64,
  detectionsPerImage: 4,
  random: new Random(3),
});

describeDetector('YOLACT', () => yolactSmall(tiny()), runner);
describeDetector('YOLACT++', () => yolactPlusSmall(tiny()), runner);
describeDetector(
  'YOLACT++ with deformable convolutions',
  () => {
    const model = yolactPlusResnetFpn({
      ...tiny(),
      body: 'resnet50',
      blocks: [1, 1, 1, 1],
      planes: [4, 4, 4, 8],
      maskRescoring: [4],
      norm: 'batch',
    });
    const names = [...model.namedParameters().keys()];
    if (!names.includes('backbone.body.layer4.0.conv2.conv_offset_mask.weight'))
      throw new Error('nothing is deformable');
    return model;
  },
  runner,
);
describeDetector('YOLACT with frozen norms', () => yolactSmall({ ...tiny(), norm: 'frozen' }), runner);
describeDetector(
  'YOLACT behind a letterbox, classes competing',
  () => yolactSmall({ ...tiny(), crossClassNms: true, transform: new LetterboxTransform({ size: [64, 64] }) }),
  runner,
);
