import '@tensorflow/tfjs-backend-cpu';
import { describeBackbone } from '@rcnn/backbone-resnet/testing';
import { describe, test } from 'vitest';
import { MobileNet } from '../src/index.ts';

const runner = { describe, test };

describeBackbone('MobileNetV2', () => new MobileNet({ name: 'mobilenet_v2', width: 0.25, norm: 'batch' }), runner);
describeBackbone(
  'MobileNetV3 small, in part frozen',
  () => new MobileNet({ name: 'mobilenet_v3_small', width: 0.25, trainableStages: 3 }),
  runner,
);
describeBackbone(
  'MobileNetV3 large, of two blocks',
  () => new MobileNet({ width: 0.25, norm: 'batch', outputBlocks: [12, 3], normEpsilon: 1e-5 }),
  runner,
);
