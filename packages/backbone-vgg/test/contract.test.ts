import '@tensorflow/tfjs-backend-cpu';
import { describeBackbone } from '@rcnn/backbone-resnet/testing';
import { describe, test } from 'vitest';
import { VGG } from '../src/index.ts';

const runner = { describe, test };
const channels = [4, 4, 6, 8, 8];
const small = { size: [37, 45] as const, rounding: 'down' as const };

describeBackbone('VGG-16', () => new VGG({ channels }), runner, small);
describeBackbone('VGG with batch norm', () => new VGG({ depth: 11, channels, norm: 'batch' }), runner, small);
describeBackbone(
  'VGG of several levels, in part frozen',
  () => new VGG({ depth: 13, channels, norm: 'frozen', outputStages: [3, 2, 5], trainableStages: 3 }),
  runner,
  small,
);
