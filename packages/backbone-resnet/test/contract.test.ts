import '@tensorflow/tfjs-backend-cpu';
import { describe, test } from 'vitest';
import { ResNet } from '../src/index.ts';
import { describeBackbone } from '../src/testing.ts';

const tiny = { planes: [4, 4, 8, 8], stemChannels: 4, blocks: [1, 1, 1, 1] };
const runner = { describe, test };
const small = { size: [37, 45] as const };

describeBackbone('a bottleneck ResNet', () => new ResNet(tiny), runner, small);
describeBackbone('a basic ResNet', () => new ResNet({ ...tiny, depth: 18, blocks: [1, 2, 1, 1] }), runner, small);
describeBackbone('ResNet with batch norm', () => new ResNet({ ...tiny, norm: 'batch' }), runner, small);
describeBackbone(
  'ResNeXt',
  () => new ResNet({ ...tiny, planes: [64, 64, 64, 64], blocks: [1, 1], groups: 2, widthPerGroup: 2 }),
  runner,
  small,
);
describeBackbone(
  'ResNet with frozen stages and a stem output',
  () => new ResNet({ ...tiny, outputStages: [0, 3], trainableStages: 2, strideIn: '1x1' }),
  runner,
  small,
);
describeBackbone(
  'ResNet with group norm',
  () => new ResNet({ block: 'basic', planes: [32, 32], stemChannels: 32, blocks: [1, 1], norm: 'group' }),
  runner,
  { size: [21, 29] },
);
